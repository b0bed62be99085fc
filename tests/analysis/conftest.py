"""What several tests of trained networks begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from cnnbench.archs.registry import build


@pytest.fixture
def place(tmp_path, small_data) -> Path:
    """The folder of a test with weights of resnet20 for 7 classes, w.pt, and images of them in data/."""
    torch.manual_seed(4)
    torch.save(build("resnet20", 7).state_dict(), tmp_path / "w.pt")
    shutil.copytree(small_data, tmp_path / "data")
    return tmp_path
