"""The table of all networks."""

import csv
import io
import json
import subprocess
import sys

import pytest

from cnnbench.analysis.zoo import ZOO_COLUMNS, render_zoo, zoo_table


def row(key: str) -> dict:
    return next(row for row in zoo_table() if row["key"] == key)


def test_a_row_holds_size_cost_and_the_published_error_with_its_source():
    assert row("resnet50") == {
        "key": "resnet50",
        "family": "resnet",
        "year": 2015,
        "layers": 50,
        "params": 25_557_032,
        "macs": 4_089_184_256,
        "image_size": 224,
        "top1_err": 24.01,
        "top5_err": 7.02,
        "protocol": "single crop",
        "split": "val",
        "where": "fb.resnet.torch",
        "differs": "batch normalisation after the addition, not before it",
    }
    assert row("resnet101")["differs"] is None
    shown = render_zoo(zoo_table(name="resnet50"))
    assert "the errors beside resnet50 are of a network with batch normalisation after the addition" in shown


@pytest.mark.parametrize(
    ("key", "top1", "top5", "protocol"),
    [
        ("alexnet", 40.7, 18.2, "10 crops"),  # one network, not the ensemble that won
        ("googlenet", None, 10.07, "single crop"),  # not 6.67, seven networks
        ("vgg16", 27.0, 8.8, "dense"),
        ("resnet152", 22.16, 6.16, "single crop"),  # not 3.57, six networks on the test set
        ("inception_v2", 21.6, 5.8, "single crop"),
        ("resnet20", 8.75, None, "whole image"),
        ("resnet110", 6.43, None, "whole image"),
        ("preact_resnet152", None, None, None),  # the paper tests 200 layers
    ],
)
def test_the_error_shown_is_of_one_network(key, top1, top5, protocol):
    shown = row(key)
    assert (shown["top1_err"], shown["top5_err"], shown["protocol"]) == (top1, top5, protocol)


def test_networks_without_a_paper_result_show_public_weights():
    assert row("vgg16_bn")["top1_err"] == pytest.approx(26.64)
    assert row("vgg16_bn")["where"] == "torchvision, VGG16_BN_Weights.IMAGENET1K_V1"


def test_filters():
    assert {row["key"] for row in zoo_table(family="xception")} == {"xception"}
    assert [row["key"] for row in zoo_table(name="vgg1?")] == ["vgg11", "vgg13", "vgg16", "vgg19"]
    assert [row["key"] for row in zoo_table(name="_bn")] == ["vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"]
    assert zoo_table(name="efficientnet") == []
    with pytest.raises(ValueError, match="no family 'resnets': choose one of lenet, "):
        zoo_table(family="resnets")


def test_sorting_puts_empty_cells_last():
    rows = zoo_table(sort="top1_err")
    errors = [row["top1_err"] for row in rows]
    known = [error for error in errors if error is not None]
    assert errors[: len(known)] == sorted(known)
    assert zoo_table(family="vgg", sort="macs")[0]["key"] == "vgg11"
    with pytest.raises(ValueError, match="no column 'speed' to sort by"):
        zoo_table(sort="speed")


def test_forms():
    rows = zoo_table(family="resnext")
    assert json.loads(render_zoo(rows, "json")) == rows
    parsed = list(csv.DictReader(io.StringIO(render_zoo(rows, "csv"))))
    assert list(parsed[0]) == list(ZOO_COLUMNS)
    assert parsed[0]["params"] == "25028904"
    assert "| resnext50_32x4d | resnext | 2016 | 50 | 25.03 | 4.23 | 224 | 22.20 | - |" in render_zoo(rows, "markdown")
    assert all(len(line) <= 120 for line in render_zoo(zoo_table()).splitlines())
    assert "no network matches" in render_zoo([])


def test_no_torch_is_imported():
    code = "import sys, cnnbench.analysis.zoo as z; z.render_zoo(z.zoo_table()); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
