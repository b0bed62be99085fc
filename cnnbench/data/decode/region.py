"""Parts of an image, named before anything is decoded; then that part, and no more, decoded and resized.

Resizing is antialiased, to within a level of 255 as Pillow does it in the field's reference evaluations.
"""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np
import torch

from cnnbench.data.decode.opencv import cv2
from cnnbench.data.decode.picture import Picture, resize_pixels
from cnnbench.data.decode.resize import Resize

RESIZE = {"bilinear": torch.ops.aten._upsample_bilinear2d_aa, "bicubic": torch.ops.aten._upsample_bicubic2d_aa}
SUPPORT = {"bilinear": 1.0, "bicubic": 2.0}  # half the width of the filter, in pixels of the coarser side
NOT_WRITABLE = "The given NumPy array is not writable"  # torch only reads them here
warnings.filterwarnings("ignore", message=NOT_WRITABLE)


class Box(NamedTuple):
    """A rectangle of the image, in its own pixels, that is resized to a square of `size`."""

    left: int
    top: int
    width: int
    height: int
    size: int


class Window(NamedTuple):
    """A square of `size` pixels at (left, top) of the image after that was resized to `width` x `height`; black where
    it reaches beyond that."""

    width: int
    height: int
    left: int
    top: int
    size: int

    @property
    def beyond(self) -> bool:
        return self.left < 0 or self.top < 0


class Padded(NamedTuple):
    """A window moved right and down by whole pixels: a square of the window with a border around it.

    `colour`: the border's in each channel, levels; None: the window mirrored at its edge, which is not repeated.
    """

    window: Window
    right: int
    down: int
    colour: tuple[int, int, int] | None


Part = Box | Window | Padded


def central_window(width: int, height: int, size: int, crop_ratio: float) -> Window:
    """The central square of `size` after the short side was resized to size / crop_ratio: the centre-crop protocol. A
    ratio above 1 puts the image in a field that is wider than it."""
    width, height = scaled(width, height, round(size / crop_ratio))
    return Window(width, height, _middle(width - size), _middle(height - size), size)


def _middle(room: int) -> int:
    """As torchvision's CenterCrop rounds it, whose border is the smaller half on the left."""
    return round(room / 2) if room > 0 else int(room / 2)


def scaled(width: int, height: int, short: int) -> tuple[int, int]:
    """Width and height after the short side was resized to `short`; the long side is rounded down."""
    return (short, int(short * height / width)) if width <= height else (int(short * width / height), short)


def cut(
    picture: Picture,
    part: Part,
    interpolation: str,
    loose: bool = False,
    out: np.ndarray | None = None,
    mirrored: bool = False,
) -> np.ndarray:
    """The pixels of `part`, uint8 (size, size, C); `loose`: a box is resized without antialiasing; `mirrored`: left to
    right, in the end.

    They are written into `out`, (size, size, C'), where that is given and a part with C = C' channels is resized.
    """
    wanted = None if loose or picture.resize is None else at_once(picture, part, interpolation, mirrored)
    pixels = None if wanted is None or picture.resize is None else picture.resize(wanted, out)
    if pixels is not None:
        return pixels
    pixels = fitted(picture.region(*rectangle(picture, part, interpolation)), picture, part, interpolation, loose, out)
    return _three(cv2.flip(pixels, 1)) if mirrored else pixels


def at_once(picture: Picture, part: Part, interpolation: str, mirrored: bool = False) -> Resize | None:
    """`part` as one resize of a domain of the picture; None where it is none."""
    if isinstance(part, Padded) or (isinstance(part, Window) and part.beyond):
        return None
    size = part.size
    if isinstance(part, Box):
        domain, scale = (part.left, part.top, part.width, part.height), (part.width / size, part.height / size)
        return Resize(*domain, *scale, 0, 0, size, size, interpolation, mirrored)
    scale = picture.width / part.width, picture.height / part.height
    return Resize(0, 0, picture.width, picture.height, *scale, part.left, part.top, size, size, interpolation, mirrored)


def rectangle(picture: Picture, part: Part, interpolation: str) -> tuple[int, int, int, int]:
    """Left, top, width and height of the pixels that `part` needs; below and right of a window, and beyond the reach of
    the filter, nothing is."""
    if isinstance(part, Padded):
        return rectangle(picture, part.window, interpolation)
    if isinstance(part, Box):
        return part.left, part.top, part.width, part.height
    if part.beyond:
        return 0, 0, picture.width, picture.height
    if (part.width, part.height) == (picture.width, picture.height):
        return part.left, part.top, part.size, part.size
    reach = SUPPORT[interpolation]
    width = _needed(part.left + part.size, picture.width / part.width, reach)
    height = _needed(part.top + part.size, picture.height / part.height, reach)
    return 0, 0, min(picture.width, width), min(picture.height, height)


def _needed(outputs: int, scale: float, reach: float) -> int:
    """How many pixels the first `outputs` of a resized side are made of, at `scale` pixels per output."""
    needed = math.ceil(outputs * scale + reach * max(scale, 1)) + 1
    return needed + 1 if needed == outputs else needed  # equal numbers are no resize to torch: see `fitted`


def fitted(
    pixels: np.ndarray,
    picture: Picture,
    part: Part,
    interpolation: str,
    loose: bool = False,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """The pixels of the rectangle of `part`, resized and cut to uint8 (size, size, C), in `out` as `cut` says."""
    if isinstance(part, Padded):
        inside = fitted(pixels, picture, part.window, interpolation, loose)
        return _bordered(inside, part)
    size = part.size
    out = out if out is not None and out.shape[2] == pixels.shape[2] else None
    if isinstance(part, Window):
        if part.beyond:
            return _in_black(resized(pixels, part.width, part.height, interpolation), part)
        if (part.width, part.height) == (picture.width, picture.height):
            return pixels
        scale = part.width / picture.width, part.height / picture.height
        # One output more where there are as many as pixels, which torch takes for no resize, whatever the scale.
        right = part.left + size + (part.left + size == pixels.shape[1] < part.width)
        bottom = part.top + size + (part.top + size == pixels.shape[0] < part.height)
        whole = resized(pixels, right, bottom, interpolation, scale)
        return whole[part.top : part.top + size, part.left : part.left + size]
    if loose:
        return _three(cv2.resize(pixels, (size, size), dst=out, interpolation=cv2.INTER_LINEAR))
    return resized(pixels, size, size, interpolation, out=out)


def _in_black(image: np.ndarray, window: Window) -> np.ndarray:
    """The window of a resized image (H, W, C) that does not fill it."""
    square = np.zeros((window.size, window.size, image.shape[2]), np.uint8)
    across, down = max(-window.left, 0), max(-window.top, 0)  # where the image begins in it
    inside = image[max(window.top, 0) :, max(window.left, 0) :][: window.size - down, : window.size - across]
    square[down : down + inside.shape[0], across : across + inside.shape[1]] = inside
    return square


def _bordered(inside: np.ndarray, part: Padded) -> np.ndarray:
    size, channels = part.window.size, inside.shape[2]
    top, bottom, left, right = (max(moved, 0) for moved in (part.down, -part.down, part.right, -part.right))
    if part.colour is None:
        wide = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_REFLECT_101)
    else:
        colour = part.colour if channels == 3 else (round(sum(part.colour) / 3),)
        wide = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_CONSTANT, value=colour)
    return _three(wide)[bottom : bottom + size, right : right + size]


def resized(
    pixels: np.ndarray,
    width: int,
    height: int,
    interpolation: str,
    scale: tuple[float, float] | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Pixels uint8 (H, W, C) resized, antialiased, to (height, width, C).

    `scale`: output over input pixels, across and down, where `pixels` and the output are the upper left parts of more.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    wide, high = pixels.shape[1::-1]
    x_pitch, y_pitch = (wide / width, high / height) if scale is None else (1 / scale[0], 1 / scale[1])
    done = resize_pixels(pixels, Resize(0, 0, wide, high, x_pitch, y_pitch, 0, 0, width, height, interpolation), out)
    if done is not None:
        return done
    # In this order the strides say channels last, for which torch's kernel is 1.7 times as fast.
    batch = _batch_of_one(np.ascontiguousarray(pixels))
    across, down = scale if scale is not None else (None, None)
    resize = RESIZE[interpolation]
    if out is not None:
        resize.out(batch, [height, width], False, down, across, out=_batch_of_one(out))
        return out
    return resize(batch, [height, width], False, down, across)[0].permute(1, 2, 0).numpy()


def _batch_of_one(pixels: np.ndarray) -> torch.Tensor:
    """(H, W, C) -> (1, C, H, W) of the same memory."""
    return torch.from_numpy(pixels)[None].permute(0, 3, 1, 2)


def _three(pixels: np.ndarray) -> np.ndarray:
    """(H, W, C): OpenCV drops the last axis where C is 1."""
    return pixels if pixels.ndim == 3 else pixels[:, :, None]
