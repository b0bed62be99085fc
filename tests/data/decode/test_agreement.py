"""All engines give the same pixels, and call the same files broken: odd pictures of each kind, and damaged ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import measure_engines
import numpy as np
import odd_pictures
import pytest
from PIL import Image

from cnnbench.config.arch import ArchConfig
from cnnbench.config.data import DataConfig
from cnnbench.data.decode import engines, jpeg_engines
from cnnbench.data.decode.jpeg_engines import by_index
from cnnbench.data.decode.picture import Engine, Picture, from_pixels, open_picture
from cnnbench.data.decode.pillow_engine import pillow
from cnnbench.data.layouts.read import read_split
from cnnbench.data.loading.loader import loader_of
from cnnbench.data.loading.transform import EvaluationTransform
from cnnbench.runtime.errors import UserError

FAST = {name: engines.make_engine(name) for name in ("native", "simplejpeg")}
Share = tuple[float, float, float, float]  # left, top, width and height of a box, of the picture's
WHOLE, UPPER = (0.0, 0.0, 1.0, 1.0), (0.3, 0.1, 0.4, 0.3)


def seen(engine: Engine, content: bytes, share: Share) -> np.ndarray | str:
    """The pixels of a box of the picture as RGB, or why there are none."""
    try:
        picture = open_picture(content, "x.JPEG", engine)
        left, top = int(share[0] * picture.width), int(share[1] * picture.height)
        wide, high = max(1, int(share[2] * picture.width)), max(1, int(share[3] * picture.height))
        pixels = np.asarray(picture.region(left, top, wide, high))
        assert pixels.shape[:2] == (high, wide)
        return np.repeat(pixels, 3, 2) if pixels.shape[2] == 1 else pixels
    except UserError as error:
        return str(error)


def same(one: np.ndarray | str, other: np.ndarray | str) -> bool:
    return one == other if isinstance(one, str) or isinstance(other, str) else np.array_equal(one, other)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("group", ["samplings", "kinds_of_jpeg", "containers", "sizes"])
def test_whole_pictures_of_every_kind_have_the_same_pixels(name, group):
    for kind, content in getattr(odd_pictures, group)().items():
        for share in (WHOLE, UPPER, (0.9, 0.9, 0.01, 0.01)):
            expected = seen(pillow, content, share)
            assert not isinstance(expected, str), f"{kind} is a picture: {expected}"
            assert same(seen(FAST[name], content, share), expected), f"{kind}, {share}"


@pytest.mark.parametrize("name", [*FAST, "pillow"])
def test_what_is_not_a_picture_is_one_sentence(name):
    engine = FAST.get(name, pillow)
    for kind, content in odd_pictures.not_pictures().items():
        why = seen(engine, content, UPPER)
        assert isinstance(why, str), kind
        assert why.startswith("x.JPEG "), kind
        assert why == seen(pillow, content, WHOLE), kind
    for kind, content in odd_pictures.frames().items():
        assert same(seen(engine, content, WHOLE), seen(pillow, content, WHOLE)), kind


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("empty", "it is empty"),
        ("a web page", "it is a web page"),
        ("a pointer of Git LFS", "git lfs pull"),
        ("HEIF", "it is HEIF"),
        ("PostScript", "is not an image: it is PostScript"),  # and no program has been started for it
        ("JPEG XL", "it is JPEG XL"),
        ("JPEG, height 0", "it is a JPEG file with a header that cannot be read"),
        ("PNG, 65500 x 65500", "x.JPEG has 4,290.2 megapixels: more than data.max_megapixels=64 are refused"),
    ],
)
def test_the_sentence_says_what_the_file_is(kind, words):
    assert words in str(seen(pillow, odd_pictures.not_pictures()[kind], WHOLE))


@pytest.mark.parametrize("damage", odd_pictures.DAMAGES)
def test_damaged_files_are_broken_for_all_engines_or_for_none(damage):
    spoil, random = odd_pictures.DAMAGES[damage], Random(damage)
    sources = [*odd_pictures.kinds_of_jpeg().values(), *list(odd_pictures.samplings().values())[::5]]
    sources += [odd_pictures.saved(form) for form in ("PNG", "GIF", "WEBP", "BMP")]
    broken = 0
    for content in sources:
        for share in (WHOLE, UPPER):
            damaged = spoil(content, random)
            expected = seen(pillow, damaged, share)
            broken += isinstance(expected, str)
            for name, engine in FAST.items():
                assert same(seen(engine, damaged, share), expected), f"{name}: {damaged!r}"
    if damage not in ("a part cut out", "truncated, with an end mark"):  # which libjpeg reads on, in grey
        assert broken > 0


def is_taken(content: bytes) -> bool:
    """Whether the native decoder decodes a file itself."""
    picture = jpeg_engines.native(False, by_index(()))(content)
    try:
        return picture is not None and picture.region(0, 0, picture.width, picture.height).size > 0
    except ValueError:
        return False


def test_the_native_decoder_is_used_wherever_it_can_be():
    """Else agreement would be easy: by the slowest engine."""
    if not engines.ENGINES["native"].is_here():
        pytest.skip("the library was not built: no C compiler here")
    for kind, content in odd_pictures.samplings().items():
        sampling = kind.partition(",")[0]
        usual = kind.startswith("grey") or (sampling in ("1x1", "2x1", "1x2", "2x2") and "three scans" not in kind)
        assert is_taken(content) == usual, kind
    odd = {"progressive", "progressive, grey", "CMYK", "CMYK, progressive", "RGB", "fill bytes"}
    odd.add("several pictures (MPO)")
    for kind, content in odd_pictures.kinds_of_jpeg().items():
        assert is_taken(content) == (kind not in odd), kind


def failing(error: Exception) -> Callable[..., Picture]:
    def fail(*_: object) -> Picture:
        raise error

    return fail


FAILURES = [ValueError("a"), KeyError(6), RuntimeError("b"), MemoryError(), TypeError(), ZeroDivisionError()]


@pytest.mark.parametrize("error", FAILURES)
def test_an_exception_of_any_type_ends_at_the_next_engine(error, monkeypatch):
    content = odd_pictures.saved()
    expected = seen(pillow, content, UPPER)
    opens = engines.with_fallback(failing(error), pillow)
    decodes = engines.with_fallback(lambda _: Picture(61, 47, failing(error)), pillow)
    for engine in (opens, decodes):
        assert same(seen(engine, content, UPPER), expected)
    monkeypatch.setattr(Image, "open", failing(error))
    assert str(seen(opens, content, WHOLE)).startswith("x.JPEG cannot be decoded: ")


def test_pixels_of_other_sizes_than_asked_for_go_to_the_next_engine():
    content = odd_pictures.saved()
    small, other = np.zeros((3, 3, 3), np.uint8), from_pixels(np.zeros((5, 7, 3), np.uint8))
    engine = engines.with_fallback(lambda _: Picture(61, 47, lambda *_: small), pillow)
    assert same(seen(engine, content, UPPER), seen(pillow, content, UPPER))
    engine = engines.with_fallback(lambda _: Picture(61, 47, lambda *_: small), lambda *_: other)
    assert "different sizes" in str(seen(engine, content, UPPER))


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (0, 0), (-1, 5)])
def test_a_picture_of_no_size_is_refused(width, height):
    engine = engines.with_fallback(lambda _: Picture(width, height, failing(AssertionError())), pillow)
    assert f"x.JPEG has no pixels: it is {width} x {height}" == seen(engine, b"", WHOLE)


def test_pictures_of_too_many_pixels_are_refused_before_they_are_decoded():
    for width, refused in ((64_000, False), (64_001, True)):
        engine = engines.with_fallback(
            lambda _, w=width: Picture(w, 1000, lambda *box: np.zeros((*box[:1:-1], 3))), pillow
        )
        assert isinstance(seen(engine, b"", (0, 0, 0.4, 0.3)), str) == refused


@pytest.mark.parametrize(("size", "refused"), [((1000, 1), False), ((1001, 1), True), ((2, 2001), True)])
def test_pictures_that_are_next_to_lines_are_refused(size, refused):
    engine = engines.with_fallback(lambda _: from_pixels(np.zeros((*size[::-1], 3), np.uint8)), pillow)
    assert ("1,000 times as long as wide" in str(seen(engine, b"", WHOLE))) == refused


@pytest.fixture(scope="module")
def odd_folder(tmp_path_factory) -> Path:
    """Class folders, every fifth file of them damaged."""
    root, random = tmp_path_factory.mktemp("odd"), Random(0)
    pictures = odd_pictures.kinds_of_jpeg() | odd_pictures.not_pictures() | odd_pictures.frames()
    for number, content in enumerate(pictures.values()):
        spoil = [*odd_pictures.DAMAGES.values()][number // 5 % len(odd_pictures.DAMAGES)]
        for split in ("train", "val"):
            folder = root / split / ("cat", "dog")[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            damaged = spoil(content, random) if number % 5 == 0 and len(content) > 900 else content
            (folder / f"{number * 29 % len(pictures):03}.JPEG").write_bytes(damaged)  # broken ones apart
    return root


def test_a_data_set_gives_the_same_batches_and_the_same_broken_files_with_every_engine(odd_folder):
    split = read_split(DataConfig(path=str(odd_folder)), "val")
    transform = EvaluationTransform(
        ArchConfig(name="lenet", in_channels=3, crop_ratio=0.875, interpolation="bilinear"), 28
    )
    order = [[(0, index) for index in range(len(split))]]
    found = {}
    for name in (*(name for name, kind in engines.ENGINES.items() if kind.is_here()), "pillow"):
        with loader_of(split, transform, DataConfig(engine=name), order, 0, False) as loader:
            batch = next(iter(loader))
            found[name] = batch.images.numpy().copy(), batch.labels.numpy().copy(), dict(loader.broken)
    images, labels, broken = found.pop("pillow")
    assert 40 < len(broken) < len(split) - 20
    for other in found.values():
        assert np.array_equal(other[0], images)
        assert np.array_equal(other[1], labels)
        assert other[2] == broken


@pytest.mark.slow
def test_training_and_evaluation_go_through_it_all(odd_folder, command):
    split = read_split(DataConfig(path=str(odd_folder)), "val")
    broken = [isinstance(seen(pillow, split.read(index), WHOLE), str) for index in range(len(split))]
    few = ("device=cpu", "data.workers=0", f"data={odd_folder}")
    done = command("train", "arch=lenet", "recipe=quick", "epochs=1", "batch=8", "data.max_bad=80", "run=r", *few)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert done.stderr.count("counted as wrong: ") == sum(broken)
    assert f"{sum(broken)} broken training images were replaced" in done.stdout
    for engine in ("simplejpeg", "pillow"):
        again = command("eval", "run=r", f"data.engine={engine}", *few)
        assert again.returncode == 0
        assert again.stderr.count("counted as wrong: ") == sum(broken)
        assert next(line for line in again.stdout.splitlines() if "top-1" in line) in done.stdout


def test_the_measurement_counts_what_differs():
    files = [odd_pictures.saved(), odd_pictures.saved("PNG"), b""]
    other = {
        "pillow": pillow,
        "native": lambda content, name: from_pixels(np.zeros((47, 61, 3), np.uint8)),
        "simplejpeg": engines.with_fallback(failing(KeyError()), lambda content, name: pillow(b"", name)),
    }
    assert measure_engines.row("three", files, other) == ("three", 3, 1, 1, 2, 2, 0)
