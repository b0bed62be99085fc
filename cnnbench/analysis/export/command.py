"""`cnnbench export`: the network of a run, or a weights file's, as safetensors, ONNX or a torch.export program."""

from __future__ import annotations

from pathlib import Path

from cnnbench.analysis.export.forms import ExportReport, export
from cnnbench.analysis.export.record import record
from cnnbench.archs.from_config import build_network, normalised_by
from cnnbench.config.analyse import SUFFIXES, ExportConfig
from cnnbench.config.arch import check_size
from cnnbench.config.image_size import input_size
from cnnbench.runs.paths import run_folder
from cnnbench.runs.trained_model import TrainedModel, find_trained_model
from cnnbench.runtime.errors import UserError


def export_command(config: ExportConfig) -> float:
    """Export what `config` names and print where it lies; the largest difference between the file's logits and ours."""
    trained_model = find_trained_model(config)
    arch, size, classes = trained_model.arch, _size(config, trained_model), _classes(config, trained_model)
    check_size(arch, size)
    model = build_network(arch, classes, size, trained_model.weights, tell=print)
    if trained_model.averaged is not None:
        model.load_state_dict(trained_model.averaged)
    folder = run_folder(config.run) if config.run is not None else Path()
    name = arch.name + "-averaged" * (trained_model.averaged is not None)
    path = Path(config.output or folder / f"{name}{SUFFIXES[config.form]}").expanduser()
    about = record(arch, size, classes, trained_model.classes)
    try:
        report = export(model, path, config.form, size, arch.in_channels, about)
    except ValueError as error:
        raise UserError(str(error)) from error
    print(_show(report, trained_model, size, classes))
    return report.difference


def _size(config: ExportConfig, trained_model: TrainedModel) -> int:
    if config.image_size is not None:
        return config.image_size
    return input_size(trained_model.trained) if trained_model.trained is not None else trained_model.arch.image_size


def _classes(config: ExportConfig, trained_model: TrainedModel) -> int:
    return len(trained_model.classes) if trained_model.classes is not None else config.num_classes or 1000


def _show(report: ExportReport, trained_model: TrainedModel, size: int, classes: int) -> str:
    arch = trained_model.arch
    mean, std = normalised_by(arch)
    return f"""{trained_model.title} -> {report.form}
file        {report.path}, {report.size / 1e6:,.1f} MB
images      float32 (N, {arch.in_channels}, {size}, {size}): pixels in [0, 1], less {mean}, divided by {std}
logits      float32 (N, {classes})
compared    read back, run on random images: largest difference {report.difference:.2g}, allowed {report.bound:.2g}"""
