"""Which image comes when: no image twice, none left out, whatever the number of processes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cnnbench.data.loading.sampler import (
    ProcessShare,
    SampleOrder,
    epoch_order,
    evaluation_batches,
    global_batch,
    image_random,
    training_batches,
)


def batches(images=61, batch=12, epochs=3, start=(0, 0), world=1, accumulate=1) -> list[list[list[tuple[int, int]]]]:
    """Per process its list of parts."""
    order = SampleOrder(images, batch, 7)
    return [
        list(training_batches(order, epochs, start, ProcessShare(rank, world, accumulate))) for rank in range(world)
    ]


def test_global_batches_do_not_depend_on_processes_or_accumulation():
    alone = [set(part) for part in batches()[0]]
    assert len(alone) == 3 * (61 // 12)
    for world, accumulate in ((2, 1), (3, 2), (1, 4), (6, 2)):
        shares = batches(world=world, accumulate=accumulate)
        for step, expected in enumerate(alone):
            parts = [part for share in shares for part in share[step * accumulate : (step + 1) * accumulate]]
            assert {len(part) for part in parts} == {12 // world // accumulate}
            assert set().union(*parts) == expected


@pytest.mark.parametrize("repeats", [1, 2, 3, 5])
@pytest.mark.parametrize("world", [1, 4, 12])
def test_a_share_is_every_worldth_row_of_the_whole_sorted_by_its_repeat(repeats, world):
    """As by sorting all of them, which a process of many need not do."""
    order = epoch_order(100, 1, 2)
    for step in range(3):
        places = np.arange(step * 12, (step + 1) * 12)
        rows = np.stack([places % repeats, order[places // repeats]], axis=1)
        whole = rows[np.argsort(rows[:, 0], kind="stable")]
        assert (global_batch(order, 12, step, repeats) == whole).all()
        for rank in range(world):
            share = global_batch(order, 12, step, repeats, ProcessShare(rank, world))
            assert (share == whole[rank::world]).all()


def test_an_epoch_has_no_image_twice_and_epochs_differ():
    first, second = batches(images=60, epochs=2)[0][:5], batches(images=60, epochs=2)[0][5:]
    assert sorted(index for part in first for _, index in part) == list(range(60))
    assert [index for part in first for _, index in part] != [index for part in second for _, index in part]
    assert not (epoch_order(60, 1, 0) == epoch_order(60, 2, 0)).all()


@pytest.mark.parametrize("start", [(0, 3), (1, 0), (2, 4)])
def test_a_start_in_the_middle_gives_the_rest(start):
    whole = batches()[0]
    assert batches(start=start)[0] == whole[start[0] * 5 + start[1] :]


@pytest.mark.parametrize("repeats", [2, 3, 5])
@pytest.mark.parametrize("world", [1, 2, 3, 6])
def test_repeats_are_those_of_hoffers_sampler(world, repeats):
    """Its rule, as torchvision states it: repeat the order, give every world-th place to a process, in batches."""
    order = SampleOrder(61, 12, 7, repeats)
    shares = [list(training_batches(order, 2, share=ProcessShare(rank, world))) for rank in range(world)]
    assert {len(share) for share in shares} == {2 * (61 // 12)}
    for epoch in range(2):
        stream = [int(index) for index in epoch_order(61, 7, epoch) for _ in range(repeats)]
        for step in range(5):
            theirs = [stream[rank::world][step * (12 // world) : (step + 1) * (12 // world)] for rank in range(world)]
            ours = [pair for share in shares for pair in share[epoch * 5 + step]]
            assert sorted(index for _, index in ours) == sorted(index for share in theirs for index in share)
            assert {draw // repeats for draw, _ in ours} == {epoch}
    appearances = [pair for share in shares for part in share for pair in part]
    assert len(set(appearances)) == len(appearances)  # each with draws of its own


@pytest.mark.parametrize("repeats", [2, 3, 4])
@pytest.mark.parametrize("world", [1, 2, 4, 8])
def test_neighbours_are_different_images(world, repeats):
    """Else mixup, which goes by neighbours, would mix an image with itself."""
    for rank in range(world):
        for part in training_batches(SampleOrder(400, 128, 7, repeats), 1, share=ProcessShare(rank, world, 2)):
            assert all(one != two for (_, one), (_, two) in pairwise([*part, part[0]]))


def test_without_repeats_the_draw_is_the_epoch():
    assert [{draw for draw, _ in part} for part in batches()[0]] == [{epoch} for epoch in range(3) for _ in range(5)]


@pytest.mark.parametrize(("images", "world", "batch"), [(23, 1, 5), (23, 2, 4), (23, 3, 7), (2, 3, 1), (1, 4, 9)])
def test_evaluation_takes_every_image_once(images, world, batch):
    parts = [part for rank in range(world) for part in evaluation_batches(images, batch, rank, world)]
    assert sorted(index for part in parts for _, index in part) == list(range(images))
    assert max(len(part) for part in parts) <= batch


def test_draws_differ_between_images_epochs_and_seeds():
    draws = {image_random(*key).random() for key in [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 1, 1), (0, 0, 11)]}
    assert len(draws) == 6
