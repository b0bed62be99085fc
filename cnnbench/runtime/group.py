"""Whether this process is one of a group, as its environment says. Imports no torch.

torchrun sets all of the variables below, srun by way of slurm.py. A platform, a notebook or an earlier export may have
left some of them: with a WORLD_SIZE of 1, or none of them at all, a process is alone. A group that cnnbench itself
starts on one machine meets in a file, not at an address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cnnbench.runtime.errors import UserError

ADDRESS = ("MASTER_ADDR", "MASTER_PORT")
NEEDED = ("RANK", "WORLD_SIZE", *ADDRESS)
FILE = "CNNBENCH_GROUP"  # the file where a group of launcher.py's meets
STARTERS = (FILE, "TORCHELASTIC_RUN_ID", "SLURM_STEP_ID")  # who starts a whole group sets one of these, too
MOST = 2**32 - 1  # Slurm's own largest number
PORTS = (1, 65535)
SHOWN = 36  # letters of a value that an error repeats


@dataclass(frozen=True)
class Place:
    """This process among `world`, and among `local_world` on its machine. `file`: where they meet, if not at an
    address; `one_machine`: all of them are known to be on this one."""

    rank: int
    world: int
    local_rank: int
    local_world: int
    file: str | None = None
    one_machine: bool = False


def place_in_group(environment: Mapping[str, str]) -> Place | None:
    """The place that a launcher gave this process; None if it is alone. UserError if only some variables are set, or if
    they contradict each other."""
    file = environment.get(FILE) or None
    needed = NEEDED if file is None else NEEDED[:2]
    there = [name for name in NEEDED if environment.get(name)]
    missing = [name for name in needed if name not in there]
    if not {"RANK", "WORLD_SIZE"} & set(there):
        return None
    rank, world = number(environment, "RANK", 0), number(environment, "WORLD_SIZE", 1)
    if "WORLD_SIZE" in there and rank >= world:  # also where WORLD_SIZE is 0
        raise UserError(f"RANK={rank} is not below WORLD_SIZE={world}: {_remedy(there)}")
    if missing and (world > 1 or "WORLD_SIZE" in missing):
        raise UserError(f"{_are(there, 'set')}, but {_are(missing, 'not')}: {_remedy(there)}")
    if missing:
        return None
    if not file:
        number(environment, "MASTER_PORT", 0, PORTS)
    local_rank, local_world = _on_machine(environment, world, there)
    one_machine = bool(file) or local_world == number(environment, "LOCAL_WORLD_SIZE", 0) == world
    return Place(rank, world, local_rank, local_world, file, one_machine)


def _on_machine(environment: Mapping[str, str], world: int, there: list[str]) -> tuple[int, int]:
    """Rank and size of the part of the group that is on this machine: all of it, if nobody says."""
    local_rank, local_world = number(environment, "LOCAL_RANK", 0), number(environment, "LOCAL_WORLD_SIZE", world)
    if local_world < 1:
        raise UserError(f"LOCAL_WORLD_SIZE={local_world} is less than 1: {_remedy(there)}")
    if local_world > world:
        raise UserError(f"LOCAL_WORLD_SIZE={local_world} is more than WORLD_SIZE={world}: {_remedy(there)}")
    if local_rank >= local_world:
        raise UserError(f"LOCAL_RANK={local_rank} is not below LOCAL_WORLD_SIZE={local_world}: {_remedy(there)}")
    return local_rank, local_world


def leads(environment: Mapping[str, str]) -> bool:
    """Whether this process is the one of its group that speaks; it is if it is alone, or if nobody can tell."""
    try:
        place = place_in_group(environment)
    except UserError:
        return True
    return place is None or place.rank == 0


def speaks_for_machine(environment: Mapping[str, str]) -> bool:
    """Whether this process is to say what is wrong before the group has met: one of each machine, since it may be wrong
    on that one alone; every process if no launcher is known to have started the others."""
    try:
        place = place_in_group(environment)
    except UserError:
        return True
    return place is None or place.local_rank == 0 or not any(environment.get(name) for name in STARTERS)


def number(environment: Mapping[str, str], name: str, default: int, bounds: tuple[int, int] = (0, MOST)) -> int:
    """The whole number that the variable `name` holds, `default` if it is not set. UserError if it holds other text, or
    a number outside of the `bounds`."""
    text = environment.get(name) or str(default)
    whole = re.fullmatch(r"-?\d+", text, re.ASCII) is not None
    if whole and bounds[0] <= float(text) <= bounds[1]:
        return int(float(text))  # exact up to 2^53, and of as many digits as it likes
    wrong = f"is out of range, {bounds[0]} to {bounds[1]}" if whole else "is not a whole number"
    shown = text if len(text) <= SHOWN else f"{text[: SHOWN // 2]}..."
    raise UserError(f"{name}={shown} {wrong}: unset it, or start by torchrun or srun, which set it")


def _are(names: list[str], what: str) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} {what}"


def _remedy(there: list[str]) -> str:
    return f"to run alone, `unset {' '.join(there)}`; to join a group, start by torchrun or srun, which set all of them"
