"""Each operation against an independent, slow computation; the form for a batch against that for one image."""

from __future__ import annotations

import dataclasses
import math
from itertools import permutations
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from cnnbench.config.augment import (
    AugmentConfig,
    ClaheConfig,
    ContrastConfig,
    EqualizeConfig,
    EraseConfig,
    FlipConfig,
    JitterConfig,
    PcaConfig,
    RotateConfig,
    ShiftConfig,
)
from cnnbench.data.augment.draws import apply_all, apply_rows, draw_all, row, row_width
from cnnbench.data.augment.operations import OPERATIONS

NUMBERS = {
    "flip": [()],
    "rotate": [(13.3,), (-45.0,), (90.0,), (0.0,), (180.0,)],
    "shift": [(0.11, -0.3), (-0.52, 0.25), (0.0, 0.0), (1.0, 0.1), (-1.0, -1.0)],
    "contrast": [(0.0,), (2.0,), (49.9,)],
    "equalize": [()],
    "clahe": [(2.0, 8.0, 0.0), (2.0, 8.0, 1.0), (40.0, 3.0, 0.0), (0.01, 5.0, 1.0), (1.5, 1.0, 0.0)],
    "pca": [(12.0, -7.0, 30.0), (-100.0, 99.0, 1.0), (0.0, 0.0, 0.0)],
    "jitter": [(0.6, 1.4, 0.3, 0.0, 9.0), (1.3, 1.0, 1.9, 0.0, 23.0), (1.0, 0.55, 1.0, 0.0, 4.0), (1, 1, 1, 0, 0)],
    "erase": [
        *((0.3, 0.99, 0.4, 0.2, 0.0, 5.0), (0.0, 0.5, 0.9, 0.31, 1.0, 5.0)),
        *((0.7, 0.2, 0.5, 0.6, 2.0, 16777215.0), (0.5, 0.5, 0.0, 0.0, 1.0, 5.0)),
    ],
}
CASES = [(name, numbers) for name, several in NUMBERS.items() for numbers in several]
AUGMENT = AugmentConfig(
    flip=FlipConfig(p=0.5),
    rotate=RotateConfig(p=0.5, degrees=20),
    shift=ShiftConfig(p=0.5, fraction=0.2),
    contrast=ContrastConfig(p=0.5),
    equalize=EqualizeConfig(p=0.5),
    clahe=ClaheConfig(p=0.5, grid=5),
    jitter=JitterConfig(p=0.5),
    pca=PcaConfig(p=0.5),
    erase=EraseConfig(p=0.5, fill="noise"),
)


ROTATED_LAST = ["jitter", "clahe", "equalize", "contrast", "pca", "erase", "shift", "flip", "rotate"]


@pytest.fixture(scope="module")
def images(sample) -> dict[str, np.ndarray]:
    """Photographs in colour and in grey, of sides that nothing divides or that tiles divide; noise; extremes."""
    files = [sorted((sample / "train" / name).iterdir())[0] for name in ("bag", "sandal", "coat")]
    photo = Image.merge("RGB", [Image.open(file) for file in files]).resize((101, 67), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    pixels = np.asarray(photo)
    return {
        "colour": pixels,
        "grey": pixels[:, :, :1].copy(),
        "square": np.asarray(photo.resize((40, 40))),
        "dim": pixels // 5 + 90,
        "noise": noise,
        "small": noise[:5, :7],
        "line": noise[:1, :9, :1].copy(),
        "one pixel": noise[:1, :1].copy(),
        "flat": np.full((20, 31, 3), 77, np.uint8),
        "two levels": np.where(noise > 200, 200, 13).astype(np.uint8),
    }


def test_every_case_covers_the_draws_of_its_operation():
    for name, operation in OPERATIONS.items():
        if name == "policy":  # of its own kind: test_policy.py
            continue
        assert len(operation.draw(getattr(AUGMENT, name), Random(0))) == operation.parameters
        assert all(len(numbers) == operation.parameters for numbers in NUMBERS[name])


@pytest.mark.parametrize(("name", "numbers"), CASES)
def test_operation_against_a_slow_computation(images, name, numbers):
    for kind, image in images.items():
        before = image.copy()
        changed = OPERATIONS[name].apply(image, numbers)
        assert changed.dtype == np.uint8, kind
        assert changed.shape == image.shape, kind
        assert np.array_equal(image, before), kind
        expected = SLOW[name](image, *numbers)
        # Rotation: the exact value rounded to a level; elsewhere the very level.
        assert np.abs(changed - expected).max() <= (0.501 if name == "rotate" else 0), kind


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("name", "numbers"), CASES)
def test_batch_against_single(images, name, numbers, dtype):
    apply, apply_batch = OPERATIONS[name].apply, OPERATIONS[name].apply_batch
    for kind, image in images.items():
        others = [image, image[::-1].copy(), 255 - image]
        batch = torch.from_numpy(np.stack(others)).permute(0, 3, 1, 2)  # channels last, as the loader makes them
        changed = apply_batch(batch, torch.tensor([numbers] * 3, dtype=dtype))
        assert changed.dtype == torch.uint8, kind
        assert changed.shape == batch.shape, kind
        expected = np.stack([apply(other, numbers) for other in others]).astype(int)
        difference = np.abs(changed.permute(0, 2, 3, 1).numpy() - expected)
        assert difference.max() <= (1 if name == "rotate" else 0), kind
        assert (difference > 0).mean() < 0.002, kind  # a value in the middle of two levels may go to either


def test_contrast_is_pillows_but_for_its_floats(images):
    for cutoff in (0.0, 2.0, 10.0):
        for image in (images["colour"], images["dim"], images["noise"], images["flat"]):
            ours = OPERATIONS["contrast"].apply(image, (cutoff,)).astype(int)
            pillow = np.asarray(ImageOps.autocontrast(Image.fromarray(image), cutoff))
            assert set(np.unique(ours - pillow)) <= {0, 1}
            assert (ours != pillow).mean() < 0.1
    dim = OPERATIONS["contrast"].apply(images["dim"], (0.0,))
    assert dim.reshape(-1, 3).min(axis=0).tolist() == [0, 0, 0]
    assert dim.reshape(-1, 3).max(axis=0).tolist() == [255, 255, 255]


def test_clahe_of_the_luma_keeps_differences_of_channels(images):
    image = images["dim"].astype(int)
    changed = OPERATIONS["clahe"].apply(images["dim"], (2.0, 4.0, 0.0)).astype(int)
    inside = ((changed > 0) & (changed < 255)).all(axis=2)
    assert inside.mean() > 0.9
    assert np.array_equal(np.diff(changed)[inside], np.diff(image)[inside])
    assert changed.std() > image.std()


def test_draws_follow_their_keys():
    random = Random(3)
    degrees = [OPERATIONS["rotate"].draw(RotateConfig(degrees=20), random)[0] for _ in range(2000)]
    assert -20 <= min(degrees) < -19.5
    assert 19.5 < max(degrees) <= 20
    shares = np.array([OPERATIONS["shift"].draw(ShiftConfig(fraction=0.25), random) for _ in range(2000)])
    assert (shares.min(axis=0) >= -0.25).all()
    assert (shares.min(axis=0) < -0.24).all()
    assert (shares.max(axis=0) <= 0.25).all()
    assert (shares.max(axis=0) > 0.24).all()
    assert OPERATIONS["clahe"].draw(ClaheConfig(clip_limit=3, grid=4, channels="each"), random) == (3, 4, 1)
    assert OPERATIONS["contrast"].draw(ContrastConfig(cutoff=5), random) == (5,)


def test_draws_depend_on_the_generator_alone():
    assert [draw_all(AUGMENT, Random(seed)) for seed in range(9)] == [draw_all(AUGMENT, Random(s)) for s in range(9)]
    several = [draw_all(AUGMENT, Random(seed)) for seed in range(2000)]
    assert not any(before for before, _ in several)  # the crop comes first
    for name in set(AUGMENT.order) - {"crop", "policy"}:
        acts = sum(name in dict(after) for _, after in several)
        assert 900 < acts < 1100, name
    for _, after in several:
        names = [name for name, _ in after]
        assert names == sorted(names, key=AUGMENT.order.index)


def test_draws_before_and_after_the_crop():
    augment = AugmentConfig(
        order=["equalize", "flip", "crop", "shift"],
        equalize=EqualizeConfig(p=1),
        flip=FlipConfig(p=0),
        shift=ShiftConfig(p=1),
    )
    before, after = draw_all(augment, Random(0))
    assert before == [("equalize", ())]
    assert [name for name, _ in after] == ["shift"]
    assert row_width(augment) == 3
    assert row(augment, after) == (1.0, *after[0][1])
    assert row(augment, []) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("kind", ["square", "grey"])
def test_rows_do_to_a_batch_what_the_draws_do_to_each_image(images, kind):
    batch = np.stack([np.roll(images[kind], shift, axis=1) for shift in range(24)])
    # What follows a rotation may magnify its last level; the order is such that nothing does.
    augment = dataclasses.replace(AUGMENT, order=["crop", *ROTATED_LAST])
    draws = [draw_all(augment, Random(seed))[1] for seed in range(24)]
    rows = [row(augment, drawn) for drawn in draws]
    assert {len(columns) for columns in rows} == {row_width(augment)}
    rows = torch.tensor([row(augment, drawn) for drawn in draws], dtype=torch.float64)
    pixels = torch.from_numpy(batch).permute(0, 3, 1, 2)
    before = pixels.clone()
    changed = apply_rows(pixels, rows, augment)
    assert torch.equal(pixels, before)
    for image, drawn, ours in zip(batch, draws, changed.permute(0, 2, 3, 1).numpy(), strict=True):
        in_order = sorted(drawn, key=lambda item: augment.order.index(item[0]))
        expected = apply_all(image, in_order).astype(int)
        assert np.abs(ours - expected).max() <= ("rotate" in dict(drawn))
    assert torch.equal(changed, apply_rows(pixels, rows, augment))


def test_rows_without_a_flag_change_nothing(images):
    pixels = torch.tensor(images["square"]).permute(2, 0, 1).expand(4, 3, 40, 40)
    assert torch.equal(apply_rows(pixels, torch.zeros(4, row_width(AUGMENT)), AUGMENT), pixels)


def test_rows_need_nothing_from_the_device(accelerator):
    rows = torch.tensor([row(AUGMENT, draw_all(AUGMENT, Random(seed))[1]) for seed in range(24)], dtype=torch.float64)
    pixels = torch.randint(0, 256, (24, 3, 40, 41), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    there = pixels.to("sim")
    accelerator.waits.clear()
    accelerator.where.clear()
    accelerator.forbidden = {torch.float64}
    changed = apply_rows(there, rows, AUGMENT)
    assert not accelerator.where
    assert changed.device.type == "sim"
    assert torch.equal(changed.cpu(), apply_rows(pixels, rows, AUGMENT))


def slow_flip(image: np.ndarray) -> np.ndarray:
    return image[:, ::-1].astype(int)


def slow_shift(image: np.ndarray, right: float, down: float) -> np.ndarray:
    height, width = image.shape[:2]
    right, down = round(right * width), round(down * height)
    moved = np.zeros(image.shape, int)
    for y in range(height):
        for x in range(width):
            if 0 <= y - down < height and 0 <= x - right < width:
                moved[y, x] = image[y - down, x - right]
    return moved


def slow_rotate(image: np.ndarray, degrees: float) -> np.ndarray:
    """The exact values, float64: the four pixels around the place that is turned to each pixel; black around them."""
    height, width = image.shape[:2]
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    y, x = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2]).reshape(2, 1, 1)
    from_x = cosine * x - sine * y + (width - 1) / 2
    from_y = sine * x + cosine * y + (height - 1) / 2
    turned = np.zeros(image.shape)
    for top in np.floor(from_y).astype(int), np.floor(from_y).astype(int) + 1:
        for left in np.floor(from_x).astype(int), np.floor(from_x).astype(int) + 1:
            weight = (1 - np.abs(from_y - top)) * (1 - np.abs(from_x - left))
            inside = (top >= 0) & (top < height) & (left >= 0) & (left < width)
            pixels = image[top.clip(0, height - 1), left.clip(0, width - 1)]
            turned += (weight * inside)[:, :, None] * pixels
    return turned


def slow_contrast(image: np.ndarray, cutoff: float) -> np.ndarray:
    """Sort the pixels, leave out `cut` of them at both ends: the lightest and darkest that remain become 255 and 0."""
    stretched = image.astype(int)
    cut = int(image.shape[0] * image.shape[1] * cutoff // 100)
    for channel in range(image.shape[2]):
        values = np.sort(stretched[:, :, channel].ravel())
        low, high = int(values[cut]), int(values[len(values) - 1 - cut])
        if low < high:
            for level in np.unique(values):
                new = min(max(math.floor((int(level) - low) * 255 / (high - low) + 1e-9), 0), 255)
                stretched[:, :, channel][image[:, :, channel] == level] = new
    return stretched


def slow_equalize(image: np.ndarray) -> np.ndarray:
    return (
        np.asarray(ImageOps.equalize(Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)))
        .reshape(image.shape)
        .astype(int)
    )


def slow_clahe(image: np.ndarray, clip_limit: float, grid: float, each: float) -> np.ndarray:
    if each or image.shape[2] == 1:
        return np.dstack([slow_clahe_plane(plane, clip_limit, int(grid)) for plane in np.moveaxis(image, 2, 0)])
    luma = (image @ np.array([9798, 19235, 3735]) + 16384) >> 15
    change = slow_clahe_plane(luma, clip_limit, int(grid)) - luma
    return (image + change[:, :, None]).clip(0, 255)


def slow_clahe_plane(plane: np.ndarray, clip_limit: float, grid: int) -> np.ndarray:
    """CLAHE tile by tile and count by count, with OpenCV's padding and single precision."""
    height, width = plane.shape
    whole = height % grid == 0 and width % grid == 0
    padded = plane if whole else mirrored(mirrored(plane, grid - height % grid).T, grid - width % grid).T
    tile_height, tile_width = padded.shape[0] // grid, padded.shape[1] // grid
    area = tile_height * tile_width
    tables = np.zeros((grid, grid, 256), np.float32)
    for row_, column in np.ndindex(grid, grid):
        top, left = row_ * tile_height, column * tile_width
        tile = padded[top : top + tile_height, left : left + tile_width]
        counts = np.bincount(tile.ravel(), minlength=256)
        cut = max(int(clip_limit * area / 256), 1)
        excess = int((counts - cut).clip(0).sum())
        counts = np.minimum(counts, cut) + excess // 256
        rest, level = excess % 256, 0
        step = max(256 // rest, 1) if rest else 1
        while rest > 0 and level < 256:
            counts[level] += 1
            rest, level = rest - 1, level + step
        tables[row_, column] = np.rint(counts.cumsum().astype(np.float32) * (np.float32(255) / np.float32(area)))
    tables = tables.clip(0, 255)
    rows, row_weights = slow_neighbours(height, tile_height, grid)
    columns, column_weights = slow_neighbours(width, tile_width, grid)
    result = np.zeros(plane.shape, int)
    for y, x in np.ndindex(*plane.shape):
        near = tables[:, :, plane[y, x]][np.ix_(rows[y], columns[x])]
        sides = near[:, 0] * column_weights[x][0] + near[:, 1] * column_weights[x][1]
        result[y, x] = np.rint(sides[0] * row_weights[y][0] + sides[1] * row_weights[y][1])
    return result


def mirrored(plane: np.ndarray, more: int) -> np.ndarray:
    """`more` rows of the mirror image below, its first row, which is the last of the plane, left out."""
    rows = [*range(len(plane)), *range(len(plane) - 2, 0, -1)]
    return plane[[rows[i % len(rows)] for i in range(len(plane) + more)]]


def slow_neighbours(length: int, tile: int, grid: int) -> tuple[list[list[int]], list[list[np.float32]]]:
    places = [np.float32(i) * (np.float32(1) / np.float32(tile)) - np.float32(0.5) for i in range(length)]
    near = [[max(math.floor(place), 0), min(math.floor(place) + 1, grid - 1)] for place in places]
    after = [place - np.float32(math.floor(place)) for place in places]
    return near, [[np.float32(1) - weight, weight] for weight in after]


def slow_pca(image: np.ndarray, *moves: float) -> np.ndarray:
    if image.shape[2] == 1:
        moves = (round(0.299 * moves[0] + 0.587 * moves[1] + 0.114 * moves[2]),)
    return (image + np.array(moves)).clip(0, 255).astype(int)


def slow_jitter(image: np.ndarray, *numbers: float) -> np.ndarray:
    """Pillow's rule in its single precision, one operation after the other; each is cut to whole levels."""
    for which in list(permutations(range(4)))[int(numbers[4])]:
        factor, values = numbers[which], image.astype(int)
        grey = values if values.shape[2] == 1 else (values @ [[19595], [38470], [7471]] + 32768) >> 16
        if which < 3 and factor != 1:
            start = (0, int(grey.mean() + 0.5), grey)[which]
            start, values = np.float32(start), np.float32(values)
            image = np.floor((start + np.float32(factor) * (values - start)).clip(0, 255)).astype(np.uint8)
    return image.astype(int)


def slow_erase(image: np.ndarray, x: float, y: float, width: float, height: float, fill: float, seed: float):
    erased = image.astype(int)
    rows, columns = round(height * image.shape[0]), round(width * image.shape[1])
    top, left = int(y * (image.shape[0] - rows + 1)), int(x * (image.shape[1] - columns + 1))
    for down, across, channel in np.ndindex(rows, columns, image.shape[2]):
        place = (top + down, left + across, channel)
        if fill == 0:
            erased[place] = 0
        elif fill == 1:
            erased[place] = (124, 116, 104)[channel] if image.shape[2] == 3 else 117
        else:
            h = (place[1] * 73856093 + place[0] * 19349663 + channel * 83492791 + int(seed) * 2654435761) % 2**32
            for _ in range(2):
                h = (h ^ h >> 16) * 0x45D9F3B % 2**32
            erased[place] = (h ^ h >> 16) % 256
    return erased


SLOW = {
    "pca": slow_pca,
    "jitter": slow_jitter,
    "erase": slow_erase,
    "flip": slow_flip,
    "rotate": slow_rotate,
    "shift": slow_shift,
    "contrast": slow_contrast,
    "equalize": slow_equalize,
    "clahe": slow_clahe,
}
