"""Which image comes when: no image twice, none left out, whatever the number of processes."""

from __future__ import annotations

import pytest

from cnnbench.data.sampler import epoch_order, evaluation_batches, image_random, training_batches


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
