"""One training per run folder: a file in it names the owner, and an owner that is gone is recognised.

The owner's process is looked up where it ran on this machine. Elsewhere its heartbeat counts (the file's time, renewed
every half minute), unless this start is a later attempt of the same Slurm job or torchrun group. An owner that was
taken for gone and was not (its node had only lost the network) finds another's name in the file, and leaves.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from cnnbench.runtime.errors import UserError

FILE = "lock.json"
HEARTBEAT = 30.0  # seconds between two
GONE_AFTER = 180.0  # seconds without a heartbeat
TAKEN_OVER = 2  # exit status: not one that has a scheduler start this process again


def refuse_if_held(folder: Path) -> None:
    """Raise UserError if another process is training the run in `folder`."""
    path = folder / FILE
    owner = _read(path)
    if owner is not None and not is_gone(owner, identity(), _age(path)):
        raise UserError(_held(path, owner))


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Own `folder` for the length of a `with` block. Raises UserError if another process does."""
    path, mine = folder / FILE, identity()
    while not _create(path, mine):
        owner = _read(path)
        if owner is not None:
            if not is_gone(owner, mine, _age(path)):
                raise UserError(_held(path, owner))
            _take_away(path, owner)
    done = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, mine, done), daemon=True)
    beat.start()
    try:
        yield
    finally:
        done.set()
        beat.join()
        if _read(path) == mine:
            path.unlink(missing_ok=True)


def identity(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What the lock says of its owner, this process."""
    pid = os.getpid()
    slurm, group = environment.get("SLURM_JOB_ID"), environment.get("TORCHELASTIC_RUN_ID", "none")
    job = f"slurm {slurm}" if slurm else f"torchrun {group}" if group != "none" else None
    attempt = [int(environment.get(name, 0)) for name in ("SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT")]
    return {
        "host": platform.node(),
        "machine": _machine(),
        "pid": pid,
        "started": _started(pid),
        "job": job,
        "attempt": attempt,
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def is_gone(owner: dict[str, Any], now: dict[str, Any], age: float) -> bool:
    """Whether the process that `owner` describes has ended, as seen by `now`, `age` seconds after its heartbeat."""
    if owner.get("machine") == now["machine"]:
        return not _runs(owner["pid"], owner["started"])
    if owner.get("job") is not None and owner["job"] == now["job"] and owner["attempt"] < now["attempt"]:
        return True
    return age > GONE_AFTER


def _held(path: Path, owner: dict[str, Any]) -> str:
    who = f"process {owner['pid']} on {owner['host']} since {owner['since']}" if owner else "another process"
    return (
        f"{path.parent} is being trained by {who}: give another run=NAME, or end that one first "
        f"(if it is gone, its lock is ignored {GONE_AFTER / 60:.0f} minutes after its end, or delete {path})"
    )


def _create(path: Path, mine: dict[str, Any]) -> bool:
    """Whether this process made the lock; False if there is one."""
    made = False
    try:
        with open(path, "x") as file:
            made = True
            json.dump(mine, file)
    except FileExistsError:
        return False
    except OSError as error:
        if made:  # on a full disk: an empty lock would hold the folder when there is space again
            path.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    return True


def _read(path: Path) -> dict[str, Any] | None:
    """The owner; {} for a file that is being written or was cut off; None without one."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}


def _take_away(path: Path, owner: dict[str, Any]) -> None:
    """Remove the lock of `owner`, unless another start was faster and it is that one's by now."""
    aside = path.with_name(f".{FILE}.{os.getpid()}")
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
        with suppress(OSError):  # a file system that is away for a moment; the training itself notices if it stays so
            owner = _read(path)
            if owner and owner != mine:
                _leave(path, owner)
            os.utime(path)


def _leave(path: Path, owner: dict[str, Any]) -> None:
    """End this process without another word to the folder: two that write there would mix their runs."""
    who = f"process {owner['pid']} on {owner['host']}"
    print(f"cnnbench: {path.parent} has been taken over by {who}: this process leaves", file=sys.stderr, flush=True)
    os._exit(TAKEN_OVER)


def _age(path: Path) -> float:
    """Seconds since the last heartbeat, by the clock of the file system."""
    probe = path.with_name(f".clock.{os.getpid()}")
    try:
        probe.touch()
        return probe.stat().st_mtime - path.stat().st_mtime
    except OSError:
        return 0.0
    finally:
        probe.unlink(missing_ok=True)


def _machine() -> str:
    """Where a process number means the same process: this boot of this machine, and this container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return platform.node()


def _started(pid: int) -> int | None:
    """When process `pid` began, in clock ticks since boot: a later process of the same number began at another time.
    None for one that has ended, whether or not its parent has noticed, and where there is no /proc."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else int(fields[18])


def _runs(pid: int, started: int | None) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _started(pid) == started
