"""A network that another package adds: installed by pip, it is built, trained, listed and described as ours are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "tiny-nets"
version = "1.0"
[project.entry-points."cnnbench.networks"]
tiny_nets = "tiny_nets.networks"
[tool.setuptools.package-data]
tiny_nets = ["conf/arch/*.yaml"]
"""
NETWORKS = """
import torch
from torch import nn

class TinyNet(nn.Module):
    CLASSIFIER = "fc"

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, width: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 3, padding=1)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).mean((2, 3)))

NETWORKS = {"tinynet": (TinyNet, {})}
"""
CONF = """
defaults: [/preprocessing/cifar@_here_]
name: tinynet
smallest_image: 3
learning_rate: 0.1
options:
  width: 8
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installed package with one network."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    (source / "tiny_nets/conf/arch").mkdir(parents=True)
    for name, text in {
        "pyproject.toml": PROJECT,
        "tiny_nets/__init__.py": "",
        "tiny_nets/networks.py": NETWORKS,
        "tiny_nets/conf/arch/tinynet.yaml": CONF,
    }.items():
        (source / name).write_text(text)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", target, source], check=True)
    return target


@pytest.fixture
def with_package(installed, cnnbench, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]))
    return cnnbench


# One process for all, since it is the start of a process that takes the time.
SEVERAL = """
import sys
from cnnbench.cli.main import main
for words in sys.argv[1:]:
    try:
        main(words.split())
    except SystemExit as left:
        assert not left.code, words
"""


def test_it_trains_and_is_described_and_evaluated(with_package, small_data, tmp_path):
    words = f"recipe=quick epochs=1 batch=12 data={small_data} run=tiny data.workers=0 device=cpu"
    done = subprocess.run(
        [
            sys.executable, "-c", SEVERAL, f"train arch=tinynet {words}", "eval run=tiny", "describe arch=tinynet",
            "train --help", "zoo name=tiny format=csv",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "network     tinynet" in done.stdout
    evaluated = done.stdout.partition("tinynet after epoch 1")[2]
    assert evaluated.partition("parameters")[0].count("/23") == 2
    assert "9,224 parameters" in evaluated
    assert "nothing is published of this network here" in evaluated
    assert "tinynet" in evaluated.partition("usage: ")[2]
    assert done.stdout.splitlines()[-1] == "tinynet" + 12 * ","


@pytest.mark.parametrize(
    ("spoilt", "sentence"),
    [
        (
            "NETWORKS = 1/0",
            "the networks of tiny_nets.networks, an entry point of cnnbench.networks, cannot be imported",
        ),
        ("NETWORKS = {'lenet': ()}", "has a network 'lenet' too: rename it"),
    ],
)
def test_a_package_that_is_broken_is_named_in_one_sentence(with_package, installed, spoilt, sentence):
    module = installed / "tiny_nets/networks.py"
    before = module.read_text()
    module.write_text(spoilt)
    try:
        done = with_package("describe", "arch=lenet")
    finally:
        module.write_text(before)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert sentence in done.stderr


def test_a_file_without_a_network_is_said(with_package, installed):
    module = installed / "tiny_nets/networks.py"
    before = module.read_text()
    module.write_text("NETWORKS = {}")
    try:
        done = with_package("describe", "arch=tinynet")
    finally:
        module.write_text(before)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "unknown network 'tinynet'" in done.stderr
