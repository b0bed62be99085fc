"""Processes, their ranks, and what they say to each other: the only file that speaks to torch.distributed."""

from __future__ import annotations

import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from cnnbench.runtime.backends import CPU, accelerator, backend_of
from cnnbench.runtime.denied import granted
from cnnbench.runtime.devices import device_of, on_cpu
from cnnbench.runtime.errors import Stopped, UserError, reason
from cnnbench.runtime.group import Place, place_in_group, speaks_for_machine
from cnnbench.runtime.limits import check_open_files
from cnnbench.runtime.meeting import NoAnswer, meet
from cnnbench.runtime.messages import decode, encode
from cnnbench.runtime.network import choose_interfaces
from cnnbench.runtime.parting import Process, Ties, collect

GRACE = 3.0  # seconds in which a process that fails can say why before others report its loss
# Keys of the store: who has come; how many have failed, and what the first of them said; whether rank 0 leaves.
JOINED, FAILURES, WHY, LEFT = "joined", "failures", "why", "left by the leader"
LEADER_LEAVES = 10.0  # seconds that rank 0 may take to leave once all is saved


def started_by_launcher() -> bool:
    """Whether torchrun, srun or our own launch started this process as one of a group."""
    return place_in_group(os.environ) is not None


@contextmanager
def joined(device: str, start_timeout: float = 30.0) -> Iterator[Process]:
    """Join the group that the environment describes, if any, for the length of a `with` block. Until `shorten_timeout`
    processes wait `start_timeout` minutes for each other: some unpack data or compile longer than others.

    In a group, the first process that fails inside the block says why, once, and each process that fails leaves: with
    exit status 2 for a UserError, 130 if interrupted, that of a Stopped, 1 for anything else.
    """
    place = place_in_group(os.environ)
    if place is None:
        yield Process()
        return
    process = _join(place, device, timedelta(minutes=start_timeout))
    try:
        if device != CPU:
            torch.accelerator.set_device_index(device_of(process.local_rank, device))
        with granted():
            yield process
    except Stopped as stop:
        _leave_after_leader(process, place)
        sys.exit(stop.status)
    except (Exception, KeyboardInterrupt) as error:
        announce(error, process)
        sys.exit({UserError: 2, KeyboardInterrupt: 130}.get(type(error), 1))
    dist.destroy_process_group()


def _leave_after_leader(process: Process, place: Place) -> None:
    """Leave together with rank 0, which writes the last of a run: srun and torchrun end all others when one leaves."""
    if place.file is not None or process.store is None:
        return  # launcher.py does not
    with suppress(dist.DistError, RuntimeError):
        if process.leads:
            process.store.set(LEFT, "")
        else:
            process.store.wait([LEFT], timedelta(seconds=LEADER_LEAVES))


def _join(place: Place, device: str, timeout: timedelta) -> Process:
    """This process as one of its group, once all have come. If they cannot meet, this process leaves: one of each
    machine says what its user has to change, every process what else went wrong."""
    try:
        choose_interfaces(place)
        check_open_files(0, place.world)
        ties = Ties()
        with ties.growing(to_store=True):
            store = meet(place, timeout)
        backend = backend_of(device).collectives or "gloo"
        with ties.growing():
            dist.init_process_group(backend, store=store, rank=place.rank, world_size=place.world, timeout=timeout)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=ties.close_in_child)
        store.set(f"{JOINED}/{place.rank}", "")
        return Process(place.rank, place.world, place.local_rank, store, ties)
    except NoAnswer:
        sys.exit(2)
    except UserError as error:
        if speaks_for_machine(os.environ):
            print(f"cnnbench: {error}", file=sys.stderr)
    except (dist.DistError, OSError, ValueError, RuntimeError) as error:
        where = "" if place.file else f" at {os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        alone = "" if place.file else "; if it is to run alone, unset RANK and WORLD_SIZE"
        who = f"process {place.rank} of {place.world}"
        print(f"cnnbench: {who} cannot join its group{where} ({reason(error).rstrip('.')}){alone}", file=sys.stderr)
    sys.exit(2)


def announce(error: BaseException, process: Process) -> str:
    """Say why the group fails, if this process is the first of it to fail; in one sentence what the first one said.

    A process that only lost another one waits for that one to say it, and then names those that say nothing.
    """
    if process.store is None:
        return str(error)
    try:
        process.store.set(f"left/{process.rank}", "")
        if lost_another(error):
            time.sleep(GRACE)
        if process.store.add(FAILURES, 1) == 1:
            sentence = _sentence(error, process, process.store)
            process.store.set(WHY, sentence)
            print(f"cnnbench: {sentence}", file=sys.stderr, flush=True)
            if not isinstance(error, UserError | KeyboardInterrupt) and not lost_another(error):
                traceback.print_exception(error)
        process.store.wait([WHY], timedelta(seconds=GRACE))
        return process.store.get(WHY).decode()
    except (dist.DistError, RuntimeError):  # process 0 keeps the store where no launcher does
        return f"process {process.rank} of {process.world} lost process 0"


def lost_another(error: BaseException) -> bool:
    """Whether `error` says no more than that another process does not answer."""
    text = str(error)
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and any(sign in text for sign in ("Connection", "Timed out", "NCCL", "Gloo"))
    )


def _sentence(error: BaseException, process: Process, store: dist.Store) -> str:
    """What the first process that fails says for the group; `store` knows which processes have left."""
    who = f"process {process.rank} of {process.world}"
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if not lost_another(error):
        return f"{who} failed: {reason(error)}"
    silent = [str(rank) for rank in range(process.world) if not store.check([f"left/{rank}"])]
    those = f"process {' and '.join(silent)}" if silent else "another process"
    late = "timed out" in str(error).lower() or "timeout" in str(error).lower()
    return f"{who} {'waited too long (timeout) for' if late else 'lost its connection to'} {those}"


def shorten_timeout(process: Process, minutes: float) -> None:
    """From now on processes wait `minutes` for each other."""
    if process.world == 1:
        return
    # torch 2.8 has it under the second name only.
    change = getattr(dist, "set_timeout", None) or dist.distributed_c10d._set_pg_timeout
    change(timedelta(minutes=minutes), dist.group.WORLD)


class Agreement:
    """The largest of one small number from each process, without waiting for the others or for the device: what all
    gave at one call is known at the next. It travels between the processors of the machines, also where GPUs train."""

    def __init__(self, process: Process) -> None:
        with process.ties.growing():
            group = dist.new_group(backend="gloo") if process.world > 1 else None
        self.group = group if isinstance(group, dist.ProcessGroup) else None  # of all processes: each is a member
        self.under_way: tuple[torch.Tensor, dist.Work] | None = None

    def largest(self, value: int) -> int:
        """The largest number that the call before this one was given; at the first call, and alone, that this one is.
        Once it is not 0, no other call may follow."""
        if self.group is None:
            return value
        if self.under_way is None:
            self.under_way = self._send(value)
        numbers, work = self.under_way
        work.wait()
        if largest := int(numbers.item()):
            return largest
        self.under_way = self._send(value)
        return 0

    def _send(self, value: int) -> tuple[torch.Tensor, dist.Work]:
        """Start to exchange `value`; the largest of all is in the tensor once the work is done."""
        numbers = torch.tensor([value], dtype=torch.int32)
        work = dist.all_reduce(numbers, dist.ReduceOp.MAX, group=self.group, async_op=True)
        assert work is not None  # as it is for a member of the group
        return numbers, work


def wrap(model: nn.Module, process: Process, device: torch.device) -> nn.Module:
    """`model` with gradients averaged over the group; `model` itself where there is only one process."""
    if process.world == 1:
        return model
    ids = None if on_cpu(device) else [device.index]
    with warnings.catch_warnings():
        # Newer torch has another name for broadcast_buffers, which torch 2.8 does not know.
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*broadcast_buffers")
        # Buffers (batch normalisation's statistics) are averaged before an evaluation or save, not sent at every step.
        return DistributedDataParallel(model, device_ids=ids, broadcast_buffers=False, gradient_as_bucket_view=True)


def with_sync_batchnorm(model: nn.Module, process: Process) -> nn.Module:
    """`model` with batch normalisation over the images of all processes; the state dict has the same names."""
    return model if process.world == 1 else nn.SyncBatchNorm.convert_sync_batchnorm(model)


def without_averaging(model: nn.Module) -> AbstractContextManager[None]:
    """Within this block a backward pass only accumulates gradients, without a message to the others."""
    return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()


def sum_over_group(values: torch.Tensor, process: Process) -> torch.Tensor:
    """`values` added up over all processes, in place, on every process."""
    if process.world > 1:
        dist.all_reduce(values)
    return values


def average_buffers(buffers: Iterable[torch.Tensor], process: Process) -> None:
    """Give every process the mean of each of `buffers` in floating point (batch normalisation's mean and variance)."""
    if process.world == 1:
        return
    for buffer in buffers:
        if buffer.is_floating_point():
            dist.all_reduce(buffer)
            buffer /= process.world


def gather_to_leader(value: Any, process: Process) -> list[Any]:
    """The plain value of every process (see messages.py), by rank, on rank 0; elsewhere nothing. From processes that
    have parted from each other: at most once, and raises Unanswered."""
    if process.world == 1:
        return [value]
    if process.ties.cut:
        return [decode(part) for part in collect(process, "gathered", encode(value))]
    own = _as_tensor(encode(value))
    sizes = [torch.zeros(1, dtype=torch.int64, device=own.device) for _ in range(process.world)]
    dist.all_gather(sizes, torch.tensor([len(own)], device=own.device))
    longest = max(int(size) for size in sizes)
    parts = [own.new_empty(longest) for _ in range(process.world)] if process.leads else None
    dist.gather(nn.functional.pad(own, (0, longest - len(own))), parts)
    return [decode(_as_bytes(part[: int(size)])) for part, size in zip(parts or [], sizes, strict=False)]


def largest_over_group(value: int, process: Process, device: torch.device) -> int:
    """The largest of the values of all processes."""
    if process.world == 1:
        return value
    number = torch.tensor(value, device=device)
    dist.all_reduce(number, dist.ReduceOp.MAX)
    return int(number.item())


def wait_for_all(process: Process) -> None:
    """Return when every process of the group has come here."""
    if process.world > 1:
        dist.barrier()


def from_leader(make: Callable[[], Any], process: Process) -> Any:
    """What `make` returns on rank 0, a plain value (see messages.py), on every process; likewise a UserError that it
    raises there."""
    if process.world == 1:
        return make()
    value, wrong = None, None
    if process.leads:
        try:
            value = make()
        except UserError as error:
            wrong = str(error)
    value, wrong = decode(_broadcast(encode([value, wrong]), process))
    if wrong is not None:
        raise UserError(wrong)
    return value


def _broadcast(content: bytes, process: Process) -> bytes:
    """The `content` of rank 0 on every process."""
    sent = _as_tensor(content)
    size = torch.tensor([len(sent)], device=sent.device)
    dist.broadcast(size, 0)
    if not process.leads:
        sent = sent.new_empty(int(size))
    dist.broadcast(sent, 0)
    return _as_bytes(sent)


def _as_tensor(content: bytes) -> torch.Tensor:
    """`content` as uint8 where the group's messages travel: on the GPU with NCCL."""
    beside = dist.get_backend() != "gloo"  # which speaks between GPUs alone
    device = torch.device(accelerator() or CPU, torch.accelerator.current_device_index()) if beside else CPU
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).to(device)


def _as_bytes(message: torch.Tensor) -> bytes:
    return message.cpu().numpy().tobytes()
