"""A short form of tools/mutated_files.py: a few mutated files of each kind, by the functions that read them, and of one
kind through its commands."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import mutated_files  # noqa: E402
import whole_files  # noqa: E402

from cnnbench.archs.weights.read import read_weights  # noqa: E402
from cnnbench.config.data import SourceConfig  # noqa: E402
from cnnbench.data.commands.inspection import inspect_file  # noqa: E402
from cnnbench.data.layouts import index  # noqa: E402
from cnnbench.data.layouts.read import read_split  # noqa: E402
from cnnbench.runtime.errors import UserError  # noqa: E402

TRIALS = 12
DATA = [
    name for name, kind in whole_files.KINDS.items() if kind.commands[: len(whole_files.READS)] == whole_files.READS
]
WEIGHTS = [name for name, kind in whole_files.KINDS.items() if kind.commands == whole_files.WEIGHTS]


def whole(name: str, folder: Path) -> dict[Path, bytes]:
    """The whole files of a kind, made in `folder`."""
    whole_files.KINDS[name].make(folder)
    return {file: file.read_bytes() for pattern in whole_files.KINDS[name].files for file in folder.glob(pattern)}


def in_turn(files: dict[Path, bytes], name: str):
    """Each time with one of `files` mutated."""
    draw = random.Random(name)
    for _ in range(TRIALS):
        file = draw.choice(sorted(files))
        file.write_bytes(mutated_files.mutated(files[file], draw))
        yield file
        file.write_bytes(files[file])


@pytest.mark.parametrize("name", [name for name in DATA if name not in ("packed", "index")])
def test_data_sets_of_mutated_files_are_read_or_refused(name, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(index, "QUIET", 0.0)
    read, refusals = 0, []
    for _ in in_turn(whole(name, tmp_path), name):
        for split in ("train", "val"):
            try:
                images = read_split(SourceConfig(path=str(tmp_path / "d")), split)
                for number in range(len(images)):
                    content = images.read(number)
                    if not isinstance(content, np.ndarray):
                        inspect_file(content, images.name(number))
                read += 1
            except UserError as error:
                refusals.append(str(error))
    assert read + len(refusals) == 2 * TRIALS
    assert all(map(str.isprintable, refusals))
    assert read > 0 or name.endswith(".gz"), "a checksum finds every change"


@pytest.mark.parametrize("name", WEIGHTS)
def test_mutated_weights_are_read_or_refused(name, tmp_path):
    for package in ("h5py", "onnx"):
        if package in name.casefold() or (package, name) == ("h5py", "weights: HDF5"):
            pytest.importorskip(package)
    outcomes = []
    for _ in in_turn(whole(name, tmp_path), name):
        try:
            outcomes.append(len(read_weights(tmp_path / "w").tensors))
        except ValueError:
            outcomes.append(0)
    assert len(outcomes) == TRIALS
    assert outcomes.count(0) > 0


@pytest.mark.slow
def test_the_tool_finds_no_failure_among_tar_shards(monkeypatch):
    monkeypatch.setenv("CNNBENCH_CACHE", "")  # which the tool sets
    monkeypatch.setattr(index, "QUIET", 0.0)
    found = mutated_files.trials("tar shards", 4, seed=0)
    assert found.total() == 4
    assert set(found) <= {"read", "refused"}


@pytest.mark.parametrize(
    ("status", "said", "verdict"),
    [
        (0, "no problems\n", "read"),
        (1 << 8, "2 problems\n", "read"),
        (2 << 8, "cnnbench: x is damaged\n", "refused"),
        (2 << 8, "cnnbench: x\x1b[31m is damaged\n", "raw letters"),
        (0, "\u202egnp\n", "raw letters"),
        (70 << 8, "Traceback (most recent call last):\n", "traceback"),
        (1 << 8, "Traceback (most recent call last):\n", "traceback"),
        (9, "", "killed"),
    ],
)
def test_verdicts(status, said, verdict):
    assert mutated_files.verdict(status, said) == verdict
