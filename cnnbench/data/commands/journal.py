"""What an interrupted check found so far, so that the same command goes on from there; forgotten when it has ended."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from cnnbench.data.commands.inspection import Finding
from cnnbench.data.layouts.split import Split
from cnnbench.data.storage.files import Files
from cnnbench.runtime.cache import is_own, own_cache_folder
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.system import BINARY, lock_file


class Journal:
    """A file in the cache folder: a line that names the images, then a line per image in their order.

    Where it cannot be written, or another check of the same data writes it, the check can merely not be resumed.
    """

    def __init__(self, title: str, split: Split) -> None:
        self.split = split
        names = "\0".join(split.name(index) for index in range(len(split)))
        content = names.encode(errors="surrogateescape") + split.labels.tobytes() + repr(split.max_megapixels).encode()
        self.first = hashlib.sha256(content).hexdigest().encode() + b"\n"
        key = f"{title} {os.path.dirname(split.name(0))}"
        name = f"check-{hashlib.sha256(key.encode(errors='surrogateescape')).hexdigest()[:16]}.jsonl"
        self.path: Path | None = None  # where it cannot be written
        try:
            path = own_cache_folder() / name
            self.file = _opened(path)
            if not is_own(path):
                raise OSError(f"{path} is not this user's own")
            lock_file(self.file)
            self.path = path
        except (OSError, UserError):
            self.file = _opened(os.devnull)

    def resume(self) -> Iterator[Finding]:
        """The findings of the first images, as far as they were checked and have not changed since."""
        end = 0
        if self.file.readline() == self.first:
            end = len(self.first)
            for index, line in enumerate(self.file):
                try:
                    stamp, values = json.loads(line)
                    finding = Finding(**{**values, "digest": bytes.fromhex(values["digest"])})
                except Exception:  # the end of the line is missing, or another version wrote it
                    break
                if stamp != self._stamp(index):
                    break
                yield finding
                end += len(line)
        self._start_at(end)

    def add(self, index: int, finding: Finding) -> None:
        """Note what was found of image `index`, the next one."""
        values = {**asdict(finding), "digest": finding.digest.hex()}
        self.file.write(json.dumps([self._stamp(index), values]).encode() + b"\n")

    def close(self) -> None:
        self.file.close()

    def forget(self) -> None:
        """Remove the file: the next check looks at every image again."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _start_at(self, end: int) -> None:
        if self.path is None:
            return
        self.file.seek(end)
        self.file.truncate()
        if not end:
            self.file.write(self.first)

    def _stamp(self, index: int) -> list[int]:
        """Size and time of a file; nothing for an image that is not a file of its own."""
        if not isinstance(self.split.storage, Files):
            return []
        try:
            found = os.stat(self.split.name(index))
        except OSError:
            return []
        return [found.st_size, found.st_mtime_ns]


def _opened(path: str | os.PathLike) -> io.BufferedRandom:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | BINARY, 0o600), "r+b")
