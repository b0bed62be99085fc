"""Every engine gives Pillow's pixels, of any region of any file, odd and broken ones included."""

from __future__ import annotations

import random
import struct
from dataclasses import replace

import numpy as np
import pytest
from photos import encoded, mosaic
from PIL import Image

from cnnbench.data.decode import engines, pillow_engine
from cnnbench.data.decode.picture import Engine, TooLarge, Undecided, open_picture
from cnnbench.data.decode.pillow_engine import pillow
from cnnbench.runtime.errors import UserError

SIDE = 100  # of the pictures with a budget


@pytest.fixture(scope="module", params=["native", "simplejpeg", "pillow"])
def engine(request) -> Engine:
    """An engine, and those behind it; without a C compiler those alone."""
    return engines.make_engine(request.param)


def region(engine: Engine, content: bytes, box: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """The pixels of `box`, by default the whole, as RGB."""
    picture = open_picture(content, "x.JPEG", engine)
    pixels = np.asarray(picture.region(*(box or (0, 0, picture.width, picture.height))))
    return np.repeat(pixels, 3, 2) if pixels.shape[2] == 1 else pixels


def turned(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown rotated, which is ignored
    return encoded(image, exif=exif)


FILES = {
    "4:4:4": lambda image: encoded(image, quality=95, subsampling=0),
    "4:2:2": lambda image: encoded(image, subsampling=1),
    "4:2:0": lambda image: encoded(image, subsampling=2),
    "progressive": lambda image: encoded(image, progressive=True),
    "restart markers": lambda image: encoded(image, restart_marker_rows=1),
    "grey": lambda image: encoded(image.convert("L")),
    "CMYK": lambda image: encoded(image.convert("CMYK")),
    "EXIF rotation": turned,
    "junk behind the end": lambda image: encoded(image) + b"x" * 100,
    "PNG": lambda image: encoded(image, "PNG"),
    "palette": lambda image: encoded(image.quantize(16), "PNG"),
    "transparent": lambda image: encoded(image.convert("RGBA"), "PNG"),
    "two colours": lambda image: encoded(image.convert("1"), "PNG"),
    "WebP": lambda image: encoded(image, "WEBP"),
    "GIF": lambda image: encoded(image, "GIF"),
    "BMP": lambda image: encoded(image, "BMP"),
}


@pytest.mark.parametrize("kind", FILES)
def test_pixels_are_those_of_pillow(engine, sample, kind, tmp_path):
    content = FILES[kind](mosaic(sample, 131, 93))
    (tmp_path / "x").write_bytes(content)
    with Image.open(tmp_path / "x") as image:
        expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(region(engine, content), expected)
    for left, top, width, height in ((0, 0, 1, 1), (17, 5, 40, 33), (130, 92, 1, 1), (3, 80, 128, 13)):
        part = region(engine, content, (left, top, width, height))
        assert np.array_equal(part, expected[top : top + height, left : left + width])


def test_sixteen_bits_become_the_upper_eight(engine):
    values = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    assert np.array_equal(region(engine, encoded(Image.fromarray(values), "PNG"))[:, :, 0], values >> 8)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not an image"),
        (b"hello", "is not an image"),
        (b"\xff\xd8\xff\xe0" + bytes(50) + b"\xff\xd9", "not an image|cannot be decoded"),
    ],
)
def test_what_is_no_image_is_named(engine, content, reason):
    with pytest.raises(UserError, match=f"x.JPEG.*({reason})"):
        region(engine, content)


@pytest.mark.parametrize("kind", ["4:2:0", "progressive", "PNG"])
def test_a_file_cut_short_is_an_error_wherever_it_ends(engine, sample, kind):
    content = FILES[kind](mosaic(sample, 131, 93))
    for length in (3, 50, len(content) // 2, len(content) - 40):
        with pytest.raises(UserError, match=r"x\.JPEG"):
            region(engine, content[:length], (0, 0, 5, 5))


def test_a_bomb_is_refused_before_it_is_decoded(engine):
    content = bytearray(encoded(Image.new("L", (64, 64))))
    size = content.index(b"\xff\xc0") + 5
    content[size : size + 4] = b"\xff\x00\xff\x00"
    with pytest.raises(UserError, match=r"has 4,261.5 megapixels: more than data.max_megapixels=64 are"):
        open_picture(bytes(content), "x.JPEG", engine)


@pytest.mark.parametrize(("form", "cost"), [("JPEG", 1), ("PNG", 1), ("WEBP", 1.7), ("JPEG2000", 2.5), ("CMYK", 1.5)])
def test_the_budget_is_of_memory_and_looked_at_before_anything_is_decoded(engine, form, cost, monkeypatch):
    """What a format takes of memory counts: of one that takes more than the usual 10 bytes a pixel, fewer are taken."""
    mode, form = ("CMYK", "JPEG") if form == "CMYK" else ("RGB", form)
    content, budget = encoded(Image.new(mode, (SIDE, SIDE)), form), SIDE**2 / 1e6 * cost
    picture = open_picture(content, "x.JPEG", engine, budget)
    assert picture.region(0, 0, SIDE, SIDE).shape == (SIDE, SIDE, 3)
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(TooLarge, match=f"x.JPEG (has|takes as) .* megapixels.*data.max_megapixels={budget * 0.99:g}"):
        open_picture(content, "x.JPEG", engine, budget * 0.99)


def test_a_tile_larger_than_the_picture_counts(capfd):
    """A TIFF file of 16 x 16 pixels with a tile of 60,000 x 30,000 made libtiff take 1.8 GB, and say so."""
    tags = {256: 16, 257: 16, 258: 8, 259: 8, 262: 1, 277: 1, 322: 60_000, 323: 30_000, 324: 134, 325: 1000}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    content = struct.pack("<4sIH", b"II*\0", 8, len(tags)) + entries + bytes(4 + 1000)
    with pytest.raises(TooLarge, match=r"takes as much memory as 1,800\.0 megapixels usually do"):
        open_picture(content, "x.JPEG", pillow)
    with pytest.raises(UserError, match=r"cannot be decoded"):
        region(pillow, content.replace(struct.pack("<I", 60_000), struct.pack("<I", 320)))
    assert capfd.readouterr() == ("", "")


def test_scans_without_end_are_refused(engine):
    """A progressive file whose last scan is there again and again: each costs as much time as decoding does."""
    content = encoded(Image.new("RGB", (SIDE, SIDE)), progressive=True)
    start, scans = content.rindex(b"\xff\xda"), content.count(b"\xff\xda")
    most = content[:start] + content[start:-2] * (100 - scans + 1) + content[-2:]
    assert open_picture(most, "x.JPEG", engine).region(0, 0, 1, 1).shape == (1, 1, 3)
    with pytest.raises(TooLarge, match=r"x\.JPEG has 101 scans over 0\.0 megapixels, which are refused"):
        open_picture(content[:start] + content[start:-2] * (101 - scans + 1) + content[-2:], "x.JPEG", engine)
    with pytest.raises(TooLarge, match="has 100 scans"):
        open_picture(most, "x.JPEG", engine, SIDE**2 / 1e6 * 100 / 16 * 0.99)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "I;16", "1"])
def test_bands_are_the_whole(mode, sample, monkeypatch):
    """A large picture is converted in bands, which must not show: here of two rows."""
    image = mosaic(sample, 61, 47)
    deep = Image.fromarray(np.asarray(image)[:, :, 0].astype(np.uint16) * 257)
    image = deep if mode == "I;16" else image.convert(mode)
    content = encoded(image, "TIFF")
    expected = region(pillow, content)
    monkeypatch.setattr(pillow_engine, "BAND", 130)
    for box in (None, (3, 5, 40, 33)):
        left, top, width, height = box or (0, 0, 61, 47)
        assert np.array_equal(region(pillow, content, box), expected[top : top + height, left : left + width])


def test_memory_that_runs_out_says_nothing_of_the_image(engine, monkeypatch):
    monkeypatch.setattr(Image.Image, "convert", lambda *_: bytearray(1 << 60))
    content = encoded(Image.new("P", (SIDE, SIDE)), "PNG")
    with pytest.raises(Undecided, match=r"x\.JPEG cannot be decoded: memory ran out"):
        region(engine, content)


def test_mutated_files_never_crash_and_never_give_other_pixels(engine, sample):
    """700 files with bytes changed, cut out or cut off; where both have pixels they are Pillow's."""
    draw = random.Random(0)
    sources = [FILES[kind](mosaic(sample, 61, 47)) for kind in ("4:2:0", "4:4:4", "progressive", "grey", "PNG")]
    same = 0
    for _ in range(700):
        content = mutated(draw.choice(sources), draw)
        box = (draw.randrange(8), draw.randrange(8), draw.randrange(1, 8), draw.randrange(1, 8))
        try:
            expected = region(engines.pillow, content, box)
        except UserError:
            expected = None
        try:
            got = region(engine, content, box)
        except UserError:
            assert expected is None
            continue
        if expected is not None:
            assert np.array_equal(got, expected)
            same += 1
    assert same > 150


def mutated(content: bytes, draw: random.Random) -> bytes:
    data, kind = bytearray(content), draw.randrange(3)
    if kind == 0:
        for _ in range(draw.randrange(1, 8)):
            data[draw.randrange(len(data))] = draw.randrange(256)
    elif kind == 1:
        start = draw.randrange(len(data))
        del data[start : start + draw.randrange(1, 100)]
    else:
        del data[draw.randrange(len(data)) :]
    return bytes(data)


def test_without_a_library_the_next_engine_serves_and_says_how_to_get_it(sample, monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "native", replace(engines.ENGINES["native"], is_here=lambda: False))
    assert engines.choose_engine("auto") == "simplejpeg"
    assert engines.what_is_missing().startswith(" (native was not built: install a C compiler")
    with pytest.raises(UserError, match=r"engine=native was not built: install a C compiler.*or use data\.engine=auto"):
        engines.choose_engine("native")
    content = encoded(mosaic(sample, 131, 93))
    assert np.array_equal(region(engines.make_engine("native"), content), region(pillow, content))
    monkeypatch.setitem(engines.ENGINES, "simplejpeg", replace(engines.ENGINES["simplejpeg"], is_here=lambda: False))
    assert engines.choose_engine("auto") == "pillow"
