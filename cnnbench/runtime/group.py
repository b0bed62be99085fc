"""Whether this process is one of a group, as its environment says. Imports no torch.

torchrun sets all of the variables below, srun by way of slurm.py. A platform, a notebook or an earlier export may have
left some of them: with a WORLD_SIZE of 1, or none of them at all, a process is alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cnnbench.runtime.errors import UserError

NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Place:
    """This process among `world`, and among `local_world` on its machine."""

    rank: int
    world: int
    local_rank: int
    local_world: int


def place_in_group(environment: Mapping[str, str]) -> Place | None:
    """The place that a launcher gave this process; None if it is alone. UserError if only some variables are set, or if
    they contradict each other."""
    there = [name for name in NEEDED if environment.get(name)]
    missing = [name for name in NEEDED if name not in there]
    if not {"RANK", "WORLD_SIZE"} & set(there):
        return None
    rank, world = number(environment, "RANK", 0), number(environment, "WORLD_SIZE", 1)
    if "WORLD_SIZE" in there and rank >= world:  # also where WORLD_SIZE is 0
        raise UserError(f"RANK={rank} is not below WORLD_SIZE={world}: {_remedy(there)}")
    if missing and (world > 1 or "WORLD_SIZE" in missing):
        raise UserError(f"{_are(there, 'set')}, but {_are(missing, 'not')}: {_remedy(there)}")
    if missing:
        return None
    number(environment, "MASTER_PORT", 0)
    local_world = number(environment, "LOCAL_WORLD_SIZE", world)
    if local_world < 1:
        raise UserError(f"LOCAL_WORLD_SIZE={local_world} is less than 1: {_remedy(there)}")
    return Place(rank, world, number(environment, "LOCAL_RANK", 0), local_world)


def leads(environment: Mapping[str, str]) -> bool:
    """Whether this process is the one of its group that speaks; it is if it is alone, or if nobody can tell."""
    try:
        place = place_in_group(environment)
    except UserError:
        return True
    return place is None or place.rank == 0


def number(environment: Mapping[str, str], name: str, default: int) -> int:
    """The whole number that the variable `name` holds, `default` if it is not set. UserError if it holds other text."""
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit()):
        raise UserError(f"{name}={text} is not a whole number: unset it, or start by torchrun or srun, which set it")
    return int(text)


def _are(names: list[str], what: str) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} {what}"


def _remedy(there: list[str]) -> str:
    return f"to run alone, `unset {' '.join(there)}`; to join a group, start by torchrun or srun, which set all of them"
