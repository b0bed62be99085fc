"""Which image comes when, and that it looks the same whoever makes it."""

from __future__ import annotations

import pytest
import torch

from cnnbench.config import ArchConfig, AugmentConfig, CropConfig, DataConfig, FlipConfig, RotateConfig, ShiftConfig
from cnnbench.data.layouts import read_split
from cnnbench.data.loader import Images, Loader, Normalise, training_transform
from cnnbench.data.sampler import epoch_order, evaluation_batches, image_random, training_batches

ARCH = ArchConfig(
    name="lenet", crop_ratio=1.0, interpolation="bilinear", mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]
)


def batches(images=61, batch=12, epochs=3, start=(0, 0), world=1, accumulate=1) -> list[list[list[tuple[int, int]]]]:
    """Per process its list of parts."""
    return [list(training_batches(images, batch, 7, epochs, start, r, world, accumulate)) for r in range(world)]


def test_global_batches_do_not_depend_on_processes_or_accumulation():
    alone = [set(part) for part in batches()[0]]
    assert len(alone) == 3 * (61 // 12)
    for world, accumulate in ((2, 1), (3, 2), (1, 4), (6, 2)):
        shares = batches(world=world, accumulate=accumulate)
        for step, expected in enumerate(alone):
            parts = [part for share in shares for part in share[step * accumulate : (step + 1) * accumulate]]
            assert {len(part) for part in parts} == {12 // world // accumulate}
            assert set().union(*parts) == expected


def test_an_epoch_has_no_image_twice_and_epochs_differ():
    first, second = batches(images=60, epochs=2)[0][:5], batches(images=60, epochs=2)[0][5:]
    assert sorted(index for part in first for _, index in part) == list(range(60))
    assert [index for part in first for _, index in part] != [index for part in second for _, index in part]
    assert not (epoch_order(60, 1, 0) == epoch_order(60, 2, 0)).all()


@pytest.mark.parametrize("start", [(0, 3), (1, 0), (2, 4)])
def test_a_start_in_the_middle_gives_the_rest(start):
    whole = batches()[0]
    assert batches(start=start)[0] == whole[start[0] * 5 + start[1] :]


@pytest.mark.parametrize(("images", "world", "batch"), [(23, 1, 5), (23, 2, 4), (23, 3, 7), (2, 3, 1), (1, 4, 9)])
def test_evaluation_takes_every_image_once(images, world, batch):
    parts = [part for rank in range(world) for part in evaluation_batches(images, batch, rank, world)]
    assert sorted(index for part in parts for _, index in part) == list(range(images))
    assert max(len(part) for part in parts) <= batch


def test_draws_differ_between_images_epochs_and_seeds():
    draws = {image_random(*key).random() for key in [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 1, 1), (0, 0, 11)]}
    assert len(draws) == 6


@pytest.mark.parametrize("channels", [1, 3])
def test_images_do_not_depend_on_workers(small_data, channels):
    config = AugmentConfig(
        crop=CropConfig(), flip=FlipConfig(p=0.5), rotate=RotateConfig(p=0.5), shift=ShiftConfig(p=0.5)
    )
    images = Images(
        read_split(DataConfig(path=str(small_data)), "train"), training_transform(ARCH, config, 32, 5), channels, 32
    )
    order = batches(epochs=2)[0]

    def all_of(workers: int) -> tuple[torch.Tensor, torch.Tensor]:
        pairs = list(Loader(images, order, workers, 2, pin=False))
        return torch.cat([pair[0] for pair in pairs]), torch.cat([pair[1] for pair in pairs])

    pixels, labels = all_of(0)
    assert pixels.shape == (120, 32, 32, channels)
    assert pixels.dtype == torch.uint8
    expected = [images.split.labels[index] for part in order for _, index in part]
    assert labels.tolist() == expected
    for workers in (1, 3):
        again = all_of(workers)
        assert torch.equal(pixels, again[0])
        assert torch.equal(labels, again[1])


@pytest.mark.parametrize("channels_last", [True, False])
def test_normalisation(channels_last):
    pixels = torch.randint(0, 256, (2, 5, 7, 3), dtype=torch.uint8)
    floats = Normalise(ARCH, torch.device("cpu"), channels_last)(pixels)
    expected = (pixels.permute(0, 3, 1, 2) / 255 - torch.tensor(ARCH.mean).view(3, 1, 1)) / torch.tensor(ARCH.std).view(
        3, 1, 1
    )
    torch.testing.assert_close(floats, expected, rtol=0, atol=2e-6)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    assert floats.is_contiguous(memory_format=memory_format)
