"""The operations that policies choose from, on Pillow's images, and how strong each is in each policy.

They are Pillow's, as in the papers' own code; geometry is bilinear over black, as in torchvision's reference scripts.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import Image, ImageEnhance, ImageOps

Effect = Callable[[Image.Image, float], Image.Image]


def _affine(image: Image.Image, *matrix: float) -> Image.Image:
    """The image whose pixel (x, y) is the old one's at (a x + b y + c, d x + e y + f)."""
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


def _enhance(kind: type) -> Effect:
    return lambda image, value: kind(image).enhance(1 + value)


# Name -> effect. Values: shear as a slope; translations by shares of the side, slides by pixels; degrees; a factor less
# 1; bits that stay; the level from which pixels are inverted. The others take none.
EFFECTS: dict[str, Effect] = {
    "identity": lambda image, _: image,
    "shear_x": lambda image, value: _affine(image, 1, value, 0, 0, 1, 0),
    "shear_y": lambda image, value: _affine(image, 1, 0, 0, value, 1, 0),
    "translate_x": lambda image, value: _affine(image, 1, 0, -int(value * image.width), 0, 1, 0),
    "translate_y": lambda image, value: _affine(image, 1, 0, 0, 0, 1, -int(value * image.height)),
    "slide_x": lambda image, value: _affine(image, 1, 0, -int(value), 0, 1, 0),
    "slide_y": lambda image, value: _affine(image, 1, 0, 0, 0, 1, -int(value)),
    "rotate": lambda image, value: image.rotate(value, Image.Resampling.BILINEAR),
    "brightness": _enhance(ImageEnhance.Brightness),
    "color": _enhance(ImageEnhance.Color),
    "contrast": _enhance(ImageEnhance.Contrast),
    "sharpness": _enhance(ImageEnhance.Sharpness),
    "posterize": lambda image, value: ImageOps.posterize(image, int(value)),
    "solarize": lambda image, value: ImageOps.solarize(image, math.ceil(value)),  # of levels, as value
    "autocontrast": lambda image, _: ImageOps.autocontrast(image),
    "equalize": lambda image, _: ImageOps.equalize(image),
    "invert": lambda image, _: ImageOps.invert(image),
}
NUMBERS = {name: number for number, name in enumerate(EFFECTS)}
SIGNED = (
    *("shear_x", "shear_y", "translate_x", "translate_y", "slide_x", "slide_y", "rotate"),
    *("brightness", "color", "contrast", "sharpness"),
)

# Policy -> effect -> its value at the least and at the greatest strength.
_PLAIN = {"autocontrast": (0.0, 0.0), "equalize": (0.0, 0.0)}
_CLASSIC = {
    **dict.fromkeys(("shear_x", "shear_y"), (0.0, 0.3)),
    **dict.fromkeys(("translate_x", "translate_y"), (0.0, 150 / 331)),
    "rotate": (0.0, 30.0),
    **dict.fromkeys(("brightness", "color", "contrast", "sharpness"), (0.0, 0.9)),
    "posterize": (8.0, 4.0),
    "solarize": (255.0, 0.0),
    **_PLAIN,
}
STRENGTHS: dict[str, dict[str, tuple[float, float]]] = {
    "randaugment": {"identity": (0.0, 0.0), **_CLASSIC},
    "autoaugment": {**_CLASSIC, "invert": (0.0, 0.0)},
    "trivialaugment": {
        "identity": (0.0, 0.0),
        **dict.fromkeys(("shear_x", "shear_y"), (0.0, 0.99)),
        **dict.fromkeys(("slide_x", "slide_y"), (0.0, 32.0)),
        "rotate": (0.0, 135.0),
        **dict.fromkeys(("brightness", "color", "contrast", "sharpness"), (0.0, 0.99)),
        "posterize": (8.0, 2.0),
        "solarize": (255.0, 0.0),
        **_PLAIN,
    },
    "augmix": {  # without those that ILSVRC-C tests with
        **dict.fromkeys(("shear_x", "shear_y"), (0.0, 0.3)),
        **dict.fromkeys(("translate_x", "translate_y"), (0.0, 1 / 3)),
        "rotate": (0.0, 30.0),
        "posterize": (4.0, 0.0),
        "solarize": (255.0, 0.0),
        **_PLAIN,
    },
}


def value(policy: str, name: str, strength: float) -> float:
    """The value of effect `name` at a strength in [0, 1], without its sign."""
    least, greatest = STRENGTHS[policy][name]
    exact = least + (greatest - least) * strength
    return float(round(exact)) if name == "posterize" else exact
