"""A file layer that fails at a chosen call: the process ends there, in the middle of what it writes, or is refused.

Whatever this process changes in one folder goes through a few calls of the system, which are counted here. It runs in a
process of its own, forked for the purpose, so that its end is one: nothing is cleaned up behind it.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cnnbench.config.train import TrainConfig
from cnnbench.runtime.errors import UserError
from cnnbench.training.command import train

KILLED = 137
KILL, CUT = "kill", "cut"  # the process ends before the call, or when it has written the first half
# At byte number `at` of whatever file the system itself ends the process, or refuses what follows.
KILL_AT_BYTE, FULL_AT_BYTE = "kill at a byte", "full at a byte"
REFUSALS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EROFS": errno.EROFS}
FOREVER = "-"  # after the name of a refusal: that call and all after it
ON_PATHS = ("replace", "rename", "link", "unlink", "mkdir", "rmdir", "utime")
CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass
class Faults:
    """Counts the calls that change `folder`, and does `what` at number `at` of them, counted from 0."""

    folder: Path
    at: int = -1
    what: str = KILL
    calls: int = 0
    last: str = ""  # what call `at` was

    def install(self) -> None:
        """From now on, in this process."""
        if self.what in (KILL_AT_BYTE, FULL_AT_BYTE):
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL if self.what == KILL_AT_BYTE else signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.at, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            self.at = -1
        self.write, self.fsync = os.write, os.fsync
        os.write, os.fsync = self._write, self._fsync
        system_open = os.open
        os.open = lambda path, flags, *rest, **keys: self._call(
            "open", path, bool(flags & CHANGES), lambda: system_open(path, flags, *rest, **keys)
        )
        for name in ON_PATHS:
            setattr(os, name, self._on_paths(name, getattr(os, name)))

    def _on_paths(self, name: str, real: Callable) -> Callable:
        return lambda *paths, **keys: self._call(name, paths[-1], True, lambda: real(*paths, **keys))

    def _write(self, handle: int, data: Any) -> int:
        half = bytes(data)[: len(data) // 2]
        return self._call(
            "write", _path_of(handle), True, lambda: self.write(handle, data), lambda: self.write(handle, half)
        )

    def _fsync(self, handle: int) -> None:
        self._call("fsync", _path_of(handle), True, lambda: self.fsync(handle))

    def _call(self, name: str, path: Any, changes: bool, real: Callable, half: Callable | None = None) -> Any:
        if not changes or not self._is_within(path):
            return real()
        here, self.calls = self.calls, self.calls + 1
        refused = self.what.removesuffix(FOREVER)
        if here == self.at or (here > self.at >= 0 and self.what.endswith(FOREVER)):
            self.last = f"{name} {place(Path(os.fsdecode(path)), self.folder)}" if here == self.at else self.last
            if refused in REFUSALS:
                raise OSError(REFUSALS[refused], os.strerror(REFUSALS[refused]))
            if self.what == CUT and half is not None:
                half()
            self._note()
            os._exit(KILLED)
        return real()

    def _note(self) -> None:
        self.write(3, f"{self.calls}\t{self.last}".encode())

    def _is_within(self, path: Any) -> bool:
        return isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(str(self.folder))


def place(path: Path, folder: Path) -> str:
    """The file that a path is, or will be, with the parts that vary left out: config.yaml, checkpoints/last.pt."""
    parts = path.relative_to(folder).parts if path != folder else ("the folder",)
    if parts[0] == "tensorboard":
        return "tensorboard"
    name = parts[-1].lstrip(".")
    return "/".join([*parts[:-1], ".".join(part for part in name.split(".") if not part.isdigit() and part != "2")])


def _path_of(handle: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{handle}")
    except OSError:
        return ""


@dataclass(frozen=True)
class Ended:
    """How a training process ended: its exit status, what it said, and the calls that it made; `call`: number `at`."""

    status: int
    said: str
    calls: int
    call: str


def run(config: TrainConfig, faults: Faults) -> Ended:
    """Train in a process of its own, with `faults`, as the command line would."""
    # torch imports its compiler at the first call of this: here once, and not in each process for four seconds.
    torch.use_deterministic_algorithms(torch.are_deterministic_algorithms_enabled())
    (reads, writes), (said, says) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        for handle, number in ((writes, 3), (says, 2), (os.open(os.devnull, os.O_WRONLY), 1)):
            os.dup2(handle, number)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        os._exit(_child(config, faults))
    for handle in (writes, says):
        os.close(handle)
    texts = []
    for handle in (said, reads):
        with os.fdopen(handle, "rb") as pipe:
            texts.append(pipe.read().decode(errors="replace"))
    calls, _, call = texts[1].partition("\t")
    return Ended(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), texts[0], int(calls or 0), call)


def _child(config: TrainConfig, faults: Faults) -> int:
    status = 1
    try:
        faults.install()
        train(config)
        status = 0
    except UserError as error:
        print(f"cnnbench: {error}", file=sys.stderr)
        status = 2
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    faults._note()
    return status
