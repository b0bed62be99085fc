"""Trains LeNet in short epochs for a long time, and looks whether memory and open files stay as they were.

    python tools/soak.py --minutes 60

Prints, at intervals, the memory of the training process and of its loader workers (proportional set size, so that what
they share counts once) and their open files; exit status 1 if the last quarter lies above the second by more than 5 %.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = ["arch=lenet", "recipe=quick", "epochs=1000000", "average=ema", "data.train_fraction=0.1", "batch=100"]
WORDS += ["data.workers=2", "save_every=1000", "log_every=60"]
ROWS = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = [*WORDS, "run=soak", f"max_hours={options.minutes / 60}"]
        with open(Path(folder) / "log", "w") as log:
            command = [sys.executable, "-m", "cnnbench", "train", *words]
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        rows = watch(process, Path(folder) / "runs/soak/metrics.jsonl", options.minutes * 60 / ROWS)
        status = process.wait()
        epochs = len((Path(folder) / "runs/soak/metrics.jsonl").read_text().splitlines())
    second, last = rows[len(rows) // 4 : len(rows) // 2], rows[-len(rows) // 4 :]
    before, after = (statistics.mean(memory for _, _, memory, _ in part) for part in (second, last))
    files = {count for *_, count in rows[1:]}
    print(f"\n{epochs} epochs, exit status {status} (75: the time was over)")
    print(f"memory: {before:.0f} MB in the second quarter, {after:.0f} MB in the last; open files: {sorted(files)}")
    sys.exit(status != 75 or after > 1.05 * before or len(files) > 2)


def watch(process: subprocess.Popen, metrics: Path, every: float) -> list[tuple[float, int, float, int]]:
    """(minutes, epochs, MB, open files) every `every` seconds until the process ends."""
    begun, rows = time.monotonic(), []
    print("| minutes | epochs | memory, MB | open files |\n|---:|---:|---:|---:|", flush=True)
    while process.poll() is None:
        time.sleep(every)
        if not metrics.exists() or process.poll() is not None:
            continue
        try:
            memory, files = measured(process.pid)
        except OSError:  # it is leaving
            continue
        row = ((time.monotonic() - begun) / 60, metrics.read_text().count("\n"), memory, files)
        rows.append(row)
        print(f"| {row[0]:.1f} | {row[1]} | {row[2]:.0f} | {row[3]} |", flush=True)
    return rows


def measured(pid: int) -> tuple[float, int]:
    """MB of a process and its children, shared pages counted once, and their open files."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    kilobytes = files = 0
    for number in (pid, *map(int, children)):
        lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
        kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        files += len(list(Path(f"/proc/{number}/fd").iterdir()))
    return kilobytes / 1024, files


if __name__ == "__main__":
    main()
