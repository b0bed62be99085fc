"""Adaptive equalisation: contrast limited adaptive histogram equalisation, CLAHE (Zuiderveld 1994, Graphics Gems IV).

Each tile of a grid has its own table of new levels, made from its histogram, cut off at a limit; a pixel takes the
bilinear mean of the tables of the four nearest tiles. The rule is OpenCV's to the last bit, in both forms.

Numbers: the limit (multiples of the mean count per level), tiles along each side, and 1 for each channel on its own or
0 for the luma alone. The last two are the same for all images of a batch.
"""

from __future__ import annotations

from random import Random

import numpy as np
import torch

from cnnbench.config.augment import ClaheConfig
from cnnbench.data.augment.levels import count
from cnnbench.data.augment.operation import Operation
from cnnbench.data.decode.opencv import cv2
from cnnbench.runtime.devices import to_device


def draw(clahe: ClaheConfig, random: Random) -> tuple[float, float, float]:
    return clahe.clip_limit, float(clahe.grid), float(clahe.channels == "each")


def apply(image: np.ndarray, numbers: tuple[float, float, float]) -> np.ndarray:
    limit, grid, each = numbers
    clahe = cv2.createCLAHE(limit, (int(grid), int(grid)))
    if each or image.shape[2] == 1:
        return cv2.merge([clahe.apply(plane) for plane in cv2.split(image)]).reshape(image.shape)
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    change = cv2.subtract(clahe.apply(luma), luma, dtype=cv2.CV_16S)
    # The same change of R, G and B leaves both colour differences as they are, without their rounding.
    return cv2.add(image, cv2.merge([change] * 3), dtype=cv2.CV_8U)


def apply_batch(images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    grid, each = int(numbers[0, 1]), bool(numbers[0, 2])
    limits = numbers[:, 0].double()
    if each or images.shape[1] == 1:
        planes, limits = images.flatten(0, 1), limits.repeat_interleave(images.shape[1])
        return equalize_tiles(planes, limits, grid).view(images.shape)
    luma = luma_of(images)
    change = equalize_tiles(luma, limits, grid).short() - luma
    return (images + change.unsqueeze(1)).clamp(0, 255).to(torch.uint8)


def luma_of(images: torch.Tensor) -> torch.Tensor:
    """ITU-R 601 luma, uint8 (N, H, W), of images uint8 (N, 3, H, W), with OpenCV's weights in 1/32768."""
    red, green, blue = images.int().unbind(1)
    return ((red * 9798 + green * 19235 + blue * 3735 + 16384) >> 15).to(torch.uint8)


def equalize_tiles(planes: torch.Tensor, limits: torch.Tensor, grid: int) -> torch.Tensor:
    """CLAHE of `planes`, uint8 (M, H, W), with a limit for each, float64 (M,) on the CPU."""
    height, width = planes.shape[1:]
    padded, tile_height, tile_width = pad(planes, grid)
    area = tile_height * tile_width
    cut = to_device((limits * area / 256).long().clamp(min=1), planes.device)
    tables = tile_tables(tile_counts(padded, grid), cut, area)  # (M, tiles x 256)
    top, bottom, down = neighbours(height, tile_height, grid, planes.device)
    left, right, across = neighbours(width, tile_width, grid, planes.device)
    values = planes.flatten(1).long()

    def level(row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
        tile = row[:, None] * grid + column
        return tables.gather(1, (tile * 256).flatten() + values).view(planes.shape)

    upper = level(top, left) * (1 - across) + level(top, right) * across
    lower = level(bottom, left) * (1 - across) + level(bottom, right) * across
    down = down[:, None]
    return (upper * (1 - down) + lower * down).round_().to(torch.uint8)


def pad(planes: torch.Tensor, grid: int) -> tuple[torch.Tensor, int, int]:
    """`planes` mirrored beyond their right and lower edges up to whole tiles, and height and width of a tile."""
    height, width = planes.shape[1:]
    if height % grid or width % grid:  # OpenCV adds a whole row of pixels per tile to a side that needs none
        height, width = height + grid - height % grid, width + grid - width % grid
    for axis, length in ((1, height), (2, width)):
        last = planes.shape[axis] - 1
        turn = torch.arange(length, device=planes.device) % max(2 * last, 1)
        planes = planes.index_select(axis, torch.minimum(turn, 2 * last - turn))
    return planes, height // grid, width // grid


def tile_counts(padded: torch.Tensor, grid: int) -> torch.Tensor:
    """Histograms, int64 (M, grid x grid, 256), of the tiles of planes that consist of whole tiles."""
    height, width = padded.shape[1:]
    row = torch.arange(height, device=padded.device) // (height // grid)
    column = torch.arange(width, device=padded.device) // (width // grid)
    bins = (row[:, None] * grid + column) * 256 + padded
    return count(bins.flatten(1), grid * grid * 256).unflatten(1, (grid * grid, 256))


def tile_tables(counts: torch.Tensor, cut: torch.Tensor, area: int) -> torch.Tensor:
    """New levels, float32 (M, tiles x 256), from histograms int64 (M, tiles, 256) with at most `cut` (M,) per level."""
    cut = cut.view(-1, 1, 1)
    excess = (counts - cut).clamp(min=0).sum(-1, keepdim=True)
    rest = excess % 256  # spread over levels at even steps
    levels = torch.arange(256, device=counts.device)
    step = (256 // rest.clamp(min=1)).clamp(min=1)
    counts = counts.minimum(cut) + excess // 256 + ((levels % step == 0) & (levels // step < rest))
    scale = float(np.float32(255) / np.float32(area))
    return (counts.cumsum(-1).float() * scale).round_().clamp_(0, 255).flatten(1)


def neighbours(
    length: int, tile: int, grid: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """For each pixel of a side: the tile whose centre lies before it, the next one, and the next one's weight."""
    place = torch.arange(length, device=device, dtype=torch.float32) * float(np.float32(1) / np.float32(tile)) - 0.5
    before = place.floor()
    return before.long().clamp(min=0), (before.long() + 1).clamp(max=grid - 1), place - before


CLAHE = Operation(3, draw, apply, apply_batch)
