"""The lecture's claims about filters and operations: each figure, by a second way of computing it."""

from itertools import groupby, product
from typing import get_args, get_type_hints

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnbench.analysis.lecture import (
    activations,
    convolutions,
    densenet,
    dropout,
    history,
    modules,
    operations,
    trained,
)
from cnnbench.analysis.lecture.claims import LECTURE, function
from cnnbench.analysis.tables import Table
from cnnbench.config.analyse import LectureConfig
from cnnbench.runtime.errors import UserError


def column(table: Table, name: str) -> list:
    i = list(table.columns).index(name)
    return [row[i] for row in table.rows]


def by_first(table: Table) -> dict:
    return {row[0]: row[1:] for row in table.rows}


def test_every_claim_has_a_title_and_a_function():
    for name, claim in LECTURE.items():
        assert name.isidentifier()
        assert 10 < len(claim.title) < 80
        assert function(claim.show).__doc__, claim.show
        assert claim.picture is None or function(claim.picture).__doc__, claim.picture


def test_the_slides_of_a_part_stand_together():
    parts = [part for part, _ in groupby(claim.part for claim in LECTURE.values())]
    assert len(parts) == len(set(parts)) == 11


def test_small_filters():
    (table,) = convolutions.small_filters()
    rows = by_first(table)
    assert rows["two 3x3"] == ("5x5", 2, 18, 73_728, 1_179_648, "one 5x5", pytest.approx(100 * 7 / 18))
    assert rows["three 3x3"][0] == rows["1x7, 7x1"][0] == rows["one 7x7"][0] == "7x7"
    assert rows["three 3x3"][-1] == pytest.approx(81.48, abs=0.01)
    assert rows["1x3, 3x1"][-1] == pytest.approx(50)
    assert rows["one 7x7"][3:5] == (200_704, 3_211_264)
    (table,) = convolutions.small_filters(3)
    assert by_first(table)["one 7x7"][2:4] == (49, 441)


def test_claims_take_what_the_keys_of_their_options_hold():
    keys, seen = get_type_hints(LectureConfig), set()
    for name, claim in LECTURE.items():
        for each in filter(None, (claim.show, claim.picture)):
            hints = get_type_hints(function(each))
            for option in hints.keys() & keys.keys():
                assert hints[option] in (keys[option], get_args(keys[option])[0]), f"lecture {name} {option}="
                seen.add(option)
    assert {"channels", "map_side", "units", "network", "run", "device", "batch"} <= seen


def test_receptive_field():
    (table,) = convolutions.receptive_field(("alexnet", "vgg16", "resnet18", "resnet50"))
    assert column(table, "field") == [195, 212, 435, 427]
    assert column(table, "layer") == ["256x6x6", "512x7x7", "512x7x7", "512x7x7"]


def test_output_size():
    (table,) = convolutions.output_sizes()
    wrong = [row[0] for row in table.rows if not row[-1]]
    assert wrong == ["AlexNet conv1 as the text says"]
    assert by_first(table)["AlexNet conv1 with padding"][4:7] == (55.25, 55, 55)
    assert by_first(table)["GoogLeNet pool1"][4:7] == (55.5, 56, 56)


def test_reduction():
    table, module = convolutions.reduction()
    assert column(table, "weights") == [819_200, 208_896, 2_048]
    assert table.rows[1][-1] == pytest.approx(3.92, abs=0.01)
    assert table.rows[2][1] == "32x56x56"
    at_14 = convolutions.reduction(map_side=14)[0]
    assert at_14.rows[0][4] / at_14.rows[1][4] == pytest.approx(table.rows[1][-1])
    assert [row[1:] for row in module.rows] == [(416, 387_072), (256, 163_328)]


def test_relu():
    (table,) = operations.relu()
    assert [row for row in table.rows if row[2] != row[3]] == [(0.0, 0.0, 0.0, 1.0)]


def test_overlapping_pooling():
    (table,) = operations.overlapping_pooling()
    assert [row[1:] for row in table.rows] == [
        (2, False, "4 3 / 5 6"),
        (1, True, "4 4 3 / 5 5 6 / 5 5 6"),
        (1, True, "5 6 / 5 6"),
        (2, True, "5"),
    ]


def test_only_our_normalisation_is_the_papers_formula():
    (table,) = operations.lrn()
    ours, authors, caffe = column(table, "largest difference (%)")
    assert ours < 1e-4
    assert authors > 10
    assert caffe > authors


def test_dropout_conventions_agree_in_expectation():
    for rate in (0.5, 0.2):
        (table,) = operations.dropout(rate)
        for mean, at_test in (row[1:] for row in table.rows):
            assert mean == pytest.approx(at_test, rel=0.02)
        assert table.rows[0][2] == 1 - rate


def test_two_towers():
    (table,) = operations.two_towers()
    assert column(table, "params") == [307_456, 307_456, 614_656]
    assert table.rows[1][-1] < 1e-12


def test_label_smoothing():
    (table,) = operations.label_smoothing()
    true, other, total, difference = column(table, "computed")
    assert (true, other, total) == (pytest.approx(0.9001), pytest.approx(0.0001), pytest.approx(1))
    assert difference < 1e-12


def test_the_global_generator_is_left_as_it_was():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    for compute in (operations.dropout, operations.lrn, operations.two_towers, operations.label_smoothing):
        compute()
    assert torch.equal(torch.rand(2), expected)


def test_all_masks_of_a_network_are_enumerated_once():
    found = dropout.masks(3).tolist()
    assert sorted(map(tuple, found)) == sorted(product((0.0, 1.0), repeat=3))


def test_dropouts_networks_mask_by_mask():
    """By a loop over masks: halved weights are the arithmetic mean of a linear layer and the normalised geometric mean
    of its softmax, and not the mean of a deep network."""
    network, _ = dropout.small(4)
    half = torch.full((4,), 0.5, dtype=torch.float64)
    outputs = [(torch.tensor(mask).double() * network.x) @ network.last for mask in product((0, 1), repeat=4)]
    scaled = half * network.x @ network.last
    torch.testing.assert_close(sum(outputs) / 16, scaled)
    products = torch.ones(dropout.CLASSES, dtype=torch.float64)
    for output in outputs:
        products *= functional.softmax(output, 0) ** (1 / 16)
    torch.testing.assert_close(products / products.sum(), functional.softmax(scaled, 0))

    (table,) = dropout.dropout_networks(units=8)
    linear, geometric, arithmetic, *deep = column(table, "largest difference")
    assert max(linear, geometric) < 1e-15
    assert min(arithmetic, *deep[:2]) > 1e-3
    spread = dropout.deep_example(8)[0].std(0).max().item()
    for drawn, difference in zip(dropout.DRAWS, deep[2:], strict=True):
        assert difference < 4 * spread / drawn**0.5, "as a mean over draws comes near"


def test_saturation():
    (table,) = activations.saturation()
    rows = by_first(table)
    assert rows["relu"][:3] == (1.0, pytest.approx(50, abs=1), pytest.approx(50, abs=1))
    assert rows["relu"][3] == pytest.approx(50, abs=1), "half of the outputs are zero"
    assert rows["sigmoid"][0] == pytest.approx(0.25, abs=1e-3)
    assert rows["sigmoid"][4] < 1e-3 * rows["relu"][4]
    for name in ("tanh", "sigmoid"):
        assert rows[name][2] > 60 > 10 > rows[name][1], "flat only on large inputs"


def test_dead_units_come_with_the_rate():
    (table,) = activations.dead_relu()
    dead = {row[:2]: row[2] for row in table.rows}
    assert dead["relu", 0.1] == 0
    assert dead["relu", 10.0] > 10


def test_inception_branches_add_up_and_keep_their_side():
    branches, pool = modules.inception_branches(map_side=14)
    rows = [row for row in branches.rows if row[0] == "reduced"]
    assert [row[1] for row in rows][-1] == "concatenated"
    for index in (5, 7):
        assert sum(row[index] for row in rows[:-1]) == rows[-1][index]
    assert rows[-1][7] == 163_328, "the paper's Table 1 prints 159K"
    assert {row[4] for row in branches.rows} == {14}
    assert [row[1] for row in pool.rows] == [1024, 896]


def test_xceptions_figures_are_one_function():
    (table,) = modules.xception_figures(channels=6)
    assert [row[1] for row in table.rows] == [9 * 36, 36 + 9 * 6 * 2, 36 + 9 * 6]
    assert all(row[3] < 1e-12 for row in table.rows[1:])
    assert [len(modules.towers(nn.Conv2d(6, 6, 3), nn.Conv2d(6, 6, 1), groups)) for groups in (1, 3)] == [1, 3]


def test_the_competitions_figures():
    (table,) = history.winners_by_year()
    assert [row[0] for row in table.rows] == list(range(2010, 2018))
    errors = [row[3] for row in table.rows]
    assert errors == sorted(errors, reverse=True)
    assert table.rows[2][4] == pytest.approx(100 * (25.8 - 16.4) / 25.8)
    (places,) = history.first_places()
    assert [round(row[4]) for row in places.rows[1:]] == [16, 27, 11, 12], "the slide's percentages"


@pytest.mark.parametrize(
    ("errors", "epochs"), [([50.0, 30.0, 20.0], 2.5), ([10.0], 1.0), ([50.0, 26.0], None), ([30.0, 25.0], 2.0)]
)
def test_epochs_to_an_error(errors, epochs):
    assert trained.epochs_to({"train_top1_error": errors}, 25.0) == epochs


def test_the_interval_of_a_mean_is_students():
    mean, half = trained.mean_and_half([1.0, 2.0, 3.0])
    assert (mean, half) == (2.0, pytest.approx(4.303 / 3**0.5))
    assert trained.mean_and_half([5.0]) == (5.0, None)


def test_a_form_without_an_end_is_told_so(monkeypatch):
    def run(form: str, seed: int, wrong: int | None) -> dict:
        return {"form": form, "seed": seed, "wrong": wrong, "n": 200, "train_top1_error": [50.0, 40.0 + seed]}

    runs = [run("without at 0.3", 0, None), run("with BN at 0.3", 0, 20), run("with BN at 0.3", 1, 30)]
    kept = {"batch_norm_rates": {"machine": "a machine", "runs": runs}}
    monkeypatch.setattr(trained, "trained", lambda: kept)
    _, table = trained.batch_norm_rates()
    half = pytest.approx(12.706 * 2.5)  # of 10 and 15 %: a deviation of 5 / sqrt(2), of their mean 2.5
    assert [row[:2] for row in table.rows] == [("without at 0.3: not finite", 1), ("with BN at 0.3", 2)]
    assert table.rows[0][2:] == (None,) * 4
    assert table.rows[1][2] == 40.5
    assert table.rows[1][4:] == (12.5, half)


def test_weights_by_source_of_a_dense_block():
    """Two layers of growth 2 on 3 maps: the second reads 3 of the input and 2 of the first."""
    first, second = (
        torch.full((8, 3, 1, 1), -2.0),
        torch.cat([torch.full((8, 3, 1, 1), 1.0), torch.full((8, 2, 1, 1), 4.0)], 1),
    )
    state = {
        "features.denseblock1.denselayer1.conv1.weight": first,
        "features.denseblock1.denselayer1.conv2.weight": torch.zeros(2, 8, 3, 3),
        "features.denseblock1.denselayer2.conv1.weight": second,
    }
    assert densenet.weights_by_source(state, "x") == [[[1.0], [0.25, 1.0]]]
    with pytest.raises(UserError, match="x is not a DenseNet"):
        densenet.weights_by_source({}, "x")
