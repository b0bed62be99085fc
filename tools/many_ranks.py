"""What a process pays for how many there are: python tools/many_ranks.py > docs/many-processes.md

Worlds of up to 1,000 processes are played by this one: it takes the place of one rank after the other, or of the leader
that gathers from all. Smaller groups are real: processes that meet by gloo on this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch._dynamo  # which each forked process would import for itself
import torch.distributed as dist

from cnnbench.analysis.bench.output import machine_line
from cnnbench.archs.registry import build
from cnnbench.data.loading.sampler import (
    ProcessShare,
    SampleOrder,
    epoch_order,
    evaluation_batches,
    training_batches,
)
from cnnbench.runtime import distributed, launcher, parting
from cnnbench.runtime.group import FILE
from cnnbench.runtime.messages import decode, encode
from cnnbench.runtime.parting import Process
from cnnbench.training.snapshot import mean_of_shares

IMAGES, VALIDATION, EACH = 1_281_167, 50_000, 32  # ILSVRC's, and images of a process in a step
NETWORK = "resnet50"
STEPS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, nargs="+", default=[1, 8, 64, 1000])
    parser.add_argument("--groups", type=int, nargs="+", default=[2, 4, 8, 16, 32])
    options = parser.parse_args()
    torch.set_num_threads(1)
    played = [played_costs(world) for world in options.worlds]
    met = [met_costs(world) for world in options.groups]
    print(HEAD.format(most=max(options.groups), images=IMAGES, each=EACH, network=NETWORK, machine=machine_line()))
    print(table("processes", options.worlds, played))
    print(FOOT)
    print(table("processes", options.groups, met), end="")


HEAD = """# Many processes

Written by `python tools/many_ranks.py`. Groups of up to {most} processes were run, on CPUs by gloo; a thousand not:
what depends on their number was measured by one process that takes the place of each. {images:,} training images,
{each} of a process in a step, {network}'s statistics of batch normalisation.
{machine}.

- In a step: what the loader's main process spends on knowing its share; in an epoch it draws the order of all images.
- A checkpoint between two epochs holds what the processes have in common, whatever their number. One in the midst of an
  epoch also holds each one's own statistics, so that the run continues to the bit; `save_every` says how often.
- Requests at the store: of a group that leaves in the midst of a step, as when a disk does not answer. The leader reads
  what all have to say, and says it to all.
- Each process is connected with each other one twice, for messages and for the agreement on a stop. The limit of open
  files is raised to what that needs before the group meets; where the system does not let, a sentence says so.
"""
FOOT = """Groups that were run, on the cores above: seconds from their start until all have met, connections of each,
and what lies in the store for all to read. An agreement, one number in each step, travels while the step is computed.
"""


def played_costs(world: int) -> dict[str, str]:
    """Costs of a rank, or of the leader, in a world that is not there."""
    own, file, seconds = gathering(world)
    one, all_of_them = requests(world)
    drawn = seconds_of(lambda: epoch_order(IMAGES, 0, 0))
    validation = seconds_of(lambda: list(evaluation_batches(VALIDATION, 256, world // 2, world)))
    return {
        "in a step (us)": f"{1e6 * share_of_a_step(world):,.0f}",
        "order of an epoch (ms)": f"{1e3 * drawn:,.0f}",
        "own validation batches (ms)": f"{1e3 * validation:,.1f}",
        "sent to the leader in mid-epoch (kB)": f"{own / 1e3:,.0f}",
        "gathered, and in the file (MB)": f"{file / 1e6:,.1f}",
        "the leader's seconds for it": f"{seconds:,.2f}",
        "requests at the store, of one": f"{one:,}",
        "of all": f"{all_of_them:,}",
    }


def share_of_a_step(world: int) -> float:
    """Seconds that a rank in the middle spends on its part of a step, without the epoch's order; the median."""
    order = SampleOrder(IMAGES, EACH * world, 0)
    batches = training_batches(order, 1, share=ProcessShare(world // 2, world))
    next(batches)  # with the order
    times = []
    for _ in range(min(STEPS, order.steps_per_epoch - 1)):
        begun = time.perf_counter()
        next(batches)
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def gathering(world: int) -> tuple[int, int, float]:
    """Bytes that a rank sends for a checkpoint in mid-epoch, that all do, and seconds in which the leader has read and
    averaged them."""
    if world == 1:
        return 0, 0, 0.0
    buffers = {name: each for name, each in build(NETWORK, 1000).named_buffers() if each.is_floating_point()}
    message = encode({"loss_sum": 1.0, "counted": 1, "buffers": buffers, "wrong": 1})
    begun = time.perf_counter()
    shares = [decode(message) for _ in range(world)]
    for name in buffers:
        mean_of_shares(shares, name)
    return len(message), len(message) * world, time.perf_counter() - begun


class CountingStore:
    """A store that counts what is asked of it."""

    def __init__(self, store: dist.Store) -> None:
        self.store, self.asked = store, Counter[str]()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        self.asked[name] += 1
        return getattr(self.store, name)


def requests(world: int) -> tuple[int, int]:
    """Requests at the store when a group leaves in the midst of a step: of a rank that does not lead, and of all."""
    if world == 1:
        return 0, 0
    counts = []
    for rank in (0, world - 1):
        store = CountingStore(dist.HashStore())
        for other in range(world):
            store.store.set(f"{parting.SHARE}/place/{other}", "[0, 0]")
        if rank:  # the leader has been there
            parting.exchange(Process(0, world, 0, store.store), "place", b"[0, 0]")
        parting.exchange(Process(rank, world, 0, store), "place", b"[0, 0]")  # type: ignore[arg-type]
        counts.append(store.asked.total())
    return counts[1], counts[0] + (world - 1) * counts[1]


def met_costs(world: int) -> dict[str, str]:
    """Of a real group on this machine."""
    with forked():
        began = time.time()
        found = launcher.launch(meets, world, None)
    seconds, sockets, stored, agreed = (max(each[place] for each in found) for place in range(4))
    return {
        "seconds": f"{seconds - began:.2f}",
        "connections": f"{sockets:,.0f}",
        "in the store (kB)": f"{stored / 1e3:,.0f}",
        "an agreement (us)": f"{1e6 * agreed:,.0f}",
    }


def meets(_: object) -> list[list[float]]:
    """In each process of a group: when it had met, its connections, what lies in the store, seconds of an agreement."""
    with distributed.joined("cpu") as process:
        agreement = distributed.Agreement(process)
        met = time.time()
        sockets, stored = len(parting._sockets()), os.stat(os.environ[FILE]).st_size
        distributed.wait_for_all(process)
        begun = time.perf_counter()
        for _ in range(STEPS):
            agreement.largest(0)
        agreed = (time.perf_counter() - begun) / STEPS
        return distributed.gather_to_leader([met, float(sockets), float(stored), agreed], process)


@contextlib.contextmanager
def forked() -> Iterator[None]:
    """Within this block groups are forked from this process, which has imported torch."""
    before, launcher.METHOD = launcher.METHOD, "fork"
    try:
        yield
    finally:
        launcher.METHOD = before


def seconds_of(work: Callable[[], object]) -> float:
    """The median of five."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def table(head: str, worlds: list[int], costs: list[dict[str, str]]) -> str:
    """Markdown."""
    lines = [(head, *costs[0]), ("---:",) * (1 + len(costs[0]))]
    lines += [(f"{world:,}", *cost.values()) for world, cost in zip(worlds, costs, strict=True)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
