"""What the end of a run says."""

from __future__ import annotations

from pathlib import Path

from cnnbench.training.result import over_group, result_text

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


def test_a_line_whose_figures_are_not_there_is_left_out():
    folder, required = Path("runs/vgg"), {"wrong_top1": 3, "wrong_top5": 1, "n": 10}
    whole, bare = (result_text(folder, result).splitlines() for result in (RESULT, required))
    assert [line for line in whole if line not in bare] == [
        "vgg16 after 74 epochs, 10 validation images, one centre crop:",
        "best        top-1 error 30.00 % after epoch 70, chosen on these same images",
        "speed       1 training images per second, 2 s of training",
    ]
    assert bare[1] == "the network, 10 validation images, one centre crop:"


def test_curves_are_named_where_tensorboard_has_written_any(tmp_path):
    assert "curves      " not in result_text(tmp_path, RESULT)
    (tmp_path / "tensorboard").mkdir()
    assert f"curves      tensorboard --logdir {tmp_path}" in result_text(tmp_path, RESULT)


def test_memory_and_energy_are_those_of_all_processes():
    one = {"peak_memory": 5, "peak_resident": 7, "device_joules": 1.5, "device_utilisation": 0.4}
    other = {"peak_memory": 9, "peak_resident": 6, "device_joules": 2.25, "device_utilisation": 0.5}
    both = {"peak_memory": 9, "peak_resident": 7, "device_joules": 3.8, "device_utilisation": 0.45}
    assert over_group([one, other]) == both
    assert over_group([one]) == one
    assert over_group([one, {"peak_resident": 6}]) == {"peak_resident": 7}, "what one does not tell is not known"
    assert over_group([]) == {}, "of a process that does not lead"
