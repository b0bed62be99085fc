"""One training per run folder: a file in it names the owner, and an owner that is gone is recognised.

The owner's process is looked up where it ran on this machine. Elsewhere its heartbeat counts (the file's time, renewed
every half minute), unless this start is a later attempt of the same Slurm job or torchrun group. An owner that was
taken for gone and was not (its node had only lost the network) finds another's name in the file, and leaves.

The process that prepares a run owns its folder first; a training process that it starts takes the lock over from it,
and gives it back. A lock that nobody can read holds for as long as an owner elsewhere without a heartbeat.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cnnbench.runs.owner import GONE_AFTER, identity, is_child, is_gone, owner_of, runs, same
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import answered, create_text, json_text, open_plain, remove, write_json, writing

FILE = "lock.json"
HEARTBEAT = 30.0  # seconds between two
TAKEN_OVER = 2  # exit status: not one that has a scheduler start this process again


def is_held(folder: Path) -> bool:
    """Whether a process is training the run in `folder`, as far as this one can see."""
    path = folder / FILE
    try:
        owner = _read(path)
        return owner is not None and not is_gone(owner, identity(), _age(path))
    except UserError:
        return True


def refuse_if_held(folder: Path) -> None:
    """Raise UserError if another process is training the run in `folder`."""
    path = folder / FILE
    owner = _read(path)
    if owner is not None and not is_gone(owner, identity(), _age(path)):
        raise UserError(_held(path, owner))


@contextmanager
def held(folder: Path, heir: bool = False) -> Iterator[None]:
    """Own `folder` for the length of a `with` block. Raises UserError if another process does; where this one is an
    `heir`, if one does that is neither this one nor its parent."""
    path, mine = folder / FILE, identity()
    owner = None if _create(path, mine) else _acquire(path, mine, heir)
    if owner is not None and same(owner, mine):  # this process has it already, and gives it back itself
        yield
        return
    done = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, mine, done), daemon=True)
    beat.start()
    try:
        yield
    finally:
        done.set()

        def give_back() -> None:
            beat.join()
            with suppress(UserError):
                _give_back(path, mine, owner)

        answered(give_back)  # else it is the lock of a process that is gone


def _held(path: Path, owner: dict[str, Any]) -> str:
    who = f"process {owner['pid']} on {owner['host']} since {owner['since']}" if owner else "another process"
    return (
        f"{path.parent} is being trained by {who}: give another run=NAME, or end that one first "
        f"(if it is gone, its lock is ignored {GONE_AFTER / 60:.0f} minutes after its end, or delete {path})"
    )


def _create(path: Path, mine: dict[str, Any]) -> bool:
    """Whether this process made the lock; False if there is one."""
    with writing(path):
        return create_text(path, json_text(mine))


def _acquire(path: Path, mine: dict[str, Any], heir: bool) -> dict[str, Any] | None:
    """Make the lock, which was there, this process's own, from an owner that is gone. An `heir` takes it over from its
    parent, which is returned; it may be its own already, and is returned then. UserError if it is another's."""
    while True:
        owner = _read(path)
        if heir and owner and same(owner, mine):
            return owner
        if heir and owner and is_child(mine, owner):
            with writing(path):
                write_json(path, mine)
            return owner
        if owner is not None:
            if not is_gone(owner, mine, _age(path)):
                raise UserError(_held(path, owner))
            _take_away(path, owner)
        if _create(path, mine):
            return None


def _give_back(path: Path, mine: dict[str, Any], before: dict[str, Any] | None) -> None:
    """Remove the lock, or give it back to the owner `before`, the parent, if it is still this process's, or of one that
    it started and that has ended."""
    owner = _read(path)
    if not owner:
        return
    ended = is_child(owner, mine) and not runs(owner["pid"], owner["started"])
    if not (same(owner, mine) or ended):
        return
    if before is None:
        path.unlink(missing_ok=True)
    else:
        write_json(path, before)


def _read(path: Path) -> dict[str, Any] | None:
    """The owner; {} for a file that is cut, torn or something else; None without one. UserError if there is no reading
    it."""
    try:
        with open_plain(path) as file:
            content = file.read()
    except FileNotFoundError:
        if path.is_symlink():  # which is there for those who would make the file, and not for those who read it
            raise UserError(f"cannot read {path}: it is a link to what is not there; delete it") from None
        return None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    return owner_of(content.decode(errors="replace"))


def _take_away(path: Path, owner: dict[str, Any]) -> None:
    """Remove the lock of `owner`, unless another start was faster and it is that one's by now."""
    aside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return
    if _read(aside) == owner:
        aside.unlink()
    else:
        os.rename(aside, path)


def _beat(path: Path, mine: dict[str, Any], done: threading.Event) -> None:
    while not done.wait(HEARTBEAT):
        with suppress(OSError, UserError):  # a disk that is away for a moment; the training notices if it stays so
            owner = _read(path)
            if owner and not same(owner, mine) and not is_child(owner, mine):
                _leave(path, owner)
            os.utime(path)


def _leave(path: Path, owner: dict[str, Any]) -> None:
    """End this process without another word to the folder: two that write there would mix their runs."""
    who = f"process {owner['pid']} on {owner['host']}"
    print(f"cnnbench: {path.parent} has been taken over by {who}: this process leaves", file=sys.stderr, flush=True)
    os._exit(TAKEN_OVER)


def _age(path: Path) -> float:
    """Seconds since the last heartbeat, by the clock of the file system where this process may write to it."""
    probe = path.with_name(f".clock.{os.getpid()}")
    try:
        beat = path.stat().st_mtime
    except OSError:
        return 0.0  # it has just been given back
    try:
        probe.touch()
        return probe.stat().st_mtime - beat
    except OSError:
        return time.time() - beat
    finally:
        remove(probe)
