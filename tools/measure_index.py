"""Measure an index of ILSVRC's size and print it as Markdown: python tools/measure_index.py

1,281,167 file names in 1000 class folders (which exist, empty: their times of change are checked at every start, the
files are not) are kept as an index, then read by a new process and by workers forked from it, which ask for every name.
Memory is what Linux says of a process, /proc/self/smaps_rollup, beyond what it was with interpreter and numpy imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

IMAGES, WORKERS = 1_281_167, 4
LAYOUT = "class folders"


def write(root: Path) -> Path:
    """Class folders below `root`, and in the cache folder the index of the files that would be in them."""
    from cnnbench.data.layouts import index
    from cnnbench.data.layouts.ilsvrc import class_names
    from cnnbench.data.layouts.listing import Listing
    from cnnbench.data.storage.files import Files, pack_names

    classes, folder = tuple(class_names()), root / "train"
    for name in classes:
        (folder / name).mkdir(parents=True)
    labels = np.sort(np.arange(IMAGES) % len(classes))
    names = pack_names([f"{classes[label]}/{classes[label]}_{number}.JPEG" for number, label in enumerate(labels)])
    depends = (str(folder), *(str(folder / name) for name in classes))
    path = index.cache_file(root, "train")
    index.keep(path, Listing(str(folder), classes, labels, Files(str(folder), names), depends), root, "train", LAYOUT)
    return path


def read(root: Path) -> None:
    """Open the split as a training process does, and read all its names in forked workers; a line for each."""
    before = memory()
    start = time.perf_counter()
    from cnnbench.config.data import DataConfig
    from cnnbench.data.layouts.read import read_split

    imported = time.perf_counter()
    modules = memory()
    split = read_split(DataConfig(path=str(root)), "train")
    opened = time.perf_counter()
    assert len(split) == IMAGES
    row("imports of cnnbench.data", imported - start, modules, before)
    row("open: layout, 1001 folders, checksum, labels", opened - imported, memory(), modules)
    sys.stdout.flush()
    for number in range(WORKERS):
        if os.fork() == 0:
            start = time.perf_counter()
            for index in np.random.default_rng(number).permutation(IMAGES)[: IMAGES // WORKERS]:
                split.name(index)
            row(
                f"worker {number + 1} of {WORKERS}: {IMAGES // WORKERS:,} names",
                time.perf_counter() - start,
                memory(),
                modules,
            )
            sys.stdout.flush()
            os._exit(0)
    for _ in range(WORKERS):
        os.wait()


def memory() -> dict[str, float]:
    """Of this process in MB: what is resident, and its share of that where pages are shared with other processes."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    size = {name: int(value.split()[0]) / 1e3 for name, _, value in (line.partition(":") for line in lines)}
    return {"Rss": size["Rss"], "Pss": size["Pss"]}


def row(what: str, seconds: float, now: dict[str, float], before: dict[str, float]) -> None:
    print(f"| {what} | {seconds:.3f} | " + " | ".join(f"{now[name] - before[name]:+.1f}" for name in now) + " |")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        os.environ["CNNBENCH_CACHE"] = str(Path(folder) / "cache")
        path = write(root)
        print(f"{IMAGES:,} images, 1000 classes: an index of {path.stat().st_size / 1e6:.1f} MB\n")
        print("| what | seconds | resident, MB | its share, MB |\n|---|---|---|---|", flush=True)
        subprocess.run([sys.executable, __file__, str(root)], check=True)


if __name__ == "__main__":
    read(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
