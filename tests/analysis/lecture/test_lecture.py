"""The lecture's claims about filters and operations: each figure, by a second way of computing it."""

import pytest

from cnnbench.analysis.lecture import convolutions, operations
from cnnbench.analysis.lecture.claims import LECTURE
from cnnbench.analysis.tables import Table


def column(table: Table, name: str) -> list:
    i = list(table.columns).index(name)
    return [row[i] for row in table.rows]


def by_first(table: Table) -> dict:
    return {row[0]: row[1:] for row in table.rows}


def test_every_claim_has_a_title_and_a_function():
    for name, (title, function) in LECTURE.items():
        assert name.isidentifier()
        assert 10 < len(title) < 80
        assert callable(function)
        assert function.__doc__


def test_small_filters():
    (table,) = convolutions.small_filters()
    rows = by_first(table)
    assert rows["two 3x3"] == ("5x5", 2, 18, 73_728, 1_179_648, "one 5x5", pytest.approx(100 * 7 / 18))
    assert rows["three 3x3"][0] == rows["1x7, 7x1"][0] == rows["one 7x7"][0] == "7x7"
    assert rows["three 3x3"][-1] == pytest.approx(81.48, abs=0.01)
    assert rows["1x3, 3x1"][-1] == pytest.approx(50)
    assert rows["one 7x7"][3:5] == (200_704, 3_211_264)


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
    import torch

    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    for function in (operations.dropout, operations.lrn, operations.two_towers, operations.label_smoothing):
        function()
    assert torch.equal(torch.rand(2), expected)
