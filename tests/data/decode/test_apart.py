"""Decoders of others work in a process beside this one: the same pixels, and no picture takes this process with it."""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import threading
import time
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from photos import encoded
from PIL import Image

from cnnbench.config.data import DataConfig
from cnnbench.data.decode import apart
from cnnbench.data.decode.engines import ENGINES, Kind, make_engine
from cnnbench.data.decode.picture import Engine, Picture, Undecided, open_picture
from cnnbench.data.decode.pillow_engine import pillow
from cnnbench.data.decode.reference import PILLOW, read_image
from cnnbench.data.images import Images
from cnnbench.data.layouts.read import read_split
from cnnbench.data.loading.full_images import FullImages
from cnnbench.data.loading.loader import ImageMaker, Loader
from cnnbench.runtime.errors import Lost, UserError
from cnnbench.runtime.system import process_exists
from tests.data.loading.test_loader import ORDER, copies, training_images

ENDS = {
    "crash": r"ends the process that decodes it \(SIGSEGV\)",
    "no end": r"takes more than data\.max_seconds=0\.1 of processor time to decode",
}


@pytest.fixture(autouse=True)
def own_process():
    """A test's decoders are those that it has put in place: the process is forked anew."""
    vars(apart._of_thread).clear()
    yield
    vars(apart._of_thread).clear()


def process() -> int | None:
    """The number of this thread's process."""
    decoder = getattr(apart._of_thread, "decoder", None)
    return None if decoder is None else decoder.processes.processes[0].pid


def end(how: str) -> None:
    if how == "no end":
        while True:
            pass
    faulthandler.disable()  # pytest's, which would print where it was
    os.kill(os.getpid(), signal.SIGKILL if how == "killed" else signal.SIGSEGV)


def deadly(how: str, when: bytes) -> Engine:
    """Pillow, which a file with the bytes `when` ends."""

    def open_file(content: bytes, name: str) -> Picture:
        if when in content:
            end(how)
        return pillow(content, name)

    return open_file


def drawing(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (7, 7, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height))


def small() -> bytes:
    return encoded(drawing(40, 30), "PNG")


@pytest.mark.parametrize("name", ["native", "simplejpeg", "pillow"])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("sides", [(61, 47), (800, 600)], ids=["small", "in bands"])
def test_pixels_are_those_of_the_engine(name, form, sides):
    content = encoded(drawing(*sides), form, **({"progressive": True} if form == "JPEG" else {}))
    expected, got = make_engine(name)(content, "x"), make_engine(name, seconds=5.0)(content, "x")
    assert (got.width, got.height, got.cost) == (expected.width, expected.height, expected.cost)
    for box in ((0, 0, *sides), (3, 5, 20, 11), (0, 0, *sides)):
        assert np.array_equal(got.region(*box), expected.region(*box))
    assert process() is not None


def test_the_projects_own_decoder_needs_no_process():
    if not ENGINES["native"].is_here():
        pytest.skip("it was not built")
    content = encoded(drawing(61, 47))
    make_engine("native", seconds=5.0)(content, "x").region(0, 0, 61, 47)
    assert process() is None


def test_pictures_may_be_asked_for_in_turn():
    engine = make_engine("pillow", seconds=5.0)
    contents = [encoded(drawing(side, 30), "PNG") for side in (40, 50)]
    opened = [engine(content, "x") for content in contents]
    for _ in range(2):
        for picture, content in zip(opened, contents, strict=True):
            whole = (0, 0, picture.width, 30)
            assert np.array_equal(picture.region(*whole), pillow(content, "x").region(*whole))


def test_what_is_broken_is_said_and_the_process_goes_on():
    for content, said in ((b"no", "x is not an image"), (small()[:-30], "x cannot be decoded: ")):
        with pytest.raises(UserError, match=said) as caught:
            read_image(content, "x")
        assert not isinstance(caught.value, Undecided)
    before = process()
    read_image(small(), "x")
    assert before == process() is not None


@pytest.mark.parametrize("how", ENDS)
def test_what_ends_it_is_said_once(how):
    engine = apart.apart(deadly, (how, b"\x89PNG"), 0.1)
    with pytest.raises(Undecided, match=rf"^x {ENDS[how]}$"):
        engine(small(), "x")
    assert process() is None
    with pytest.raises(Undecided, match=rf"^y {ENDS[how]}$"):
        engine(small(), "y")
    assert process() is None  # not again
    assert engine(encoded(drawing(40, 30)), "z").width == 40


def busy(seconds: float) -> Engine:
    """Every part of its pictures takes so much processor time."""

    def region(*_: int) -> np.ndarray:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
        return np.zeros((1, 1, 3), np.uint8)

    return lambda *_: Picture(1000, 1000, region)


def test_all_parts_of_a_picture_share_its_time():
    """Else one that is asked for ten crops would have ten times the time."""
    picture = apart.apart(busy, (0.1,), 0.25)(b"", "x")
    assert picture.region(0, 0, 1, 1).shape == (1, 1, 3)
    with pytest.raises(Undecided, match=r"x takes more than data\.max_seconds=0\.25 "):
        [picture.region(0, 0, 1, 1) for _ in range(3)]


def test_one_that_is_killed_from_outside_is_no_fault_of_the_picture():
    with pytest.raises(Lost, match=r"^the process that decodes x was ended by SIGKILL \(out of memory\?\)$"):
        apart.apart(deadly, ("killed", b"\x89PNG"), 0.1)(small(), "x")


def test_each_thread_has_its_own_and_it_ends_with_the_thread():
    found: list[int | None] = []

    def work() -> None:
        read_image(small(), "x")
        found.append(process())

    work()
    for _ in range(2):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(set(found)) == 3
    for number in found[1:]:
        with suppress(ChildProcessError):  # others may have waited for it
            assert os.waitpid(number, 0)
        assert process_exists(number) is False


def test_a_fork_of_this_process_has_its_own():
    read_image(small(), "x")
    if not (child := os.fork()):
        status = 1
        try:
            before = process()
            read_image(small(), "x")
            status = int(before == process())
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    read_image(small(), "x")


def test_a_fence_that_is_there_already_is_enough():
    before = signal.signal(signal.SIGPROF, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_PROF, 100)
    try:
        assert PILLOW(small(), "x").width == 40
        assert process() is None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@pytest.fixture
def images(small_data, monkeypatch) -> ImageMaker:
    """Those of training, of which the decoder "simplejpeg" does not survive number 20; with `how` as the test says."""
    return replace(training_images(small_data), engine="simplejpeg", max_seconds=0.1)


def put_in_place(monkeypatch, images: ImageMaker, how: str) -> None:
    content = images.split.read(20)
    kind = Kind(lambda: True, lambda *_: lambda given: end(how) if given == content else None, "")
    monkeypatch.setitem(ENGINES, "simplejpeg", kind)


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_without_worker_processes_are_fenced_too(images, monkeypatch, how, workers):
    """In training the image is replaced and listed, and ends an evaluation, as where processes decode."""
    order = [[(draw, index) for index in range(61)] for draw in range(2)]
    expected = copies(Loader(images, order, 0))
    vars(apart._of_thread).clear()
    put_in_place(monkeypatch, images, how)
    with Loader(images, order, workers, "thread", max_bad=1) as loader:
        got = copies(loader)
    assert list(loader.broken) == [20]
    assert re.search(rf"{ENDS[how]}$", loader.broken[20])
    for batch, usual in zip(got, expected, strict=True):
        assert np.array_equal(batch.images[20], usual.images[21])
        assert np.array_equal(batch.images[21:], usual.images[21:])
    sentence = f"{re.escape(images.split.name(20))} {ENDS[how]}: it cannot be counted; repair or remove it"
    with (
        Loader(replace(images, replace=False), ORDER, workers, "thread") as loader,
        pytest.raises(UserError, match=sentence),
    ):
        copies(loader)


@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_process_that_is_killed_from_outside_breaks_no_image(images, monkeypatch, workers, replaced):
    put_in_place(monkeypatch, images, "killed")
    with (
        Loader(replace(images, replace=replaced), ORDER, workers, "thread") as loader,
        pytest.raises(Lost, match=r"the process that decodes .*train_00008\.png was ended by SIGKILL"),
    ):
        copies(loader)
    data = DataConfig(path="here", engine="simplejpeg")
    with pytest.raises(Lost):
        list(FullImages(images.split, images.transform.arch, 32, data, [[(0, 20)]], workers))


def test_whole_images_are_fenced_too(images, monkeypatch, small_data):
    put_in_place(monkeypatch, images, "crash")
    data = DataConfig(path=str(small_data), engine="simplejpeg")
    order = [[(0, index)] for index in range(18, 24)]
    whole = FullImages(images.split, images.transform.arch, 32, data, order, 2)
    with pytest.raises(UserError, match=rf"{ENDS['crash']}: it cannot be counted"):
        list(whole)


def test_images_of_a_caller_are_fenced(images, monkeypatch, small_data):
    split = read_split(DataConfig(path=str(small_data)), "train")
    monkeypatch.setattr("cnnbench.data.decode.engines.pillow", deadly("crash", split.read(20)))
    with pytest.raises(Undecided, match=ENDS["crash"]):
        Images(split)[20]
    assert Images(split)[21][0].size == (28, 28)
    with pytest.raises(Undecided, match=ENDS["crash"]):
        open_picture(split.read(20), "x", make_engine("pillow", seconds=5.0))
