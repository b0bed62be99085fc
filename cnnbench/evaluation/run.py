"""`cnnbench eval`: the error of a run, or of a checkpoint file, on the val split of a data set."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from cnnbench import distributed, runs
from cnnbench.config import DataConfig, EvalConfig, side
from cnnbench.data import ilsvrc
from cnnbench.data.layouts import data_folder, read_split
from cnnbench.data.loader import Loader, loader_of
from cnnbench.data.normalise import Normalise
from cnnbench.data.sampler import evaluation_batches
from cnnbench.data.split import Split
from cnnbench.data.transform import EvaluationTransform
from cnnbench.distributed import Process
from cnnbench.errors import UserError
from cnnbench.evaluation.evaluate import evaluate
from cnnbench.evaluation.metrics import Counts
from cnnbench.evaluation.report import error_table
from cnnbench.launch import launch
from cnnbench.network import build_network, weights_file
from cnnbench.precision import choose_precision
from cnnbench.subject import Subject, find_subject


def evaluate_command(config: EvalConfig) -> float:
    """Evaluate what `config` names, in as many processes as the devices call for; its top-1 error in percent."""
    device = distributed.choose_device(config.device)
    if distributed.started_by_launcher():
        with distributed.joined(device) as process:
            return _evaluate(config, process, device)
    subject = find_subject(config)
    # Unpacks the sample, and fetches torchvision's weights, once, before several processes ask for them.
    data_folder(_settings(config, subject).data.path)
    weights_file(subject.arch.name, subject.weights)
    processes = distributed.choose_processes(config.processes, device)
    if processes == 1:
        return _evaluate(config, Process(), device)
    return launch(_evaluate_child, processes, config, device)


def _evaluate_child(config: EvalConfig, device: str) -> float:
    with distributed.joined(device) as process:
        return _evaluate(config, process, device)


def _evaluate(config: EvalConfig, process: Process, device_name: str) -> float:
    subject = find_subject(config)
    settings, device = _settings(config, subject), distributed.device_of(process, device_name)
    distributed.share_cores(process, device_name)
    split = _val_split(settings.data, subject)
    tell = print if process.leads else None
    model = build_network(settings.arch, len(split.classes), side(settings), subject.weights, tell=tell)
    if subject.averaged is not None:
        model.load_state_dict(subject.averaged)
    memory_format = torch.channels_last if settings.channels_last else torch.contiguous_format
    model.to(device, memory_format=memory_format)
    with _loader(settings, split, process, device) as loader:
        counts, loss = evaluate(
            model,
            loader,
            Normalise(settings.arch, device, settings.channels_last),
            choose_precision(settings.precision, device.type),
            process,
        )
    if process.leads:
        _tell(subject, settings, counts, loss)
    return counts.top1_error


def _val_split(data: DataConfig, subject: Subject) -> Split:
    """The val split. Weights without a run are taken to count in ILSVRC's 1000 classes if the data has only such."""
    split = read_split(data, "val", subject.classes)
    if subject.classes is None and data.classes is None and ilsvrc.only_ilsvrc(split.classes):
        return split.counted_in(tuple(ilsvrc.names()))
    return split


def _loader(settings: EvalConfig, split: Split, process: Process, device: torch.device) -> Loader:
    transform = EvaluationTransform(settings.arch, side(settings))
    order = list(evaluation_batches(len(split), settings.batch, process.rank, process.world))
    workers = distributed.choose_workers(settings.data.workers, process)
    pin = device.type == "cuda"
    return loader_of(split, transform, settings.arch.in_channels, settings.data, order, workers, pin)


def _settings(config: EvalConfig, subject: Subject) -> EvalConfig:
    """`config` with arch filled in, and with the run's own settings where the command line does not say otherwise."""
    trained = subject.trained
    if trained is None:
        return config
    return dataclasses.replace(
        config,
        arch=subject.arch,
        data=dataclasses.replace(
            config.data,
            path=config.data.path or trained.data.path,
            classes=config.data.classes or trained.data.classes,
        ),
        image_size=config.image_size if config.image_size is not None else side(trained),
        precision=config.precision if config.precision != "auto" else trained.precision,
    )


def _tell(subject: Subject, config: EvalConfig, counts: Counts, loss: float) -> None:
    """Print the table and write the result as JSON."""
    arch, size = config.arch, side(config)
    short = round(size / arch.crop_ratio)
    protocol = f"one centre crop of {size} from short side {short}, {arch.interpolation}, antialiased"
    result = {
        "arch": arch.name,
        "top1_error": counts.top1_error,
        "top5_error": counts.top5_error,
        "wrong_top1": counts.wrong1,
        "wrong_top5": counts.wrong5,
        "n": counts.n,
        "loss": loss,
        "protocol": config.protocol,
        "protocol_in_words": protocol,
        "weights": subject.weights,
        "weights_kind": config.weights_kind,
        "data": config.data.path,
    }
    print(f"{subject.title}, {counts.n:,} images of {config.data.path}, {protocol}:\n{error_table(counts)}")
    output = config.output
    if output is None and config.run is not None:
        output = str(
            runs.folder(config.run) / f"eval-{config.protocol}{'-averaged' * (config.weights_kind == 'averaged')}.json"
        )
    if output is not None:
        try:
            runs.write_json(Path(output).expanduser(), result)
        except OSError as error:
            raise UserError(f"cannot write {output}: {error.strerror}") from error
        print(f"\nresult      {output}")
