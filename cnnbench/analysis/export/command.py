"""`cnnbench export`: the network of a run, or a weights file's, as safetensors, ONNX or a torch.export program."""

from __future__ import annotations

import json
from pathlib import Path

from cnnbench.analysis.export.forms import ExportReport, export
from cnnbench.archs.from_config import build_network, normalised_by
from cnnbench.config.analyse import SUFFIXES, ExportConfig
from cnnbench.config.arch import check_size
from cnnbench.config.image_size import input_size
from cnnbench.runs.paths import run_folder
from cnnbench.runs.trained_model import TrainedModel, find_trained_model
from cnnbench.runtime.errors import UserError


def export_command(config: ExportConfig) -> float:
    """Export what `config` names and print where it lies; the largest difference between the file's logits and ours."""
    subject = find_trained_model(config)
    arch, size, classes = subject.arch, _size(config, subject), _classes(config, subject)
    check_size(arch, size)
    model = build_network(arch, classes, size, subject.weights, tell=print)
    if subject.averaged is not None:
        model.load_state_dict(subject.averaged)
    folder = run_folder(config.run) if config.run is not None else Path()
    name = arch.name + "-averaged" * (subject.averaged is not None)
    path = Path(config.output or folder / f"{name}{SUFFIXES[config.form]}").expanduser()
    try:
        report = export(model, path, config.form, size, arch.in_channels, _record(subject, size, classes))
    except ValueError as error:
        raise UserError(str(error)) from error
    print(_show(report, subject, size, classes))
    return report.difference


def _size(config: ExportConfig, subject: TrainedModel) -> int:
    if config.image_size is not None:
        return config.image_size
    return input_size(subject.trained) if subject.trained is not None else subject.arch.image_size


def _classes(config: ExportConfig, subject: TrainedModel) -> int:
    return len(subject.classes) if subject.classes is not None else config.num_classes or 1000


def _record(subject: TrainedModel, size: int, classes: int) -> dict[str, str]:
    """What a user of the file has to know, as text; lists as JSON."""
    arch = subject.arch
    mean, std = normalised_by(arch)
    return {
        "arch": arch.name,
        "options": json.dumps(arch.options),
        "num_classes": str(classes),
        "classes": json.dumps(subject.classes),
        "image_size": str(size),
        "in_channels": str(arch.in_channels),
        "mean": json.dumps(mean),
        "std": json.dumps(std),
    }


def _show(report: ExportReport, subject: TrainedModel, size: int, classes: int) -> str:
    arch = subject.arch
    mean, std = normalised_by(arch)
    return f"""{subject.title} -> {report.form}
file        {report.path}, {report.size / 1e6:,.1f} MB
images      float32 (N, {arch.in_channels}, {size}, {size}): pixels in [0, 1], less {mean}, divided by {std}
logits      float32 (N, {classes})
compared    read back, run on random images: largest difference {report.difference:.2g}, allowed {report.bound:.2g}"""
