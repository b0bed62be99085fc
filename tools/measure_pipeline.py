"""The figures of docs/input-pipeline.md: what an image costs in every stored form, beside torchvision's pipeline.

    python tools/measure_pipeline.py FOLDER            # class folders of JPEG images, as FOLDER/train/CLASS/FILE

Packs the images in each form into a scratch folder, and measures all forms in turn with torchvision's complete pipeline
on the original files (ImageFolder's loader, RandomResizedCrop 224, flip, to float, normalise per image), one thread,
CPU time, in one process: the ratio of each round counts, and its median is printed. Then whole loaders.

NVIDIA's DALI, its pipeline for CPUs, is measured beside them where it is installed (pip install nvidia-dali-cuda120).
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnbench.analysis.bench.loader import Bench, Comparison, Cost, compare, loader_costs
from cnnbench.analysis.bench.output import machine_line
from cnnbench.analysis.bench.stages import TURN_IMAGES
from cnnbench.analysis.tables import Table, render
from cnnbench.config.arch import ArchConfig
from cnnbench.config.augment import AugmentConfig, FlipConfig
from cnnbench.config.data import DataConfig
from cnnbench.data.decode.entry_index import Place
from cnnbench.data.layouts.index import cache_file
from cnnbench.data.layouts.read import read_split

ARCH = ArchConfig(
    name="reference",
    crop_ratio=0.875,
    interpolation="bilinear",
    mean=[0.485, 0.456, 0.406],
    std=[0.229, 0.224, 0.225],
)
DALI = "DALI on the CPU, original JPEG files"
PASSES = 9  # over the images, of a whole loader: starting two processes takes as long as 150 images
PACKS = {
    "packed JPEG, short side 320": ("jpeg", "320"),
    "packed raw uint8, short side 256": ("raw", "256"),
    "packed original bytes": ("original", None),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--images", type=int, default=200)
    options = parser.parse_args()
    original = bench(options.folder, options.images)
    with tempfile.TemporaryDirectory() as scratch:
        with_index = indexed(original, options.folder, Path(scratch))
        works = comparisons(original, with_index, options.folder, Path(scratch))
        print_costs(compare(original, works, options.rounds), options.rounds, len(original.indices))
        for title, item in (("", original), (", side index", with_index)):
            print_loaders(title, loader_costs(item, 5, 2, 100, PASSES), len(item.indices))


def comparisons(original: Bench, with_index: Bench, folder: Path, scratch: Path) -> dict[str, Comparison]:
    images = len(original.indices)
    packed = {name: bench(pack(folder, scratch, *form), images) for name, form in PACKS.items()}
    jpeg, raw = packed["packed JPEG, short side 320"], packed["packed raw uint8, short side 256"]
    return {
        "original JPEG files": Comparison(original, "training"),
        "original JPEG files, side index": Comparison(with_index, "training"),
        "original JPEG files, loose": Comparison(loose(original), "training"),
        "original JPEG files, simplejpeg": Comparison(engine(original, "simplejpeg"), "training"),
        "original JPEG files, Pillow": Comparison(engine(original, "pillow"), "training"),
        "evaluation of original JPEG files": Comparison(original, "evaluation"),
        "evaluation of original JPEG files, side index": Comparison(with_index, "evaluation"),
        **{name: Comparison(item, "training") for name, item in packed.items()},
        "packed JPEG, short side 320, without its side index": Comparison(without_index(jpeg), "training"),
        "packed raw uint8, short side 256, loose": Comparison(loose(raw), "training"),
        **({DALI: Dali(original, "training")} if has_dali() else {}),
    }


def has_dali() -> bool:
    try:
        importlib.import_module("nvidia.dali")
    except ImportError:
        return False
    return True


class Dali(Comparison):
    """DALI's training pipeline for CPUs as its documentation has it, on one thread, its files in the bench's order."""

    def work(self) -> Callable[[list[int]], None]:
        dali = importlib.import_module("nvidia.dali")
        fn, kinds = importlib.import_module("nvidia.dali.fn"), importlib.import_module("nvidia.dali.types")
        bench, files = self.bench, [self.bench.split.name(index) for index in self.bench.indices]
        crop, mean, std = bench.augment.crop, bench.arch.mean, bench.arch.std

        # So that it does nothing while others are timed.
        at_once = {"exec_pipelined": False, "exec_async": False, "exec_dynamic": False}

        @dali.pipeline_def(batch_size=TURN_IMAGES, num_threads=1, device_id=None, **at_once)
        def pipeline() -> Any:
            content, _ = fn.readers.file(files=files)
            area, aspect = tuple(crop.scale), tuple(crop.ratio)
            images = fn.decoders.image_random_crop(content, device="cpu", random_area=area, random_aspect_ratio=aspect)
            images = fn.resize(images, size=(bench.size, bench.size), interp_type=kinds.INTERP_TRIANGULAR)
            levels = {"mean": [255 * value for value in mean], "std": [255 * value for value in std]}
            return fn.crop_mirror_normalize(images, mirror=fn.random.coin_flip(), output_layout="CHW", **levels)

        made = pipeline()
        made.build()
        return lambda _: made.run() and None


def print_costs(costs: list[Cost], rounds: int, images: int) -> None:
    rows = [(cost.name, cost.milliseconds, cost.ratio) for cost in costs]
    columns = {"what": "", "CPU ms per image": ".3f", "times as fast": ".2f"}
    notes = [f"{rounds} rounds over {images} images, medians; {machine_line()}"]
    notes += ["DALI is not installed here"] * (DALI not in {cost.name for cost in costs})
    title = "one thread, beside torchvision's complete pipeline on the original files"
    print(render(Table(title, columns, rows, notes)))


def print_loaders(title: str, costs: list[Cost], images: int) -> None:
    rows = [(cost.name, cost.milliseconds, cost.ratio, cost.wall_rate) for cost in costs]
    columns = {"what": "", "CPU ms per image": ".3f", "times as fast": ".2f", "images/s": ",.0f"}
    notes = [f"5 rounds of {images * PASSES:,} images; CPU of all processes, their start and end included"]
    print()
    print(render(Table(f"whole loaders, original files{title}", columns, rows, notes)))


def bench(folder: Path, images: int) -> Bench:
    data = DataConfig(path=str(folder))
    augment = AugmentConfig(flip=FlipConfig(p=0.5))
    return Bench(read_split(data, "train"), ARCH, augment, data, 224, images)


def indexed(item: Bench, folder: Path, scratch: Path) -> Bench:
    """The same images with a side index, which is made in a cache of its own."""
    cache = {"CNNBENCH_CACHE": str(scratch / "cache")}
    words = ["data", "index", f"data={folder}", "decoder=true", "split=train"]
    command = [sys.executable, "-m", "cnnbench", *words]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | cache)
    (index,) = (scratch / "cache/index").glob(f"{cache_file(folder.resolve(), 'train').name}-decoder")
    return dataclasses.replace(item, split=dataclasses.replace(item.split, side_indices=(Place(index),)))


def without_index(item: Bench) -> Bench:
    return dataclasses.replace(item, split=dataclasses.replace(item.split, side_indices=()))


def loose(item: Bench) -> Bench:
    return dataclasses.replace(item, data=dataclasses.replace(item.data, pixels="loose"))


def engine(item: Bench, name: str) -> Bench:
    return dataclasses.replace(item, data=dataclasses.replace(item.data, engine=name))


def pack(folder: Path, scratch: Path, form: str, short_side: str | None) -> Path:
    output = scratch / form
    words = ["data", "pack", f"data={folder}", f"output={output}", f"form={form}", "splits=[train]"]
    words += [f"short_side={short_side}"] if short_side else []
    subprocess.run([sys.executable, "-m", "cnnbench", *words], check=True, capture_output=True)
    return output


if __name__ == "__main__":
    torch.manual_seed(0)
    np.random.seed(0)
    main()
