"""Who owns a run folder: a process on a machine, and whether it is still there."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cnnbench.runtime.files import json_or_none
from cnnbench.runtime.group import number
from cnnbench.runtime.system import process_exists

GONE_AFTER = 180.0  # seconds without a heartbeat


def identity(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What the lock says of its owner, this process. UserError for a count of restarts that is no number."""
    pid = os.getpid()
    slurm, group = environment.get("SLURM_JOB_ID"), environment.get("TORCHELASTIC_RUN_ID", "none")
    job = f"slurm {slurm}" if slurm else f"torchrun {group}" if group != "none" else None
    attempt = [number(environment, name, 0) for name in ("SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT")]
    return {
        "host": platform.node(),
        "machine": _machine(),
        "pid": pid,
        "started": _started(pid),
        "parent": os.getppid(),
        "job": job,
        "attempt": attempt,
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def is_gone(owner: dict[str, Any], now: dict[str, Any], age: float) -> bool:
    """Whether the process that `owner` describes has ended, as seen by `now`, `age` seconds after its heartbeat."""
    if owner and owner["machine"] == now["machine"] and process_exists(owner["pid"]) is not None:
        return not runs(owner["pid"], owner["started"])
    if owner.get("job") is not None and owner["job"] == now["job"] and owner["attempt"] < now["attempt"]:
        return True
    return age > GONE_AFTER


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether both are of one process."""
    return bool(one) and all(one[name] == other[name] for name in ("machine", "pid", "started"))


def is_child(child: dict[str, Any], parent: dict[str, Any]) -> bool:
    """Whether the process `child` was started by `parent`."""
    return bool(child) and child["machine"] == parent["machine"] and child.get("parent") == parent["pid"]


def owner_of(text: str) -> dict[str, Any]:
    """The owner that a lock names; {} for one that is cut, torn or something else."""
    said = json_or_none(text)
    whole = isinstance(said, dict) and all(name in said and check(said[name]) for name, check in _FIELDS.items())
    return said if whole else {}


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


def runs(pid: int, started: int | None) -> bool:
    """Whether the process `pid` that began at `started`, as `identity` says of it, is still there."""
    return process_exists(pid) is not False and _started(pid) == started


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_pid(value: Any) -> bool:
    return type(value) is int and 0 < value < 1 << 31


# What is needed of an owner, and what it has to be: anybody may have written the file.
_FIELDS: dict[str, Callable[[Any], bool]] = {
    "host": _is_text,
    "machine": _is_text,
    "pid": _is_pid,
    "started": lambda value: value is None or type(value) is int,
    "job": lambda value: value is None or isinstance(value, str),
    "attempt": lambda value: isinstance(value, list) and all(type(item) is int for item in value),
    "since": _is_text,
}
