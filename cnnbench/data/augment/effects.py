"""The operations that policies choose from, on Pillow's images, and how strong each is in each policy.

They are Pillow's, as in the papers' own code; geometry is bilinear over black, as in torchvision's reference scripts,
unless a policy says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageEnhance, ImageOps

from cnnbench.data.augment.erase import MEAN

Effect = Callable[..., Image.Image]  # (image, value[, form])


@dataclass(frozen=True)
class Form:
    """How an effect of geometry fills what was outside the image, and between which pixels it interpolates."""

    mean: bool = False  # ILSVRC's mean colour; else black
    resampling: Image.Resampling = Image.Resampling.BILINEAR

    def fill(self, image: Image.Image) -> tuple[int, ...] | int | None:
        colour = MEAN[len(image.getbands())]
        return (colour if len(colour) > 1 else colour[0]) if self.mean else None


PLAIN = Form()
FORMS = tuple(
    Form(mean, way) for mean in (False, True) for way in (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
)


def _affine(image: Image.Image, form: Form, *matrix: float) -> Image.Image:
    """The image whose pixel (x, y) is the old one's at (a x + b y + c, d x + e y + f)."""
    return image.transform(image.size, Image.Transform.AFFINE, matrix, form.resampling, fillcolor=form.fill(image))


def _enhance(kind: type) -> Effect:
    return lambda image, value, _=PLAIN: kind(image).enhance(1 + value)


def _posterize(image: Image.Image, value: float, _: Form = PLAIN) -> Image.Image:
    """The `value` highest bits of each level; Pillow refuses to leave none, which the greatest strengths do."""
    return ImageOps.posterize(image, int(value)) if value >= 1 else image.point([0] * 256 * len(image.getbands()))


def _solarize_add(image: Image.Image, value: float, _: Form = PLAIN) -> Image.Image:
    """Levels below 128 are raised by `value`."""
    levels = [min(255, level + int(value)) if level < 128 else level for level in range(256)]
    return image.point(levels * len(image.getbands()))


# Name -> effect. Values: shear as a slope; translations by shares of the side, to whole pixels; shifts likewise, not to
# whole ones; slides by pixels; degrees; a factor less 1; bits that stay; the level from which pixels are inverted;
# levels. The others take none.
EFFECTS: dict[str, Effect] = {
    "identity": lambda image, _, form=PLAIN: image,
    "shear_x": lambda image, value, form=PLAIN: _affine(image, form, 1, value, 0, 0, 1, 0),
    "shear_y": lambda image, value, form=PLAIN: _affine(image, form, 1, 0, 0, value, 1, 0),
    "translate_x": lambda image, value, form=PLAIN: _affine(image, form, 1, 0, -int(value * image.width), 0, 1, 0),
    "translate_y": lambda image, value, form=PLAIN: _affine(image, form, 1, 0, 0, 0, 1, -int(value * image.height)),
    "slide_x": lambda image, value, form=PLAIN: _affine(image, form, 1, 0, -int(value), 0, 1, 0),
    "slide_y": lambda image, value, form=PLAIN: _affine(image, form, 1, 0, 0, 0, 1, -int(value)),
    "rotate": lambda image, value, form=PLAIN: image.rotate(value, form.resampling, fillcolor=form.fill(image)),
    "brightness": _enhance(ImageEnhance.Brightness),
    "color": _enhance(ImageEnhance.Color),
    "contrast": _enhance(ImageEnhance.Contrast),
    "sharpness": _enhance(ImageEnhance.Sharpness),
    "posterize": _posterize,
    "solarize": lambda image, value, form=PLAIN: ImageOps.solarize(image, math.ceil(value)),  # of levels, as value
    "autocontrast": lambda image, _, form=PLAIN: ImageOps.autocontrast(image),
    "equalize": lambda image, _, form=PLAIN: ImageOps.equalize(image),
    "invert": lambda image, _, form=PLAIN: ImageOps.invert(image),
    "shift_x": lambda image, value, form=PLAIN: _affine(image, form, 1, 0, value * image.width, 0, 1, 0),
    "shift_y": lambda image, value, form=PLAIN: _affine(image, form, 1, 0, 0, 0, 1, value * image.height),
    "solarize_add": _solarize_add,
}
NUMBERS = {name: number for number, name in enumerate(EFFECTS)}
SIGNED = (
    *("shear_x", "shear_y", "translate_x", "translate_y", "slide_x", "slide_y", "shift_x", "shift_y", "rotate"),
    *("brightness", "color", "contrast", "sharpness"),
)


def number_of(name: str, form: Form) -> int:
    """An effect and its form in one number, from 0 on."""
    return NUMBERS[name] + len(EFFECTS) * FORMS.index(form)


def applied(number: int, image: Image.Image, value: float) -> Image.Image:
    """`image` after the effect, and in the form, that `number_of` has given `number`."""
    form, effect = divmod(number, len(EFFECTS))
    return list(EFFECTS.values())[effect](image, value, FORMS[form])


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
    "timm": {  # timm/data/auto_augment.py, _RAND_INCREASING_TRANSFORMS and LEVEL_TO_ARG
        **dict.fromkeys(("shear_x", "shear_y"), (0.0, 0.3)),
        **dict.fromkeys(("shift_x", "shift_y"), (0.0, 0.45)),
        "rotate": (0.0, 30.0),
        **dict.fromkeys(("brightness", "color", "contrast", "sharpness"), (0.0, 0.9)),
        "posterize": (4.0, 0.0),
        "solarize": (256.0, 0.0),
        "solarize_add": (0.0, 110.0),
        "invert": (0.0, 0.0),
        **_PLAIN,
    },
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
WHOLE = ("posterize", "solarize", "solarize_add")  # timm rounds what strength changes in them down to whole numbers


def value(policy: str, name: str, strength: float) -> float:
    """The value of effect `name` at a strength in [0, 1], without its sign. `policy`: a key of STRENGTHS."""
    least, greatest = STRENGTHS[policy][name]
    if policy == "timm" and name in WHOLE:
        return least + math.copysign(int(abs(greatest - least) * strength), greatest - least)
    exact = least + (greatest - least) * strength
    return float(round(exact)) if name == "posterize" else exact
