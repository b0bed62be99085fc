"""Parts of an image against torchvision and Pillow; boxes against what they claim."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from photos import encoded, mosaic
from PIL import Image
from torchvision.transforms import v2

from cnnbench.config.arch import ArchConfig
from cnnbench.config.augment import CropConfig
from cnnbench.data.augment.crop import distorted_box, random_box, random_sized_box, training_part
from cnnbench.data.decode import region
from cnnbench.data.decode.engines import make_engine
from cnnbench.data.decode.picture import Picture, from_pixels, open_picture
from cnnbench.data.decode.region import Box, Part, Window, central_window, cut, rectangle, resized


@pytest.fixture(scope="module")
def photo(sample) -> Image.Image:
    return mosaic(sample, 301, 203)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.mean((one.astype(float) - other) ** 2)
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


def arch(crop_ratio: float) -> ArchConfig:
    return ArchConfig(name="resnet50", crop_ratio=crop_ratio, mean=[0.485, 0.456, 0.406])


def picture(image: Image.Image) -> Picture:
    return from_pixels(np.asarray(image))


@pytest.mark.parametrize("shape", [(101, 67), (67, 101), (64, 64), (33, 90), (28, 28), (300, 200)])
@pytest.mark.parametrize(("size", "ratio"), [(32, 0.875), (37, 0.875), (56, 1.0), (28, 1.0), (32, 32 / 28), (45, 1.25)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_central_crop_is_torchvisions_to_rounding(photo, shape, size, ratio, interpolation):
    image = photo.resize(shape)
    resize = v2.Resize(round(size / ratio), getattr(v2.InterpolationMode, interpolation.upper()))
    expected = np.asarray(v2.CenterCrop(size)(resize(image))).astype(int)  # which fills a wider field with black
    part = central_window(*image.size, size, ratio)
    got = cut(picture(image), part, interpolation)
    assert np.array_equal(cut(picture(image), part, interpolation, mirrored=True), got[:, ::-1])
    assert got.shape == (size, size, 3)
    assert (
        np.abs(got - expected).max() <= {"bilinear": 2, "bicubic": 4}[interpolation]
    )  # each rounds between its passes
    assert psnr(got, expected) > 50


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_what_a_window_does_not_decode_does_not_matter(photo, interpolation):
    content = encoded(photo, quality=90)
    image = open_picture(content, "x", make_engine("pillow"))
    pixels = image.region(0, 0, 301, 203)
    for left, top, width, height in ((10, 3, 100, 67), (0, 0, 301, 203), (5, 90, 433, 292), (60, 0, 120, 81)):
        part = Window(width, height, left, top, 32)
        whole = resized(pixels, width, height, interpolation)[top : top + 32, left : left + 32]
        assert np.array_equal(cut(image, part, interpolation), whole)
        _, _, wide, high = rectangle(image, part, interpolation)
        assert wide * high < 301 * 203


@pytest.mark.parametrize(("interpolation", "support"), [("bilinear", 1), ("bicubic", 2)])
def test_no_pixel_within_the_filters_reach_is_missing(interpolation, support):
    """At a tenth of the size the filter is wide, and white beyond the window shows every pixel that it would lack:
    `support` output pixels on either side, 2 for a cubic (Keys 1981), 1 for the triangle of bilinear."""
    pixels = np.zeros((480, 640, 3), np.uint8)
    right = bottom = 260  # behind the last pixel of the window, in pixels of the image
    pixels[bottom:], pixels[:, right:] = 255, 255
    image, part = from_pixels(pixels), region.Window(64, 48, 10, 10, 16)
    whole = region.resized(pixels, 64, 48, interpolation)[10:26, 10:26]
    assert np.array_equal(region.cut(image, part, interpolation), whole)
    _, _, wide, high = region.rectangle(image, part, interpolation)
    assert max(wide, high) <= 260 + support * 10 + 1, "and few are decoded for nothing"


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_a_window_is_cut_from_the_whole_resized_image_at_every_width(interpolation):
    """Also where as many pixels are needed as come out, which torch takes for no resize (at 224 pixels: images
    253 pixels wide, by the triangle, and 252, by the cubic)."""
    random = np.random.default_rng(0)
    for width in range(40, 100):
        pixels = random.integers(0, 256, (width + 9, width, 3), np.uint8)
        window = central_window(width, width + 9, 56, 0.875)
        whole = resized(pixels, window.width, window.height, interpolation)
        expected = whole[window.top : window.top + 56, window.left : window.left + 56]
        assert (cut(from_pixels(pixels), window, interpolation) == expected).all(), width


def test_random_boxes_are_pillows_crop_and_resize(photo):
    draw, qualities = Random(0), []
    for _ in range(40):
        box = Box(*random_box(301, 203, CropConfig(), draw), 64)
        edges = (box.left, box.top, box.left + box.width, box.top + box.height)
        expected = np.asarray(photo.crop(edges).resize((64, 64), Image.Resampling.BILINEAR))
        got = cut(picture(photo), box, "bilinear")
        assert np.abs(got.astype(int) - expected).max() <= 2
        qualities.append(psnr(got, expected))
    assert np.mean(qualities) > 50
    assert min(qualities) > 40


def test_loose_boxes_differ_where_they_shrink(photo):
    small, large = Box(9, 5, 60, 50, 64), Box(0, 0, 300, 200, 64)
    image = picture(photo)
    one, other = cut(image, small, "bilinear", loose=True), cut(image, small, "bilinear")
    assert np.abs(one.astype(int) - other).max() <= 1, "nothing is antialiased where nothing shrinks"
    assert not np.array_equal(cut(image, large, "bilinear", loose=True), cut(image, large, "bilinear"))


def test_grey_pixels_stay_grey(photo):
    grey = np.asarray(photo.convert("L"))[:, :, None]
    for part in (Box(0, 0, 40, 40, 64), Box(0, 0, 200, 200, 64), central_window(301, 203, 64, 0.875)):
        for loose in (False, True):
            assert cut(from_pixels(grey), part, "bilinear", loose).shape == (64, 64, 1)


def test_random_boxes_follow_their_ranges():
    config, random = CropConfig(scale=[0.2, 0.6], ratio=[0.5, 2.0]), Random(0)
    boxes = np.array([random_box(300, 200, config, random) for _ in range(4000)])
    left, top, width, height = boxes.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (left + width <= 300).all()
    assert (top + height <= 200).all()
    area, aspect = width * height / 60000, width / height
    assert 0.19 < area.min() < 0.22
    assert 0.55 < area.max() < 0.61
    assert 0.49 < aspect.min() < 0.55
    assert 1.9 < aspect.max() < 2.05


def test_random_box_that_never_fits_is_the_largest_central_one():
    config = CropConfig(scale=[1.0, 1.0], ratio=[3 / 4, 4 / 3])
    assert random_box(1000, 10, config, Random(0)) == (493, 0, 13, 10)
    assert random_box(10, 1000, config, Random(0)) == (0, 493, 10, 13)
    assert random_box(1, 1, config, Random(0)) == (0, 0, 1, 1)


def test_random_sized_boxes_are_fb_resnet_torchs():
    """The aspect is uniform and turned half of the time: of [1/2, 2] beyond 3/2, or below 2/3, in 4/9 of the boxes, not
    in the 0.415 of a uniform logarithm. What never fits is the central square."""
    config, random = CropConfig(kind="random_sized", scale=[0.05, 0.2], ratio=[0.5, 2.0]), Random(0)
    boxes = np.array([random_sized_box(4000, 4000, config, random) for _ in range(20_000)])
    aspect, area = boxes[:, 2] / boxes[:, 3], boxes[:, 2] * boxes[:, 3] / 4000**2
    assert np.mean((aspect > 1.5) | (aspect < 1 / 1.5)) == pytest.approx(4 / 9, abs=0.012)
    assert np.mean(aspect > 1) == pytest.approx(0.5, abs=0.012)
    assert np.quantile(area, [0.01, 0.5, 0.99]) == pytest.approx([0.0515, 0.125, 0.1985], abs=0.002)
    never = CropConfig(kind="random_sized", scale=[1.0, 1.0])
    assert random_sized_box(1000, 10, never, random) == (495, 0, 10, 10)
    assert random_sized_box(10, 1000, never, random) == (0, 495, 10, 10)


@pytest.mark.parametrize(
    ("shape", "area", "spread", "height"),
    [((500, 375), 0.3877, 0.2075, 255.8), ((333, 500), 0.3409, 0.1721, 230.0), ((700, 200), 0.1913, 0.0635, 158.4)],
)
def test_distorted_boxes_are_tensorflows(shape, area, spread, height):
    """Means over 20,000 boxes of TensorFlow 2.21's own sample_distorted_bounding_box with slim's arguments."""
    config, random = CropConfig(kind="distorted_box", scale=[0.05, 1.0], ratio=[0.75, 1.33]), Random(0)
    boxes = np.array([distorted_box(*shape, config, random) for _ in range(20_000)])
    share = boxes[:, 2] * boxes[:, 3] / (shape[0] * shape[1])
    assert share.mean() == pytest.approx(area, abs=4 * spread / 100)  # a standard error is 1/141 of the spread, of both
    assert share.std() == pytest.approx(spread, abs=0.004)
    assert share.min() >= 0.1
    assert boxes[:, 3].mean() == pytest.approx(height, abs=2)
    assert boxes.min() >= 0
    assert (boxes[:, :2] + boxes[:, 2:]).max(0).tolist() <= [*shape]
    aspect = boxes[:, 2] / boxes[:, 3]
    assert (aspect.min(), aspect.max()) == pytest.approx((0.75, 1.33), abs=0.01)
    assert distorted_box(1000, 10, config, random) == (0, 0, 1000, 10)


@pytest.mark.parametrize("kind", ["random_resized", "random_sized", "distorted_box", "random", "center"])
@pytest.mark.parametrize("shape", [(301, 203), (1, 1), (3, 500), (29, 29)])
def test_every_crop_gives_the_square_asked_for(photo, kind, shape):
    image = picture(photo.resize(shape))
    for seed in range(3):
        part = training_part(*shape, CropConfig(kind=kind), 29, arch(0.875), Random(seed))
        assert cut(image, part, "bicubic").shape == (29, 29, 3)


def parts(kind: str, width: int, height: int, count: int = 400, **keys: object) -> list[Part]:
    config = CropConfig(kind=kind, **keys)
    return [training_part(width, height, config, 28, arch(0.875), Random(seed)) for seed in range(count)]


def test_fixed_random_stays_in_the_central_square():
    drawn = parts("fixed_random", 301, 203)
    assert {(part.width, part.height, part.size) for part in drawn} == {(47, 32, 28)}
    left = round((47 - 32) / 2)
    assert {part.left for part in drawn} == set(range(left, left + 5))
    assert {part.top for part in drawn} == set(range(5))


def test_ten_fixed_draws_the_corners_and_the_centre():
    drawn = parts("ten_fixed", 203, 301)
    places = [(part.left, part.top - round((47 - 32) / 2)) for part in drawn]
    assert {place: round(places.count(place) / 80, 0) for place in places} == dict.fromkeys(
        [(0, 0), (4, 0), (0, 4), (4, 4), (2, 2)], 1
    )


def test_scale_jitter_draws_each_short_side_alike():
    drawn = parts("scale_jitter", 301, 203, 4000, short_side=[240, 312])  # for 224 pixels: an eighth of it for 28
    sides = [part.height for part in drawn]
    assert all(abs(sides.count(side) - 400) < 80 for side in range(30, 40))
    assert sum(map(sides.count, range(30, 40))) == 4000
    for part in drawn:
        assert part.width == int(301 * part.height / 203)
        assert 0 <= part.left <= part.width - 28
        assert 0 <= part.top <= part.height - 28
    assert max(part.left + 28 for part in drawn if part.height == 39) == int(301 * 39 / 203)


@pytest.mark.parametrize("border", ["mean", "black", "reflect"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_padded_is_a_square_of_the_image_with_a_border(photo, border, mode):
    pixels = np.asarray(photo.resize((28, 28)).convert(mode)).reshape(28, 28, -1)
    sides = ((3, 3), (3, 3), (0, 0))
    bordered = np.pad(pixels, sides, mode="reflect" if border == "reflect" else "constant")
    if border == "mean":
        outside = np.pad(np.zeros_like(pixels), sides, constant_values=1) == 1
        colour = np.broadcast_to([124, 116, 104] if mode == "RGB" else [115], bordered.shape)  # 115: the mean of three
        bordered = np.where(outside, colour, bordered)
    config, places = CropConfig(kind="padded", padding=3, border=border), set()
    image = from_pixels(pixels)
    for seed in range(300):
        part = training_part(28, 28, config, 28, arch(1.0), Random(seed))
        got = cut(image, part, "bilinear")
        top, left = 3 - part.down, 3 - part.right
        assert np.array_equal(got, bordered[top : top + 28, left : left + 28])
        places.add((top, left))
    assert places == {(top, left) for top in range(7) for left in range(7)}
