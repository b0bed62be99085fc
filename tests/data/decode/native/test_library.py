"""The decoder in C, with vector code and without, against libjpeg-turbo's decode of the whole picture (Pillow's) and
torch's resize, byte by byte."""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path
from random import Random

import numpy as np
import odd_pictures
import pytest
import torch
from odd_pictures import saved
from photos import encoded, mosaic
from PIL import Image

from cnnbench.data.decode.jpeg_structure import count_scans
from cnnbench.data.decode.native import library
from cnnbench.data.decode.native.library import NO_ENTRIES, EntryPoints, Library
from cnnbench.data.decode.picture import open_picture
from cnnbench.data.decode.pillow_engine import pillow
from cnnbench.data.decode.resize import Resize

TORCHS = {"bilinear": torch.ops.aten._upsample_bilinear2d_aa, "bicubic": torch.ops.aten._upsample_bicubic2d_aa}
KINDS = {
    "4:4:4": dict(subsampling=0),
    "4:2:2": dict(subsampling=1),
    "4:2:0": dict(subsampling=2),
    "4:2:0, a mark each row": dict(subsampling=2, restart_marker_rows=1),
    "4:2:0, a mark each 7 MCUs": dict(subsampling=2, restart_marker_blocks=7),
    "4:2:0, a mark each 90 MCUs": dict(subsampling=2, restart_marker_blocks=90),
    "4:4:4, quality 100": dict(subsampling=0, quality=100),
    "4:2:2, quality 5": dict(subsampling=1, quality=5),
}


CODES_OF_SIZE = {
    0: "00",
    1: "010",
    2: "011",
    11: "111111110",
}  # of DC values, and of the end of a block: T.81, K.3 and K.5
END_OF_BLOCK = "1010"


@pytest.fixture(scope="module", params=library.INSTRUCTIONS)
def native(request) -> Library:
    found = library.load_each()
    if request.param not in found:
        pytest.skip(f"no C compiler here, or this processor has no {request.param}")
    return found[request.param]


@pytest.fixture(scope="module")
def photo(sample) -> Image.Image:
    return mosaic(sample, 333, 205)


def whole(content: bytes) -> np.ndarray:
    """All pixels, uint8 (H, W, C), by libjpeg-turbo."""
    pixels = np.asarray(Image.open(io.BytesIO(content)))
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def boxes(width: int, height: int, random: Random, count: int) -> list[tuple[int, int, int, int]]:
    """The whole, the last pixel, and any."""
    found = [(0, 0, width, height), (width - 1, height - 1, 1, 1)]
    for _ in range(count):
        left, top = random.randrange(width), random.randrange(height)
        found.append((left, top, random.randint(1, width - left), random.randint(1, height - top)))
    return found


def entries_of(native: Library, content: bytes, every: int) -> EntryPoints:
    found = native.entry_points(content, every)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", [*KINDS, "4:4:0", "grey"])
def test_pixels_of_any_box_are_those_of_the_whole(native, photo, kind):
    """With entry points and without, at sizes that end within an MCU and at its edge."""
    random = Random(kind)
    for width, height in ((333, 205), (16, 16), (17, 9), (5, 1), (6, 40), (320, 176)):
        image = photo.crop((0, 0, width, height))
        content = encoded(image.convert("L")) if kind == "grey" else encoded(image, **KINDS.get(kind, {}))
        if kind == "4:4:0":
            content = odd_pictures.samplings()["1x2"]
        expected = whole(content)
        kept = [entries_of(native, content, every) for every in (2, 16, 1000)]
        indices = [NO_ENTRIES, *(one.entries for one in kept)]
        for left, top, wide, high in boxes(expected.shape[1], expected.shape[0], random, 12):
            for entries in indices:
                out = np.empty((high, wide, expected.shape[2]), np.uint8)
                assert native.region(content, (left, top, wide, high), out, entries), (kind, width, height)
                assert np.array_equal(out, expected[top : top + high, left : left + wide]), (left, top, wide, high)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_codes_that_photos_rarely_have(native, mode):
    """Noise, whose blocks have all places and the longest AC codes, and squares of blue and yellow, with the longest DC
    codes, in files long enough to be walked over from many places."""
    values = np.random.default_rng(0).integers(0, 2, (256, 264, 3), np.uint8) * 255
    values[:, 128:] = np.where((np.indices((256, 136)) // 8).sum(0)[..., None] % 2, (0, 0, 255), (255, 255, 0))
    content = encoded(Image.fromarray(values).convert(mode), quality=100, subsampling=0)
    expected = whole(content)
    made = entries_of(native, content, 8)
    for entries in (NO_ENTRIES, made.entries):
        for left, top, width, height in ((0, 0, 264, 256), (120, 248, 144, 8), (3, 200, 100, 41)):
            out = np.empty((height, width, expected.shape[2]), np.uint8)
            assert native.region(content, (left, top, width, height), out, entries)
            assert np.array_equal(out, expected[top : top + height, left : left + width])


def test_codes_that_do_not_exist_are_noticed_above_the_box_too(native, photo):
    """Wherever one of the walks that begin ahead has passed over them: 16 bits of 1 are no code."""
    content, out = encoded(photo, quality=95), np.empty((5, 333, 3), np.uint8)
    assert len(content) * 8 > 2 * 65536, "enough for more than one walk"
    assert native.region(content, (0, 200, 333, 5), out)
    for percent in range(15, 85, 5):
        place = len(content) * percent // 100
        damaged = content[:place] + b"\xff\x00" * 4 + content[place + 8 :]
        assert not native.region(damaged, (0, 200, 333, 5), out), percent


def test_a_table_with_more_codes_than_fit_is_left_to_others(native, photo):
    """The code for the end of a block is looked for before the others are checked."""
    content, out = encoded(photo), np.empty((205, 333, 3), np.uint8)
    for count in range(3, 256):
        codes = bytes([count, 1, *bytes(14)]) + b"\x01" * count + b"\x00"
        table = b"\xff\xc4" + (len(codes) + 3).to_bytes(2, "big") + b"\x10" + codes
        assert not native.region(content[:2] + table + content[2:], (0, 0, 333, 205), out)
    assert native.region(content, (0, 0, 333, 205), out)
    assert np.array_equal(out, whole(content))


def test_columns_too_few_to_be_smoothed_are_left_to_others(native, photo):
    """libjpeg repeats chroma of two columns or fewer."""
    for width, taken in ((4, False), (5, True)):
        content, out = encoded(photo.crop((0, 0, width, 9)), subsampling=2), np.empty((9, width, 3), np.uint8)
        assert native.region(content, (0, 0, width, 9), out) == taken


@pytest.mark.parametrize("interpolation", TORCHS)
def test_crops_are_torchs_antialiased_resize_in_every_byte(native, photo, interpolation):
    """Of files and of pixels, colour and grey, enlarged and made smaller, mirrored and not."""
    random = Random(interpolation)
    for content in (encoded(photo, subsampling=2), encoded(photo.convert("L"))):
        pixels, entries = whole(content), entries_of(native, content, 16)
        for left, top, wide, high in boxes(333, 205, random, 25):
            columns, rows, mirrored = (
                random.choice((1, 3, 16, 96)),
                random.choice((1, 5, 16, 224)),
                random.random() < 0.5,
            )
            box = torch.from_numpy(pixels[top : top + high, left : left + wide].copy())[None].permute(0, 3, 1, 2)
            expected = TORCHS[interpolation](box, [rows, columns], False, None, None)[0].permute(1, 2, 0).numpy()
            expected = expected[:, ::-1] if mirrored else expected
            domain = left, top, wide, high, wide / columns, high / rows
            wanted = Resize(*domain, 0, 0, columns, rows, interpolation, mirrored)
            for index in (NO_ENTRIES, entries.entries):
                out = np.empty_like(expected, order="C")
                assert native.crop(content, wanted, out, index)
                assert np.array_equal(out, expected), wanted
            out = np.empty_like(expected, order="C")
            assert native.resize(pixels, wanted, out)
            assert np.array_equal(out, expected), wanted


@pytest.mark.parametrize("interpolation", TORCHS)
def test_outputs_whose_inputs_lie_just_within_one_vector_and_just_not(native, photo, interpolation):
    pixels = np.array(photo)[:2]
    for width in range(1, 100):
        for mirrored in (False, True):
            box = torch.from_numpy(pixels[:, :width].copy())[None].permute(0, 3, 1, 2)
            expected = TORCHS[interpolation](box, [2, 20], False, None, None)[0].permute(1, 2, 0).numpy()
            out = np.empty((2, 20, 3), np.uint8)
            assert native.resize(
                pixels, Resize(0, 0, width, 2, width / 20, 1, 0, 0, 20, 2, interpolation, mirrored), out
            )
            assert np.array_equal(out, expected[:, ::-1] if mirrored else expected), width


def test_a_window_is_cut_from_the_whole_resized_picture(native, photo):
    content = encoded(photo)
    pixels = torch.from_numpy(whole(content).copy())[None].permute(0, 3, 1, 2)
    resized = TORCHS["bilinear"](pixels, [64, 104], False, None, None)[0].permute(1, 2, 0).numpy()
    for left, top, columns, rows in ((0, 0, 104, 64), (24, 4, 56, 56), (103, 63, 1, 1)):
        wanted = Resize(0, 0, 333, 205, 333 / 104, 205 / 64, left, top, columns, rows, "bilinear")
        out = np.empty((rows, columns, 3), np.uint8)
        assert native.crop(content, wanted, out)
        assert np.array_equal(out, resized[top : top + rows, left : left + columns])


def test_nothing_is_written_behind_the_pixels(native, photo):
    """Another image of the batch lies there."""
    content = encoded(photo)
    for columns, rows in ((1, 1), (5, 3), (16, 16), (31, 2)):
        memory = np.full(columns * rows * 3 + 64, 77, np.uint8)
        out = memory[: columns * rows * 3].reshape(rows, columns, 3)
        assert native.crop(
            content, Resize(0, 0, 333, 205, 333 / columns, 205 / rows, 0, 0, columns, rows, "bilinear"), out
        )
        assert (memory[out.size :] == 77).all()


def with_quantisers(content: bytes, value: int) -> bytes:
    """The file with `value` in every place of its tables of quantisation."""
    data, at = bytearray(content), 0
    while (at := data.find(b"\xff\xdb\x00\x43", at)) >= 0:
        data[at + 5 : at + 69] = bytes([value]) * 64
        at += 69
    return bytes(data)


def test_coefficients_that_no_picture_has_are_left_to_others(native, photo):
    """Decoders wrap or saturate them at different places: pixels are libjpeg-turbo's, or none."""
    taken = 0
    for value in (1, 2, 9, 40, 90, 160, 255):
        for quality in (20, 95, 100):
            content = with_quantisers(encoded(photo, quality=quality, subsampling=0), value)
            out = np.empty((205, 333, 3), np.uint8)
            if native.region(content, (0, 0, 333, 205), out):
                taken += 1
                assert np.array_equal(out, whole(content)), (value, quality)
    assert 8 < taken < 21


def test_an_index_of_another_file_gives_no_error_beyond_the_scan(native, photo):
    """It is kept from being used by who keeps it; here it must do no harm."""
    one, other = encoded(photo, quality=95), encoded(photo.crop((0, 0, 100, 200)), quality=5)
    out = np.empty((205, 333, 3), np.uint8)
    assert not native.region(other, (0, 0, 333, 205), out)
    entries = entries_of(native, one, 16)
    assert not native.region(other, (50, 150, 50, 50), np.empty((50, 50, 3), np.uint8), entries.entries)
    assert not native.region(one, (300, 200, 40, 6), np.empty((6, 40, 3), np.uint8))


def test_too_few_entries_cost_time_and_no_pixels(native, photo):
    """Those that are not there are not read, wherever the memory behind them ends."""
    content, out = encoded(photo, restart_marker_rows=5), np.empty((20, 60, 3), np.uint8)
    whole_index = entries_of(native, content, 2)
    for length in (0, 1, 300, len(whole_index.bytes) - 1):
        fewer = EntryPoints(2, whole_index.bytes[:length])
        assert native.region(content, (200, 150, 60, 20), out, fewer.entries)
        assert np.array_equal(out, whole(content)[150:170, 200:260])
    for every in (1, 3, -2, 0):
        odd = EntryPoints(every, whole_index.bytes)
        assert native.region(content, (200, 150, 60, 20), out, odd.entries)
        assert np.array_equal(out, whole(content)[150:170, 200:260])


@pytest.mark.parametrize(
    ("first", "second", "fits"), [(2047, 0, True), (2047, 1, False), (-2047, -1, True), (-2047, -2, False)]
)
def test_a_predictor_that_an_entry_has_no_room_for_leaves_the_file_without_entries(native, first, second, fits):
    """12 bits each: -2048 to 2047. 16 grey blocks, of which the ninth is the next entry."""
    differences = [first, second, *[0] * 14]
    bits = "".join(f"{CODES_OF_SIZE[abs(n).bit_length()]}{value_bits(n)}{END_OF_BLOCK}" for n in differences)
    bits += "1" * (-len(bits) % 8)
    scan = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    plain = saved("JPEG", "L", Image.new("L", (128, 8)), quality=100)
    header = plain[: plain.index(b"\xff\xda") + 10]
    assert (native.entry_points(header + scan + b"\xff\xd9", 8) is not None) == fits


def value_bits(number: int) -> str:
    """As T.81, F.1.2.1 writes it."""
    size = abs(number).bit_length()
    return f"{number if number >= 0 else number + (1 << size) - 1:0{size}b}" if size else ""


def test_entries_that_lie_too_far_apart_leave_the_file_without_entries(native):
    """65,535 bits is the most from one to the next."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 1024), np.uint8)
    content = saved("JPEG", "L", Image.fromarray(noise), quality=100)
    assert native.entry_points(content, 64) is not None
    assert native.entry_points(content, 126) is None


def test_threads_do_not_share_what_they_work_with(photo):
    native = library.load()
    if native is None:
        pytest.skip("the library was not built: no C compiler here")
    files = [
        encoded(photo.crop((0, 0, width, 205 - width % 100)), quality=60 + width % 40) for width in range(40, 333, 9)
    ]
    expected, wrong = [whole(content) for content in files], []

    def work(seed: int) -> None:
        random = Random(seed)
        for _ in range(60):
            number = random.randrange(len(files))
            out = np.empty_like(expected[number])
            done = native.region(files[number], (0, 0, out.shape[1], out.shape[0]), out)
            if not done or not np.array_equal(out, expected[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_fuzzing_found_interesting_has_the_reference_decoders_verdict_and_pixels():
    """The small files of the corpus of tools/fuzz_decoder.py, whose first twelve bytes choose boxes there."""
    libraries = library.load_each().values()
    taken = 0
    with zipfile.ZipFile(Path(__file__).with_name("corpus.zip")) as corpus:
        contents = [corpus.read(name)[12:] for name in corpus.namelist()]
    for content in contents:
        for native in libraries:
            look = native.look(content)
            if look is None or look.width * look.height > 1e6:
                continue
            assert count_scans(content) == 1, "which is taken for granted"
            width, height, channels = look.width, look.height, look.components
            pixels = np.empty((height, width, channels), np.uint8)
            if native.region(content, (0, 0, width, height), pixels):
                taken += 1
                expected = open_picture(content, "", pillow).region(0, 0, width, height)
                assert np.array_equal(pixels, expected), content
    assert not libraries or taken > 20
