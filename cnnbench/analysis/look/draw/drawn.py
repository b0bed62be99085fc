"""A drawn picture, and what all of them have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from PIL import Image

from cnnbench.analysis.report import style
from cnnbench.analysis.tables import Table

HEAT = "cividis"  # the same order of lightness in colour, in grey and to the colour-blind
LINE, SECOND = "#0072B2", "#D55E00"  # of Okabe and Ito's colours
STRETCHED = 0.99  # share of the amounts that are not zero up to which a picture of signed pixels is stretched
LONG = 300  # ratio of the ends of a logarithmic axis from which on powers of ten are enough
NEAREST_UP_TO = 64  # pixels: larger pictures are drawn smoothly


@dataclass(frozen=True)
class Drawn:
    """`name`: of its files; `caption`: what it shows, and how to read it; `table`: its figures, kept as CSV."""

    name: str
    title: str
    figure: Figure
    caption: str
    table: Table | None = None


def show_pixels(axes: Axes, pixels: np.ndarray, title: str = "", frame: bool = False) -> None:
    """`pixels` (H, W), (H, W, 1) or (H, W, 3), uint8 or float from 0 to 1; with `frame` its axes count pixels."""
    axes.grid(visible=False)
    axes.imshow(
        pixels.squeeze(2) if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels,
        cmap="gray",
        vmin=0,
        vmax=255 if pixels.dtype == np.uint8 else 1,
        interpolation=interpolation(len(pixels)),
    )
    if title:
        axes.set_title(title)
    if frame:
        axes.set(xlabel="column (pixels)", ylabel="row (pixels)")
    else:
        bare(axes)


def bare(axes: Axes) -> None:
    """Without ticks and frame: a picture that is not measured."""
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def beside_image(pixels: np.ndarray, count: int, columns: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with the image first, and the `count` bare panels behind it, in rows of `height` inches."""
    rows = -(-(count + 1) // columns)
    figure = style.new_figure(height * rows)
    first, *others = figure.subplots(rows, columns, squeeze=False).ravel()
    show_pixels(first, pixels)
    first.set_title("the image", fontsize=9, pad=3)
    for axes in others:
        bare(axes)
    return figure, others[:count]


def scale(axes: Axes) -> None:
    """The vertical axis of lines that are drawn: logarithmic over a decade and more, else from zero."""
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.get_lines()])
    if values.min() > 0 and values.max() > 10 * values.min():
        axes.set_yscale("log")
        logarithmic(axes.yaxis)
    else:
        axes.set_ylim(0, 1.1 * max(values.max(), 1e-30))


def logarithmic(axis: Axis) -> None:
    """A logarithmic axis with plain numbers, at least some of them also on a short one."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1,) if high > LONG * low else (1, 2, 5), numticks=8))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def interpolation(side: int) -> str:
    """Small pictures keep their pixels visible."""
    return "nearest" if side <= NEAREST_UP_TO else "antialiased"


def signed(pixels: torch.Tensor) -> np.ndarray:
    """Signed pixels (C, H, W) as a picture (H, W, C) from 0 to 1: zero is mid grey, large amounts 0 or 1."""
    image = pixels.double().cpu().numpy().transpose(1, 2, 0)
    amounts = np.abs(image[image != 0])
    if not len(amounts):
        return np.full_like(image, 0.5)
    return (0.5 + 0.5 * image / np.quantile(amounts, STRETCHED)).clip(0, 1)


def lit(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """`pixels` uint8 (H, W, C), dark where `heat` (H, W), from 0 to 1, is low: (H, W, C) from 0 to 1."""
    return pixels / 255 * (0.15 + 0.85 * heat[:, :, None])


def enlarged(heat: torch.Tensor, side: int) -> np.ndarray:
    """A map (h, w), bilinearly enlarged to the image's `side`, from 0 to 1: negative values are 0."""
    whole = torch.nn.functional.interpolate(heat[None, None].double(), (side, side), mode="bilinear")[0, 0]
    heights = whole.clamp(min=0).cpu().numpy()
    return heights / heights.max() if heights.max() > 0 else heights


def tile_sheet(tiles: Sequence[np.ndarray], columns: int, side: int = 128, gap: int = 6) -> np.ndarray:
    """Pictures (H, W, C) of any size, from 0 to 1 or uint8, in rows of squares of `side` pixels, white between."""
    rows = -(-len(tiles) // columns)
    sheet = np.ones((rows * (side + gap) - gap, columns * (side + gap) - gap, 3))
    for number, tile in enumerate(tiles):
        top, left = (part * (side + gap) for part in divmod(number, columns))
        sheet[top : top + side, left : left + side] = _square(tile, side)
    return sheet


def _square(tile: np.ndarray, side: int) -> np.ndarray:
    """`tile` scaled, its shape kept, into the middle of a white square."""
    levels = tile if tile.dtype == np.uint8 else np.round(255 * tile.clip(0, 1)).astype(np.uint8)
    image = Image.fromarray(levels.squeeze(2) if levels.shape[2] == 1 else levels).convert("RGB")
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    image = image.resize(size, Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS)
    square = np.ones((side, side, 3))
    top, left = (side - image.height) // 2, (side - image.width) // 2
    square[top : top + image.height, left : left + image.width] = np.asarray(image) / 255
    return square


def short(name: str, most: int = 28) -> str:
    """A class's name, cut where it is long."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def told(percent: float) -> str:
    """A probability in percent to a tenth, where that is not 0 or 100."""
    rounded = f"{percent:.1f}"
    if rounded == "0.0" and percent > 0:
        return "< 0.1"
    return "> 99.9" if rounded == "100.0" and percent < 100 else rounded
