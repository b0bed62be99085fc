"""Real images for the tests, and the real command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is imported

Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of this session's own, into which the bundled sample is unpacked anew."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["CNNBENCH_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def sample(cache: Path) -> Path:
    from cnnbench.data.sample import sample_folder

    return sample_folder()


@pytest.fixture(scope="session")
def small_data(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """61 training and 23 validation images of 3 classes: sizes that no batch and no group of processes divides."""
    root = tmp_path_factory.mktemp("small")
    for split, counts in {"train": (20, 20, 21), "val": (8, 8, 7)}.items():
        for name, count in zip(("bag", "sandal", "trouser"), counts, strict=True):
            (root / split / name).mkdir(parents=True)
            for file in sorted((sample / split / name).iterdir())[:count]:
                shutil.copy(file, root / split / name)
    return root


@pytest.fixture
def cnnbench(tmp_path: Path, cache: Path) -> Run:
    """Run `cnnbench WORDS` in an empty folder, as a user does; returns the finished process with its text output."""

    def run(*words: object, cwd: Path = tmp_path, timeout: float = 300) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "cnnbench", *map(str, words)]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout)

    return run
