"""What the end of a run says."""

from __future__ import annotations

from pathlib import Path

from cnnbench.training.result import result_text

RESULT = {
    "arch": "vgg16", "epoch": 74, "wrong_top1": 3, "wrong_top5": 1, "n": 10, "best_top1_error": 30.0, "best_epoch": 70,
    "images_per_second": 1.0, "training_seconds": 2.0,
}  # fmt: skip


def test_the_papers_protocol_is_named_with_its_command_where_it_is_another():
    folder = Path("runs/vgg")
    assert "paper " not in result_text(folder, RESULT | {"recipe_protocol": "center"})
    said = result_text(folder, RESULT | {"recipe_protocol": "multiscale_dense"})
    line = "paper       tested by multiscale_dense: cnnbench eval run=vgg protocol=multiscale_dense"
    assert said.splitlines()[-1] == line
    averaged = {"recipe_protocol": "multiscale_dense", "averaged_wrong_top1": 2, "averaged_wrong_top5": 1}
    assert result_text(folder, RESULT | averaged).splitlines()[-1] == f"{line} weights_kind=averaged"
