"""The commands that print tables, by the words that a user gives them."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise

import pytest

from cnnbench.archs.registry import names


def test_zoo_lists_every_network_in_every_form(command):
    rows = json.loads(command("zoo", "format=json").stdout)
    assert {row["key"] for row in rows} == set(names())
    table = list(csv.DictReader(io.StringIO(command("zoo", "format=csv", "family=vgg", "sort=params").stdout)))
    assert [row["key"] for row in table][:2] == ["vgg11", "vgg11_bn"]
    assert all(int(a["params"]) <= int(b["params"]) for a, b in pairwise(table))
    markdown = command("zoo", "name=*50*", "format=markdown").stdout
    assert "| resnet50 |" in markdown
    assert "vgg" not in markdown


def test_describe_counts_and_sets_the_published_figures_beside(command):
    description = json.loads(command("describe", "arch=vgg16", "format=json").stdout)
    totals = description["totals"]
    assert (totals["params"], totals["params_with_aux"], totals["macs"]) == (138357544, 138357544, 15470264320)
    assert len([layer for layer in description["layers"] if layer["type"] in ("Conv2d", "Linear")]) == 16
    text = command("describe", "arch=vgg16", "image_size=32", "num_classes=10").stdout
    assert "input 3x32x32, 10 classes" in text
    assert "(-75.69%)" in text, "the deviation from the published form is said"


def test_describe_counts_auxiliary_heads_apart(command):
    totals = json.loads(command("describe", "arch=googlenet", "format=json").stdout)["totals"]
    assert (totals["params"], totals["params_with_aux"]) == (6998552, 13378280)


def test_lecture_lists_and_shows(command, tmp_path):
    assert "overlapping_pooling" in command("lecture").stdout
    assert "819,200" in command("lecture", "reduction").stdout
    done = command("lecture", "densenet_resnet", "plot=plot.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("zoo family=vgf", "choose one of"),
        ("zoo sort=size_of", "no column"),
        ("zoo name=nothing", "no network matches"),
        ("zoo format=xml", "choose one of table, markdown, csv, json"),
        ("describe", "give arch=NETWORK"),
        ("describe arch=resnet500", "did you mean resnet50"),
        ("describe arch=vgg16 image_size=31", "at least 32"),
        ("lecture reluu", "did you mean relu"),
        ("lecture relu batch=2", "takes no options"),
        ("lecture densenet_resnet plot=/proc/none/x.png", "/proc/none/x.png"),
        ("lecture lrn plot=lrn.png", "lecture lrn has no picture; those with one: "),
        ("lecture plot=x.png", "plot= belongs to a claim: name it"),
        ("lecture all=true relu", "all=true shows every claim as it is: leave out relu"),
        ("lecture all=true units=3", "leave out units"),
        ("lecture all=true output=/proc/none", "/proc/none"),
        ("lecture dropout_networks units=40", "units=40 has 2^40 masks: choose 1 to 16"),
        ("lecture batch_norm network=vgg16", "vgg16 has no batch normalisation to fold: choose a network that has"),
        ("lecture batch_norm network=vgg61", "unknown network 'vgg61', did you mean vgg19 or vgg16"),
        ("lecture feature_reuse run=none", "none"),
        ("lecture xception channels=16", "cannot be split into three towers"),
    ],
)
def test_mistakes_are_one_line(command, words, hint):
    done = command(*words.split())
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert hint in done.stderr
