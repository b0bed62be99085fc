"""What it costs that several processes ask each other at every step boundary whether one of them was told to stop.

    python tools/measure_agreement.py --processes 2

Times LeNet's training steps on CPUs (gloo), in turns: without asking; asking as training does, where the answer to one
step's question is read at the next; and asking and waiting for the answer. Prints milliseconds per step as Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from cnnbench.archs.registry import build
from cnnbench.runtime import distributed
from cnnbench.runtime.devices import share_cores
from cnnbench.runtime.distributed import Agreement, Process
from cnnbench.runtime.launcher import launch

IMAGES = 32  # of one process at one step
STEPS = 20  # of one turn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--turns", type=int, default=40, help=f"of {STEPS} steps for each way")
    options = parser.parse_args()
    times = launch(measure, options.processes, options.turns)
    bare = times["without asking"]
    print(f"{options.processes} processes with {IMAGES} images each, {options.turns} turns of {STEPS} steps\n")
    print("| step | ms, median | quartiles | more than without asking, ms, median | quartiles |")
    print("|---|---:|---:|---:|---:|")
    for name, values in times.items():
        more = [value - other for value, other in zip(values, bare, strict=True)]
        print(f"| {name} | {summary(values, 2)} | {summary(more, 3)} |")


def measure(turns: int) -> dict[str, list[float]]:
    """Milliseconds per step of every turn, of every way; the ways take turns, so that the machine's mood is shared."""
    with distributed.joined("cpu") as process:
        share_cores(process.world, "cpu")
        step = training_step(process)
        asking, waiting = Agreement(process), Agreement(process)
        ways = {
            "without asking": lambda: None,
            "asking, as training does": lambda: asking.largest(0),
            "asking and waiting": lambda: (waiting.largest(0), waiting.under_way[1].wait()),
        }
        timed(step, lambda: None)  # warms up
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(turns):
            for name, ask in ways.items():
                times[name].append(timed(step, ask))
        return times


def training_step(process: Process) -> Callable[[], None]:
    """A step of LeNet whose gradients are averaged over the group; loader, log and saves are left out."""
    model = distributed.wrap(build("lenet", num_classes=10, in_channels=1), process, torch.device("cpu"))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images, labels = torch.randn(IMAGES, 1, 32, 32), torch.randint(10, (IMAGES,))

    def step() -> None:
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def timed(step: Callable[[], None], ask: Callable[[], object]) -> float:
    begun = time.perf_counter()
    for _ in range(STEPS):
        ask()
        step()
    return 1000 * (time.perf_counter() - begun) / STEPS


def summary(values: list[float], digits: int) -> str:
    """Median and quartiles, as two cells."""
    low, median, high = statistics.quantiles(values, n=4)
    return f"{median:.{digits}f} | {low:.{digits}f} .. {high:.{digits}f}"


if __name__ == "__main__":
    main()
