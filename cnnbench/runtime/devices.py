"""What of its machine a process uses: its device, and its share of the cores."""

from __future__ import annotations

import os

import torch

from cnnbench.runtime.errors import UserError
from cnnbench.runtime.group import place_in_group
from cnnbench.runtime.machine import usable_cores


def choose_device(name: str) -> str:
    """ "cpu" or "cuda" for a configured device: "auto" is cuda where there is a GPU. UserError where it is missing."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError("device=cuda, but torch sees no GPU here: use device=cpu, or a torch built for this GPU")
    return ("cuda" if available else "cpu") if name == "auto" else name


def choose_processes(configured: int | None, device: str) -> int:
    """How many processes to start on this machine: as configured, else one per GPU, or one on a CPU."""
    if configured is not None:
        return configured
    return torch.cuda.device_count() if device == "cuda" else 1


def share_cores(world: int, device: str) -> None:
    """Give each of several processes on CPUs its share of this machine's cores; alone, torch's own choice stands."""
    if device == "cpu" and world > 1:
        torch.set_num_threads(_share_of_cores(world))


def choose_workers(configured: int | None, world: int) -> int:
    """Loader processes for each process: as configured, else this machine's usable cores shared out, at least one."""
    return configured if configured is not None else _share_of_cores(world)


def _share_of_cores(world: int) -> int:
    """This machine's usable cores for each of the group's processes on it."""
    place = place_in_group(os.environ)
    return max(1, usable_cores() // (world if place is None else place.local_world))


def device_of(local_rank: int, device: str) -> torch.device:
    """The torch device on which the process `local_rank` of its machine computes."""
    return torch.device("cuda", _gpu(local_rank)) if device == "cuda" else torch.device("cpu")


def _gpu(local_rank: int) -> int:
    """Number of its GPU. Where the launcher shows each process only its own, it is the first."""
    visible = torch.cuda.device_count()
    if visible == 1:
        return 0
    if local_rank >= visible:
        raise UserError(
            f"process {local_rank} of this machine has no GPU: the machine has {visible}, so start at most "
            f"{visible} processes on it"
        )
    return local_rank
