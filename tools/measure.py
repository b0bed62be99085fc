"""Measure the figures of docs/install.md on this machine and print them as Markdown: python tools/measure.py [--suite]

Needs cnnbench installed in the Python that runs it. --suite times the whole test suite too.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from cnnbench.runtime.machine import processor, usable_cores

ROOT = Path(__file__).parents[1]
CNNBENCH = [sys.executable, "-m", "cnnbench"]


def seconds(command: list[str], folder: str, repeats: int = 1, expected: int = 0) -> float:
    """Median wall-clock seconds of a command, whose exit status has to be `expected`."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        times.append(time.perf_counter() - start)
        if done.returncode != expected:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return statistics.median(times)


def seconds_until(sign: str, command: list[str], folder: str, repeats: int) -> float:
    """Median wall-clock seconds from the start of a command to its first line with `sign`; then it is killed."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
            found = any(sign in line for line in process.stdout)
            times.append(time.perf_counter() - start)
            process.kill()
        if not found:
            sys.exit(f"{' '.join(command)} printed no '{sign}'")
    return statistics.median(times)


def main() -> None:
    print(f"{usable_cores()} cores of {processor()}, Python {platform.python_version()}, torch {version('torch')}\n")
    print("| what | command | seconds |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        row("help", "cnnbench --help", seconds([*CNNBENCH, "--help"], folder, 5))
        row("help of a command", "cnnbench train --help", seconds([*CNNBENCH, "train", "--help"], folder, 5))
        row("a typo", "cnnbench train epochz=3", seconds([*CNNBENCH, "train", "epochz=3"], folder, 5, expected=2))
        first = "train arch=lenet recipe=quick log_every=0"  # a line for every step
        seconds_until("step 1/", [*CNNBENCH, *first.split()], folder, 1)  # unpacks the sample, if it is the first use
        row("first step", f"cnnbench {first}", seconds_until("step 1/", [*CNNBENCH, *first.split()], folder, 5))
        demo = "train arch=lenet recipe=quick run=demo"
        row("demo", f"cnnbench {demo}", seconds([*CNNBENCH, *demo.split()], folder))
        row("evaluation", "cnnbench eval run=demo", seconds([*CNNBENCH, "eval", "run=demo"], folder))
        result = json.loads((Path(folder) / "runs/demo/result.json").read_text())
    if "--suite" in sys.argv:
        row("test suite", "make test", seconds(["make", "test"], str(ROOT)))
    print(f"\ndemo: top-1 error {result['top1_error']:.2f} %, top-5 error {result['top5_error']:.2f} %")


def row(what: str, command: str, duration: float) -> None:
    print(f"| {what} | `{command}` | {duration:.2f} |", flush=True)


if __name__ == "__main__":
    main()
