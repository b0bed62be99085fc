"""How far the pixels of training and evaluation images are from the reference form, in decibels.


    python tools/measure_pixels.py FOLDER            # class folders, as FOLDER/train/CLASS/FILE

The reference is Pillow's: the whole image decoded, the crop cut out, resized with antialiasing to 224.
"""

from __future__ import annotations

import sys
from random import Random

import numpy as np
from PIL import Image

from cnnbench.analysis.tables import Table, render
from cnnbench.config.augment import CropConfig
from cnnbench.config.data import DataConfig
from cnnbench.data.augment.crop import random_box
from cnnbench.data.decode.engines import choose_engine, make_engine
from cnnbench.data.decode.picture import open_picture
from cnnbench.data.decode.reference import evaluation_image, read_image
from cnnbench.data.decode.region import Box, central_window, cut
from cnnbench.data.layouts.read import read_split
from cnnbench.data.loading.transform import in_channels

SIZE, CROP_RATIO, INTERPOLATION = 224, 0.875, "bilinear"


def main(folder: str) -> None:
    split = read_split(DataConfig(path=folder), "train")
    name = choose_engine("auto")
    engines = {False: make_engine(name), True: make_engine(name, loose=True)}
    found: dict[str, list[float]] = {"training boxes, exact": [], "evaluation, exact": [], "training boxes, loose": []}
    for index in range(len(split)):
        content = split.read(index)
        image = read_image(content, split.name(index))
        box = Box(*random_box(image.width, image.height, CropConfig(), Random(index)), SIZE)
        edges = (box.left, box.top, box.left + box.width, box.top + box.height)
        expected = image.crop(edges).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        for loose, title in ((False, "training boxes, exact"), (True, "training boxes, loose")):
            picture = open_picture(content, split.name(index), engines[loose])
            found[title].append(decibels(cut(picture, box, INTERPOLATION, loose), expected))
        picture = open_picture(content, split.name(index), engines[False])
        window = central_window(picture.width, picture.height, SIZE, CROP_RATIO)
        expected = evaluation_image(image, SIZE, CROP_RATIO, INTERPOLATION)
        found["evaluation, exact"].append(decibels(cut(picture, window, INTERPOLATION), expected))
    rows = []
    for title, values in found.items():
        worst = sorted(values)[: max(1, len(values) // 20)]
        rows.append((title, float(np.mean(values)), float(np.mean(worst)), worst[0]))
    columns = {"what": "", "mean dB": ".1f", "mean of the worst 5 %": ".1f", "worst": ".1f"}
    print(render(Table(f"PSNR, {len(split)} images of {folder}, engine {name}", columns, rows)))


def decibels(pixels: np.ndarray, expected: Image.Image) -> float:
    """PSNR between uint8 images; 99 where they are the same."""
    error = np.mean((in_channels(pixels, 3).astype(float) - np.asarray(expected)) ** 2)
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


if __name__ == "__main__":
    main(sys.argv[1])
