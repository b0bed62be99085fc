"""Trains LeNet until the disk is full, frees space, continues, and compares bitwise with a run that always had space.

    python tools/disk_full.py                        # as root: on a tmpfs of 16 MB, mounted for this
    python tools/disk_full.py --folder /mnt/small    # in a folder on a small file system

A trial per figure of --rooms: so many kB are free at the start, so that another file is the first that does not fit.
Prints a table; exit status 1 if a run said more than one sentence, left no whole checkpoint, or ended in other bits.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from outcome import outcome

from cnnbench.runs import checkpoint
from cnnbench.runtime.errors import UserError

WORDS = ["arch=lenet", "recipe=quick", "epochs=6", "keep_every=1", "save_every=10", "data.train_fraction=0.1"]
WORDS += ["data.workers=1", "device=cpu", "processes=1"]
ROOMS = [0, 8, 40, 700, 1200, 1700, 2100]  # kB; a checkpoint has about 500
LARGEST = 1 << 30  # bytes free: more is no small file system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rooms", type=int, nargs="+", default=ROOMS, help="kB")
    options = parser.parse_args()
    if options.folder is None and os.geteuid() != 0:
        sys.exit("SKIPPED: a tmpfs needs root; without, give --folder on a small file system")
    with tempfile.TemporaryDirectory() as scratch, small_disk(options.folder) as disk:
        if free(disk) > LARGEST:
            sys.exit(f"SKIPPED: {disk} has {free(disk) >> 20} MB free, which is no small file system")
        train(Path(scratch), "whole")
        whole = outcome(Path(scratch) / "runs/whole")
        print(
            "| kB free | epochs done | exit status | said | last checkpoint | continued |\n|---:|---:|---:|---|---|---|"
        )
        rows = [trial(disk, room, whole) for room in options.rooms]
    sys.exit(not all(rows))


def trial(disk: Path, room: int, whole: tuple) -> bool:
    """Print a row for a run that begins with `room` kB; whether it is as it should be."""
    ballast, run = disk / "ballast", disk / f"runs/room-{room}"
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, free(disk) - 1024 * room)
    full = train(disk, run.name)
    said = full.stderr.strip().replace(f"{disk}/", "")
    epochs = len(list((run / "checkpoints").glob("epoch-*.pt")))
    kept = state(run / "checkpoints")
    ballast.unlink()
    rest = train(disk, run.name)
    same = rest.returncode == 0 and outcome(run) == whole
    print(f"| {room} | {epochs} | {full.returncode} | {' / '.join(said.splitlines())} | {kept} ", end="")
    print(f"| {'the same bits' if same else f'OTHER BITS {rest.stderr}'} |", flush=True)
    shutil.rmtree(run)
    one_sentence = "No space left" in said and said.count("\n") == 0
    return full.returncode == 2 and one_sentence and kept != "damaged" and same


def train(root: Path, run: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "cnnbench", "train", *WORDS, f"run={run}"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def state(checkpoints: Path) -> str:
    """Whether `last` can be read; no other will do, since it was whole before the disk was full."""
    if not (checkpoints / checkpoint.LAST).exists():
        return "none yet"
    try:
        checkpoint.load(checkpoints / checkpoint.LAST)
    except UserError:
        return "damaged"
    return "whole"


def free(folder: Path) -> int:
    """Bytes."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


@contextmanager
def small_disk(folder: Path | None) -> Iterator[Path]:
    """`folder`, or a tmpfs that lives as long as the block."""
    if folder is not None:
        yield folder.resolve()
        return
    with tempfile.TemporaryDirectory() as mounted:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", mounted], check=True)
        try:
            yield Path(mounted)
        finally:
            subprocess.run(["umount", mounted], check=True)


if __name__ == "__main__":
    main()
