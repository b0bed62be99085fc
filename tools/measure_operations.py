"""Measure the operations on training images: python tools/measure_operations.py [FOLDER OF IMAGES] [--size 224]

Prints CPU microseconds per image, one thread, as Markdown: our form for one image and for a batch beside Pillow's and
torchvision's forms of the same operation. All forms take turns on the same images within each round; a figure is the
median over rounds, a ratio the median of the rounds' ratios to our form for one image. Without a folder, the bundled
images are used, enlarged.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from random import Random

import cv2
import numpy as np
import torch
from PIL import Image, ImageOps
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from cnnbench.config.augment import AugmentConfig, ClaheConfig
from cnnbench.data.augment.operations import OPERATIONS
from cnnbench.data.sample.sample import sample_folder

BATCH = 32
ENDINGS = {".jpeg", ".jpg", ".png"}
Numbers = tuple[float, ...]

PILLOW: dict[str, Callable[[Image.Image, Numbers], Image.Image]] = {
    "flip": lambda image, _: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "rotate": lambda image, numbers: image.rotate(numbers[0], Image.Resampling.BILINEAR),
    "shift": lambda image, numbers: image.crop(_moved(image.width, image.height, numbers)),
    "contrast": lambda image, numbers: ImageOps.autocontrast(image, numbers[0]),
    "equalize": lambda image, _: ImageOps.equalize(image),
}
TORCHVISION: dict[str, Callable[[torch.Tensor, Numbers], torch.Tensor]] = {
    "flip": lambda image, _: tv.horizontal_flip(image),
    "rotate": lambda image, numbers: tv.rotate(image, numbers[0], InterpolationMode.BILINEAR),
    "shift": lambda image, numbers: tv.affine(
        image, 0.0, [round(numbers[0] * image.shape[2]), round(numbers[1] * image.shape[1])], 1.0, [0.0, 0.0]
    ),
    "contrast": lambda image, _: tv.autocontrast(image),  # no percentage: the extremes alone
    "equalize": lambda image, _: tv.equalize(image),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    images = read_images(options.folder, options.size)
    print(
        f"{len(images)} images of {options.size}x{options.size}, {options.rounds} rounds; {platform.machine()}, "
        f"OpenCV {cv2.__version__}, torch {version('torch')}, torchvision {version('torchvision')}, "
        f"Pillow {version('pillow')}\n"
    )
    print("| operation | one image, us | batch of 32, us | Pillow, us | torchvision uint8, us |\n|---|---|---|---|---|")
    configs = [(name, name, getattr(AugmentConfig(), name)) for name in OPERATIONS]
    configs.append(("clahe, each channel", "clahe", ClaheConfig(channels="each")))
    for title, name, config in configs:
        random = Random(0)
        numbers = [OPERATIONS[name].draw(config, random) for _ in images]
        print(f"| {title} | " + " | ".join(row(name, images, numbers, options.rounds)) + " |", flush=True)


def row(name: str, images: list[np.ndarray], numbers: list[Numbers], rounds: int) -> list[str]:
    """The cells of one operation."""
    tensors = [torch.from_numpy(image).permute(2, 0, 1).contiguous() for image in images]
    batches = list(torch.stack(tensors).split(BATCH))
    rows = list(torch.tensor(numbers, dtype=torch.float64).split(BATCH))
    forms = [(OPERATIONS[name].apply, images, numbers), (OPERATIONS[name].apply_batch, batches, rows)]
    if name in PILLOW:
        forms.append((PILLOW[name], [Image.fromarray(image) for image in images], numbers))
        forms.append((TORCHVISION[name], tensors, numbers))
    times = [[microseconds(*form) / len(images) for form in forms] for _ in range(rounds + 1)][1:]  # the first warms up
    cells = [f"{statistics.median(column):.0f}" for column in zip(*times, strict=True)]
    for place in range(1, len(cells)):
        cells[place] += f" ({statistics.median(each[place] / each[0] for each in times):.1f}x)"
    return cells + ["-"] * (4 - len(cells))


def microseconds(form: Callable, images: list, numbers: list) -> float:
    """CPU time of `form` on all images."""
    start = time.process_time()
    for image, drawn in zip(images, numbers, strict=True):
        form(image, drawn)
    return (time.process_time() - start) * 1e6


def read_images(folder: Path | None, size: int) -> list[np.ndarray]:
    """64 images, uint8 (size, size, 3)."""
    root = folder or sample_folder() / "val"
    files = sorted(file for file in root.rglob("*") if file.suffix.lower() in ENDINGS)
    chosen = files[:: max(len(files) // 64, 1)][:64]
    return [np.array(Image.open(file).convert("RGB").resize((size, size))) for file in chosen]


def _moved(width: int, height: int, numbers: Numbers) -> tuple[int, int, int, int]:
    right, down = round(numbers[0] * width), round(numbers[1] * height)
    return -right, -down, width - right, height - down


if __name__ == "__main__":
    main()
