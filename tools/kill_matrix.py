"""Ends a small training run at random moments, continues it, and compares it bitwise, with its metrics, TensorBoard and
status, with the run that was left alone.

    python tools/kill_matrix.py --kills 50 --terms 50             # SIGKILL and SIGTERM, one process
    python tools/kill_matrix.py --kills 5 --terms 5 --processes 2

Prints a line per trial and a table; exit status 1 if a run did not end in the same.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from outcome import Outcome, difference, outcome

from cnnbench.runs import checkpoint
from cnnbench.runtime.errors import UserError

SHARE = 0.6  # of the time that the run left alone took: others are faster where the machine has less to do
WORDS = [
    "arch=lenet",
    "recipe=quick",
    "epochs=2",
    "batch=500",
    "save_every=2",
    "average=ema",
    "data.workers=1",
    "log_every=0",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=6, help="trials with SIGKILL")
    parser.add_argument("--terms", type=int, default=6, help="trials with SIGTERM")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        words = [*WORDS, f"processes={options.processes}"]
        start(root, [*words, "run=unpacks-the-sample", "epochs=1"]).wait()
        begun = time.monotonic()
        process = start(root, [*words, "run=whole"])
        wait_for(process, lambda: (root / "runs/whole/status.json").exists())
        starting = time.monotonic() - begun
        process.wait()
        training = time.monotonic() - begun - starting
        whole = outcome(root / "runs/whole")
        print(f"a run left alone: {starting:.1f} s to start, {training:.1f} s to train", flush=True)
        rows: Counter[tuple[str, str, str]] = Counter()
        for kind, count in ((signal.SIGKILL, options.kills), (signal.SIGTERM, options.terms)):
            for number in range(count):
                run, sort = (
                    f"{kind.name}-{number}",
                    number % 6,
                )  # one of six in start-up, two in a save, three at any time
                after = moments.uniform(0.3, starting) if sort == 0 else moments.uniform(0, SHARE * training)
                folder = root / "runs" / run
                process = start(root, [*words, f"run={run}"])
                if sort:
                    wait_for(process, lambda folder=folder: (folder / "status.json").exists())
                time.sleep(after)
                if sort in (1, 2):
                    wait_for(process, lambda folder=folder: is_saving(folder))
                where, status, result = trial(process, root, [*words, f"run={run}"], folder, kind, whole)
                print(f"{run}: in {where}, status {status}: {result}", flush=True)
                rows[kind.name, where, result] += 1
    print("\n| signal | ended in | trials | outcome |\n|---|---|---:|---|")
    for (kind, where, result), count in sorted(rows.items()):
        print(f"| {kind} | {where} | {count} | {result} |")
    sys.exit(any(result != "the same bits" for _, _, result in rows))


def wait_for(process: subprocess.Popen, sign: Callable[[], bool]) -> None:
    """Until `sign`, or the end of `process`."""
    while process.poll() is None and not sign():
        time.sleep(0.001)


def is_saving(run: Path) -> bool:
    return any((run / "checkpoints").glob(".last.pt.*"))


def trial(
    process: subprocess.Popen, root: Path, words: list[str], run: Path, kind: signal.Signals, whole: Outcome
) -> tuple[str, int, str]:
    """Where the run is as it is ended now, its exit status, and how it ends when continued."""
    where = phase(run) if process.poll() is None else "nothing (it was faster)"
    if process.poll() is None:
        # SIGKILL to all of its processes, as a machine that goes down; SIGTERM to the first, as a scheduler's.
        os.killpg(process.pid, kind) if kind == signal.SIGKILL else process.send_signal(kind)
    status = process.wait()
    try:
        checkpoint.find_last(run / "checkpoints")
    except UserError as error:
        return where, status, f"unreadable: {error}"
    for _ in range(3):  # a process that outlives the first for a moment holds the run's lock
        if start(root, words).wait() == 0:
            other = difference(outcome(run), whole)
            return where, status, f"OTHER {other}" if other else "the same bits"
        time.sleep(1)
    return where, status, "DOES NOT CONTINUE"


def start(root: Path, words: list[str]) -> subprocess.Popen:
    quiet = subprocess.DEVNULL
    command = [sys.executable, "-m", "cnnbench", "train", *words]
    return subprocess.Popen(command, cwd=root, stdout=quiet, stderr=quiet, start_new_session=True)


def phase(run: Path) -> str:
    """What a run is doing, as far as its files show it."""
    if not (run / "status.json").exists():
        return "start-up"
    if (run / "result.json").exists():
        return "its end, with the result written"
    if is_saving(run):
        return "a save"
    last = run / "checkpoints/last.pt"
    if not last.exists():
        return "the first steps"
    return "a step or an evaluation"


if __name__ == "__main__":
    main()
