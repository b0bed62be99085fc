"""Public networks for CIFAR: files as their repositories write them give the outputs that these compute."""

from __future__ import annotations

import pytest
import torch
from public_cifar import SOURCES, Drawn

from cnnbench.archs.registry import build
from cnnbench.archs.weights.load import load_weights
from cnnbench.archs.weights.profiles import named
from cnnbench.archs.weights.publisher import expected_by

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: f"{source.label}-{source.arch}")
def test_outputs_are_the_publishers(tmp_path, source):
    drawn, images = Drawn(), torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    theirs = source.function(drawn, images)
    torch.save(source.saved(drawn.tensors), tmp_path / "w.pth")
    assert expected_by(source.arch, str(tmp_path / "w.pth"), None).label == source.label
    model = build(source.arch, 10, **named(source.arch, source.label).options).double().eval()
    notes = load_weights(model, tmp_path / "w.pth", classifier="keep")
    assert any(note.startswith("renamed from ") for note in notes)
    with torch.no_grad():
        assert (model(images) - theirs).abs().max() < 1e-5 * theirs.abs().max()
