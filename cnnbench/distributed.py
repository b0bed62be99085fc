"""Processes, their ranks, and what they say to each other: the only file that speaks to torch.distributed."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from cnnbench.errors import UserError
from cnnbench.machine import usable_cores

TIMEOUT = timedelta(minutes=10)


@dataclass(frozen=True)
class Process:
    """This process among `world`; `local_rank` counts on its own machine and picks the GPU."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this is the one process that writes and prints."""
        return self.rank == 0


def started_by_launcher() -> bool:
    """Whether torchrun, or our own launch, started this process as one of a group."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


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


def launch(function: Callable[..., Any], processes: int, *arguments: Any) -> Any:
    """What `function(*arguments)` returns on rank 0, run in `processes` new processes of one group by torch's elastic
    launcher.

    If one of them fails the others are ended and this process leaves with its exit status; it has said why itself.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in ("torch.distributed.elastic", "torch.multiprocessing"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # our own sentence is enough
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        run_id=f"cnnbench-{os.getpid()}",
        max_restarts=0,
        monitor_interval=0.1,
    )
    try:
        return elastic_launch(config, function)(*arguments)[0]
    except SignalException as error:
        raise KeyboardInterrupt from error
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode < 0:
            name = signal.Signals(-failure.exitcode).name
            print(f"cnnbench: process {rank} of {processes} was ended by {name}", file=sys.stderr)
        sys.exit(max(1, failure.exitcode))


@contextmanager
def joined(device: str) -> Iterator[Process]:
    """Join the group that the environment describes, if any, for the length of a `with` block.

    In a group, the first process that fails inside the block says why, once, and each process that fails leaves: with
    exit status 2 for a UserError, 130 if interrupted, 1 for anything else.
    """
    if not started_by_launcher():
        yield Process()
        return
    store, rank, world = next(dist.rendezvous("env://"))
    process = Process(rank, world, int(os.environ.get("LOCAL_RANK", 0)))
    if device == "cuda":
        torch.cuda.set_device(process.local_rank)
    backend = "nccl" if device == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=TIMEOUT)
    try:
        yield process
    except (Exception, KeyboardInterrupt) as error:
        if store.add("cnnbench/failures", 1) == 1:
            _say_why(error, process)
        sys.exit({UserError: 2, KeyboardInterrupt: 130}.get(type(error), 1))
    dist.destroy_process_group()


def _say_why(error: BaseException, process: Process) -> None:
    if isinstance(error, UserError):
        print(f"cnnbench: {error}", file=sys.stderr)
    elif not isinstance(error, KeyboardInterrupt):
        print(f"cnnbench: process {process.rank} of {process.world} failed:", file=sys.stderr)
        traceback.print_exception(error)


def share_cores(process: Process, device: str) -> None:
    """Give each of several processes on CPUs its share of this machine's cores; alone, torch's own choice stands."""
    if device == "cpu" and process.world > 1:
        local = int(os.environ.get("LOCAL_WORLD_SIZE", process.world))
        torch.set_num_threads(max(1, usable_cores() // local))


def choose_workers(configured: int | None, process: Process) -> int:
    """Loader processes for each process: as configured, else this machine's usable cores shared out, at least one."""
    if configured is not None:
        return configured
    return max(1, usable_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", process.world)))


def device_of(process: Process, device: str) -> torch.device:
    """The torch device on which `process` computes."""
    return torch.device("cuda", process.local_rank) if device == "cuda" else torch.device("cpu")


def wrap(model: nn.Module, process: Process, device: torch.device) -> nn.Module:
    """`model` with gradients averaged over the group; `model` itself where there is only one process."""
    if process.world == 1:
        return model
    ids = [device.index] if device.type == "cuda" else None
    with warnings.catch_warnings():
        # Newer torch has another name for broadcast_buffers, which torch 2.8 does not know.
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*broadcast_buffers")
        # Buffers (batch normalisation's statistics) are averaged before an evaluation or save, not sent at every step.
        return DistributedDataParallel(model, device_ids=ids, broadcast_buffers=False, gradient_as_bucket_view=True)


def without_averaging(model: nn.Module) -> AbstractContextManager[None]:
    """Within this block a backward pass only accumulates gradients, without a message to the others."""
    return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()


def sum_over_group(values: torch.Tensor, process: Process) -> torch.Tensor:
    """`values` added up over all processes, in place, on every process."""
    if process.world > 1:
        dist.all_reduce(values)
    return values


def average_buffers(model: nn.Module, process: Process) -> None:
    """Give every process the mean of each floating-point buffer (batch normalisation's running mean and variance)."""
    if process.world == 1:
        return
    for buffer in model.buffers():
        if buffer.is_floating_point():
            dist.all_reduce(buffer)
            buffer /= process.world


def from_leader(make: Callable[[], Any], process: Process) -> Any:
    """What `make` returns on rank 0, a plain object, on every process; a UserError that it raises there, likewise."""
    if process.world == 1:
        return make()
    box = [None]
    if process.leads:
        try:
            box = [make()]
        except UserError as error:
            box = [error]
    dist.broadcast_object_list(box)
    if isinstance(box[0], UserError):
        raise box[0]
    return box[0]
