"""`cnnbench data stats`: mean and standard deviation of each channel, and sizes, of the training images."""

from __future__ import annotations

from functools import partial

import numpy as np

from cnnbench.config.data_commands import StatsConfig
from cnnbench.data.commands.fenced import map_fenced, refuse
from cnnbench.data.decode.reference import evaluation_image, read_image
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.runtime.shell import counted

Sums = tuple[
    int, list[int], list[int], tuple[int, int]
]  # pixels, sums and sums of squares per channel, the image's size


def stats(config: StatsConfig) -> None:
    """Print mean and standard deviation (R, G, B), in [0, 1], over all pixels of the split; sums are exact integers."""
    split = read_split(config.data, config.split)
    work = partial(image_sums, split, config)
    sums = list(map_fenced(work, refuse, split, range(len(split)), config.workers, f"reading {config.split}"))
    mean, std = mean_and_std(sums)
    sizes = np.array([size for *_, size in sums])
    counts = np.bincount(split.labels, minlength=len(split.classes))
    short = round(config.image_size / config.crop_ratio)
    crop = f"the centre crop of {config.image_size} from short side {short}, {config.interpolation}, antialiased"
    print(f"{config.split}: {counted(len(split), 'image')} of {config.data.path} ({split.storage.form})")
    print(f"  classes     {len(counts):,}, {counts.min():,} to {counts.max():,} images in each")
    print(f"  width       {sizes[:, 0].min()} to {sizes[:, 0].max()} pixels, mean {sizes[:, 0].mean():.1f}")
    print(f"  height      {sizes[:, 1].min()} to {sizes[:, 1].max()} pixels, mean {sizes[:, 1].mean():.1f}")
    print(f"over {'whole images' if config.area == 'whole' else crop}, {sum(pixels for pixels, *_ in sums):,} pixels:")
    for name, values in (("mean", mean), ("std", std)):
        print(f"  arch.{name}=[{','.join(f'{value:.5f}' for value in values)}]")


def image_sums(split: Split, config: StatsConfig, index: int) -> Sums:
    """The integer sums over one image, as RGB."""
    image = read_image(split.read(index), split.name(index), split.max_megapixels)
    size = image.size
    if config.area == "center":
        image = evaluation_image(image, config.image_size, config.crop_ratio, config.interpolation)
    values = np.arange(256)
    counts = np.array(image.histogram()).reshape(3, 256)  # exact, and in a third of the time of sums over the pixels
    return image.width * image.height, (counts @ values).tolist(), (counts @ values**2).tolist(), size


def mean_and_std(sums: list[Sums]) -> tuple[list[float], list[float]]:
    """Of each channel, in [0, 1]; the standard deviation is that of all pixels together."""
    pixels = sum(count for count, *_ in sums)
    mean, std = [], []
    for channel in range(3):
        total = sum(sums_of_one[1][channel] for sums_of_one in sums)
        squares = sum(sums_of_one[2][channel] for sums_of_one in sums)
        mean.append(total / pixels / 255)
        std.append((pixels * squares - total**2) ** 0.5 / pixels / 255)
    return mean, std
