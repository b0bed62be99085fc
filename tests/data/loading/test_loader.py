"""Images look the same whoever makes them; what goes wrong in a worker is said, and nothing is left behind."""

from __future__ import annotations

import dataclasses
import faulthandler
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnbench.config.arch import ArchConfig
from cnnbench.config.augment import (
    AugmentConfig,
    CropConfig,
    EqualizeConfig,
    EraseConfig,
    FlipConfig,
    JitterConfig,
    PcaConfig,
    PolicyConfig,
    RotateConfig,
    ShiftConfig,
)
from cnnbench.config.data import DataConfig
from cnnbench.data.decode.engines import ENGINES
from cnnbench.data.decode.picture import Undecided
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.loader import BROKEN_LABEL, Batch, ImageMaker, Loader
from cnnbench.data.loading.normalise import Normalise
from cnnbench.data.loading.sampler import SampleOrder, evaluation_batches, training_batches
from cnnbench.data.loading.transform import EvaluationTransform, TrainingTransform
from cnnbench.data.storage.files import Files
from cnnbench.runtime.errors import Lost, UserError
from cnnbench.runtime.workers import LEAVE

ARCH = ArchConfig(
    name="lenet", crop_ratio=1.0, interpolation="bilinear", mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]
)
AUGMENT = AugmentConfig(
    order=["equalize", "crop", "flip", "rotate", "shift"],
    crop=CropConfig(),
    flip=FlipConfig(p=0.5),
    rotate=RotateConfig(p=0.5),
    shift=ShiftConfig(p=0.5),
    equalize=EqualizeConfig(p=0.3),
)
ORDER = list(training_batches(SampleOrder(61, 12, 7), 2))
FORMS = [(0, "process"), (1, "process"), (3, "process"), (1, "thread"), (3, "thread")]


def training_images(data: Path, augment: AugmentConfig = AUGMENT, channels: int = 3) -> ImageMaker:
    split = read_split(DataConfig(path=str(data)), "train")
    return ImageMaker(split, TrainingTransform(ARCH, augment, 32, 5), channels, "auto", replace=True)


def copies(loader: Loader) -> list[Batch]:
    with loader:
        return [Batch(*(part.clone() for part in vars(batch).values())) for batch in loader]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_do_not_depend_on_workers(small_data, channels):
    images = training_images(small_data, channels=channels)
    expected = copies(Loader(images, ORDER, 0))
    assert [tuple(batch.images.shape) for batch in expected] == [(12, 32, 32, channels)] * 10
    assert torch.cat([batch.labels for batch in expected]).tolist() == [
        images.split.labels[index] for part in ORDER for _, index in part
    ]
    assert len({batch.images.numpy().tobytes() for batch in expected}) == 10
    for workers, kind in FORMS[1:]:
        for prefetch in (1, 4):
            got = copies(Loader(images, ORDER, workers, kind, prefetch))
            for one, other in zip(expected, got, strict=True):
                assert torch.equal(one.images, other.images)
                assert torch.equal(one.labels, other.labels)


@pytest.mark.parametrize("policy", ["randaugment", "autoaugment", "trivialaugment", "augmix"])
def test_colours_policies_and_repeats_do_not_depend_on_workers(small_data, policy):
    augment = AugmentConfig(
        crop=CropConfig(kind="scale_jitter", short_side=[256, 320]),
        jitter=JitterConfig(p=0.5, hue=0.1),
        pca=PcaConfig(p=0.5),
        policy=PolicyConfig(p=0.7, kind=policy),
        erase=EraseConfig(p=0.5, fill="noise"),
    )
    images = training_images(small_data, augment)
    order = list(training_batches(SampleOrder(61, 12, 7, repeats=3), 2))
    expected = copies(Loader(images, order, 0))
    got = copies(Loader(images, order, 2, "process"))
    assert all(torch.equal(one.images, other.images) for one, other in zip(expected, got, strict=True))
    # Each repeat has draws of its own; a policy may slide all of a small image away.
    looks = [image.tobytes() for batch in expected for image in batch.images.numpy() if image.any()]
    assert len(set(looks)) == len(looks) > 110


def test_engines_do_not_matter(small_data):
    images = training_images(small_data)
    expected = copies(Loader(images, ORDER[:3], 0))
    for engine in (*(name for name, kind in ENGINES.items() if kind.is_here()), "pillow"):
        got = copies(Loader(dataclasses.replace(images, engine=engine), ORDER[:3], 0))
        assert all(torch.equal(one.images, other.images) for one, other in zip(expected, got, strict=True))


def test_device_operations_get_the_same_draws(small_data):
    """augment.device=gpu leaves what comes after the crop to the batch form: alike but for the rounding of rotation."""
    on_cpu = dataclasses.replace(AUGMENT, order=["crop", "flip", "rotate", "shift"])
    expected = next(iter(Loader(training_images(small_data, on_cpu), ORDER, 0)))
    batch = next(iter(Loader(training_images(small_data, dataclasses.replace(on_cpu, device="gpu")), ORDER, 0)))
    assert batch.parameters.shape == (12, 6)
    assert not torch.equal(batch.images, expected.images)
    plain = dataclasses.replace(ARCH, mean=[0.0] * 3, std=[1 / 255] * 3)
    done = Normalise(plain, torch.device("cpu"), True, on_cpu)(batch)
    difference = (done - expected.images.permute(0, 3, 1, 2)).abs()
    assert difference.max() <= 2
    assert (difference > 0.5).float().mean() < 0.2


def test_a_last_batch_may_be_smaller_and_no_batch_is_fine(small_data):
    split = read_split(DataConfig(path=str(small_data)), "val")
    images = ImageMaker(split, EvaluationTransform(ARCH, 32), 3, "auto")
    for workers, kind in FORMS:
        loader = Loader(images, list(evaluation_batches(23, 5, 0, 1)), workers, kind)
        with loader:
            for _ in range(2):  # it may be iterated again
                assert [len(batch.labels) for batch in loader] == [5, 5, 5, 5, 3]
        assert list(Loader(images, [], workers, kind)) == []


@pytest.mark.parametrize("size", [10**7, 10**12])  # more than a system gives, and than it counts
def test_images_that_no_memory_holds_are_refused(small_data, size):
    split = read_split(DataConfig(path=str(small_data)), "val")
    images = ImageMaker(split, EvaluationTransform(ARCH, size), 3, "auto")
    with pytest.raises(UserError, match=rf"images of {size} pixels at batch=8 need [\d,.]+ [GT]B of memory for 5"):
        Loader(images, [], workers=0).start(8)


def test_supply_is_counted(small_data):
    loader = Loader(training_images(small_data), ORDER, 2)
    copies(loader)
    with_two = loader.supplied()
    assert 100 < with_two < 1e6
    loader.workers = 4
    assert loader.supplied() == pytest.approx(2 * with_two)


@pytest.fixture
def broken_data(small_data, tmp_path) -> Path:
    """`small_data`, with the training images 3, 4 and 60 cut short and 10 vanished after it was listed."""
    for split in ("train", "val"):
        for folder in (small_data / split).iterdir():
            (tmp_path / split / folder.name).mkdir(parents=True)
            for file in folder.iterdir():
                (tmp_path / split / folder.name / file.name).write_bytes(file.read_bytes())
    files = sorted((tmp_path / "train").rglob("*.png"))
    for number in (3, 4, 60):
        files[number].write_bytes(files[number].read_bytes()[:150])
    return tmp_path


def test_broken_training_images_are_replaced_by_the_next_whole_one(broken_data):
    images = training_images(broken_data)
    Path(images.split.name(10)).unlink()
    order = [[(0, index) for index in range(61)]]
    expected = {3: 5, 4: 5, 10: 11, 60: 0}
    for workers, kind in FORMS:
        loader = Loader(images, order, workers, kind, max_bad=4)
        [batch] = copies(loader)
        assert sorted(loader.broken) == [3, 4, 10, 60]
        assert "No such file" in loader.broken[10]
        for index, other in expected.items():
            assert torch.equal(batch.images[index], batch.images[other])
            assert batch.labels[index] == batch.labels[other]
        with pytest.raises(UserError, match=r"4 broken images, more than data.max_bad=3: .*png"):
            copies(Loader(images, order, workers, kind, max_bad=3))


def test_in_evaluation_a_broken_image_has_no_class(broken_data):
    split = read_split(DataConfig(path=str(broken_data)), "train")
    loader = Loader(ImageMaker(split, EvaluationTransform(ARCH, 32), 3, "auto"), [[(0, 3), (0, 5)]], 1)
    [batch] = copies(loader)
    assert batch.labels.tolist() == [BROKEN_LABEL, 0]
    assert (batch.images[0] == 0).all()
    assert list(loader.broken) == [3]


@dataclasses.dataclass(frozen=True)
class Deadly(Files):
    """Files of which one has the process killed that reads it, one has it crash, as an error in a decoder would, one
    never ends, one has a bug, and one finds no memory."""

    deadly: int = -1
    crashing: int = -1
    endless: int = -1
    wrong: int = -1
    greedy: int = -1

    def read(self, number: int) -> bytes:
        if number == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == self.crashing:
            faulthandler.disable()  # pytest's, which would print where it was
            os.kill(os.getpid(), signal.SIGSEGV)
        while number == self.endless:
            pass
        if number == self.greedy:
            raise Undecided("memory ran out")
        if number == self.wrong:
            raise ZeroDivisionError("a bug")
        return super().read(number)


def with_storage(images: ImageMaker, **options: int) -> ImageMaker:
    files = images.split.storage
    split = dataclasses.replace(images.split, storage=Deadly(files.root, files.names, **options))
    return dataclasses.replace(images, split=split)


def test_a_dead_worker_is_reported_with_its_cause(small_data):
    loader = Loader(with_storage(training_images(small_data), deadly=20), ORDER, 2)
    with pytest.raises(Lost, match=r"loader process \d of 2 was ended by SIGKILL .*images .*\b20\b"):
        copies(loader)


ENDS = {
    "crashing": r"train_00008\.png ends the process that decodes it \(SIGSEGV\)",
    "endless": r"train_00008\.png takes more than data\.max_seconds=0\.1 of processor time to decode",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENDS)
@pytest.mark.parametrize("workers", [1, 3])
def test_an_image_that_ends_a_worker_is_replaced_in_training_and_listed_once(small_data, kind, workers):
    images = dataclasses.replace(training_images(small_data), max_seconds=0.1)
    order = [[(draw, index) for index in range(61)] for draw in range(2)]
    expected = copies(Loader(images, order, 0))
    images = with_storage(images, **{kind: 20})
    loader = Loader(images, order, workers, "process", max_bad=1)
    got = copies(loader)
    assert list(loader.broken) == [20]
    assert re.search(ENDS[kind], loader.broken[20])
    for batch, usual in zip(got, expected, strict=True):
        assert torch.equal(batch.images[20], usual.images[21])
        assert torch.equal(batch.images[21:], usual.images[21:])
        assert torch.equal(batch.images[:20], usual.images[:20])
    with pytest.raises(UserError, match=r"1 broken images, more than data\.max_bad=0"):
        copies(Loader(images, order, workers, "process", max_bad=0))


@pytest.mark.parametrize("kind", ENDS)
def test_an_image_that_ends_a_worker_ends_an_evaluation_in_a_sentence(small_data, kind):
    images = dataclasses.replace(training_images(small_data), max_seconds=0.1, replace=False)
    with pytest.raises(UserError, match=rf"{ENDS[kind]}: it cannot be counted; repair or remove it"):
        copies(Loader(with_storage(images, **{kind: 20}), ORDER, 2))


@pytest.mark.parametrize(("workers", "kind"), FORMS)
def test_memory_that_runs_out_is_never_counted_as_an_error_of_the_network(small_data, workers, kind):
    """In training the image is replaced; an evaluation ends, since elsewhere there may be memory."""
    images = with_storage(training_images(small_data), greedy=20)
    loader = Loader(images, ORDER, workers, kind)
    copies(loader)
    assert loader.broken == {20: "memory ran out"}
    with pytest.raises(UserError, match="memory ran out"):
        copies(Loader(dataclasses.replace(images, replace=False), ORDER, workers, kind))


@pytest.mark.parametrize("reversed_", [False, True], ids=["first", "last"])
def test_loaders_close_in_any_order_without_waiting_for_each_other(small_data, reversed_):
    """The workers of one that is opened later keep no ends of the pipes of the others."""
    loaders = [Loader(training_images(small_data), ORDER, 2, "process") for _ in range(3)]
    for loader in loaders:
        loader.start(12)
    began = time.monotonic()
    for loader in loaders[::-1] if reversed_ else loaders:
        loader.close()
    assert time.monotonic() - began < LEAVE


@pytest.mark.parametrize(("workers", "kind"), FORMS)
def test_a_bug_in_a_worker_keeps_its_traceback(small_data, workers, kind):
    loader = Loader(with_storage(training_images(small_data), wrong=20), ORDER, workers, kind)
    with pytest.raises((RuntimeError, ZeroDivisionError)) as caught:
        copies(loader)
    assert "a bug" in str(caught.value) + str(caught.value.__cause__)


@pytest.mark.slow
def test_nothing_is_left_behind_and_memory_does_not_grow(small_data):
    """Workers end with their iteration, also one that is given up; descriptors and memory stay as they were."""
    images = training_images(small_data)
    copies(Loader(images, ORDER, 2))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        copies(Loader(images, ORDER, 2))
        given_up = iter(Loader(images, ORDER, 2))
        next(given_up)
        given_up.close()
    assert len(os.listdir("/proc/self/fd")) <= before
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert not [child for child in children if "loader" in Path(f"/proc/{child}/comm").read_text()]


@pytest.mark.slow
def test_a_process_that_leaves_in_the_middle_does_not_wait_for_its_workers(small_data):
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_loader import ORDER, training_images
from cnnbench.data.loading.loader import Loader
loader = Loader(training_images(Path({str(small_data)!r})), ORDER, 2)
next(iter(loader))
batches = iter(loader)
next(batches)
sys.exit(3)
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=60, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr


@pytest.mark.slow
def test_workers_leave_when_their_parent_is_killed(small_data, tmp_path):
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_loader import ORDER, training_images
from cnnbench.data.loading.loader import Loader
for _ in Loader(training_images(Path({str(small_data)!r})), ORDER, 3):
    print(open(f"/proc/self/task/{{os.getpid()}}/children").read(), flush=True)
    sys.stdin.read()
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    workers = [int(word) for word in parent.stdout.readline().split()]
    assert len(workers) == 3
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{worker}/cwd") for worker in workers):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.05)


@pytest.mark.parametrize("channels_last", [True, False])
def test_normalisation(channels_last):
    pixels = torch.randint(0, 256, (2, 5, 7, 3), dtype=torch.uint8)
    batch = Batch(pixels, torch.zeros(2, dtype=torch.int64), torch.zeros(2, 0))
    floats = Normalise(ARCH, torch.device("cpu"), channels_last)(batch)
    mean, std = torch.tensor(ARCH.mean).view(3, 1, 1), torch.tensor(ARCH.std).view(3, 1, 1)
    torch.testing.assert_close(floats, (pixels.permute(0, 3, 1, 2) / 255 - mean) / std, rtol=0, atol=2e-6)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    assert floats.is_contiguous(memory_format=memory_format)


def test_one_channel_is_the_luma_of_pillow(sample):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)

    class One:
        form = "pixels"

        def read(self, number: int) -> np.ndarray:
            return pixels

        def name(self, number: int) -> str:
            return "noise"

    split = Split(("noise",), np.zeros(1, np.int64), np.arange(1), One())
    [batch] = Loader(ImageMaker(split, EvaluationTransform(ARCH, 40), 1, "auto"), [[(0, 0)]], 0)
    assert np.array_equal(batch.images[0, :, :, 0], np.asarray(Image.fromarray(pixels).convert("L")))
