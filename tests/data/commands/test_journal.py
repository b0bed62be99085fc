"""A check that was interrupted goes on with what it knows, and never with what was found of other images."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from cnnbench.data.commands.inspection import Finding
from cnnbench.data.commands.journal import Journal
from cnnbench.data.storage.files import Files


class Images:
    """Stands for a split: files of `folder`, or members of one archive there, which have no time of their own."""

    def __init__(self, folder: Path, names: Iterable[str], files: bool) -> None:
        self.paths = [str(folder / name) for name in names]
        self.labels = np.zeros(len(self.paths), np.int64)
        self.max_megapixels = 64.0
        self.storage = Files("", self.paths) if files else None
        for path in self.paths if files else ():
            Path(path).touch()

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        return self.paths[index]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))


def finding(text: str) -> Finding:
    return Finding(digest=text.encode())


def start(images: Images, *texts: str) -> list[str]:
    """What a check of `images` knows at its start; it then finds `texts`, of the images that follow, and is ended."""
    journal = Journal("data", images)
    known = list(journal.resume())
    for index, text in enumerate(texts, len(known)):
        journal.add(index, finding(text))
    journal.close()
    return [found.digest.decode() for found in known]


def test_an_interrupted_check_goes_on_where_it_was(tmp_path):
    images = Images(tmp_path, "abc", files=True)
    assert start(images, "a", "b") == []
    assert start(images, "c") == ["a", "b"]
    assert start(images) == ["a", "b", "c"]


def test_a_file_that_changed_is_looked_at_again_and_then_known(tmp_path):
    images = Images(tmp_path, "abc", files=True)
    start(images, "a", "b", "c")
    os.utime(images.paths[1], (1, 1))
    assert start(images, "longer than b", "C") == ["a"]
    assert start(images) == ["a", "longer than b", "C"]


def test_nothing_of_other_images_is_taken_over(tmp_path):
    start(Images(tmp_path, "abc", files=False), "a", "b", "c")
    others = Images(tmp_path, "xyz", files=False)
    assert start(others) == []
    assert start(others) == [], "the findings of a, b and c are gone"
