"""One training process: makes all that the loop needs from the config in the run's folder, then runs the loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from cnnbench.archs.activation_checkpointing import apply_memory
from cnnbench.archs.from_config import build_network
from cnnbench.config.image_size import training_image_sizes
from cnnbench.config.schema import TrainConfig, side
from cnnbench.data.decode.engines import choose_engine
from cnnbench.data.layouts import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.loader import Chosen, Loader, loader_of
from cnnbench.data.loading.normalise import Normalise
from cnnbench.data.loading.sampler import evaluation_batches, training_batches
from cnnbench.data.loading.transform import EvaluationTransform, TrainingTransform
from cnnbench.evaluation.counts import Counts
from cnnbench.runs import checkpoint, lock
from cnnbench.runs.config import load_config
from cnnbench.runtime import distributed
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import write_text
from cnnbench.runtime.limits import check_open_files, small_shared_memory
from cnnbench.runtime.precision import choose_precision
from cnnbench.training.async_checkpointer import AsyncCheckpointer
from cnnbench.training.averages import AveragedWeights
from cnnbench.training.banner import banner
from cnnbench.training.loggers.board import show_end, show_start
from cnnbench.training.loggers.log import Log
from cnnbench.training.loop import train_epochs
from cnnbench.training.monitor import NonFiniteMonitor
from cnnbench.training.optimizers.build import build_optimizer, scaled_learning_rate
from cnnbench.training.preemption import Preemption, listening
from cnnbench.training.result import finish
from cnnbench.training.snapshot import restore
from cnnbench.training.state import TrainContext, TrainState
from cnnbench.training.status import Status


def train_process(folder: Path, process: Process, device_name: str) -> float:
    """Train the run in `folder` as `process` of its group, from its last checkpoint on; its top-1 error in percent.

    Raises Stopped, saved, once one of the processes was asked to stop. status.json says how it ended.
    """
    config = load_config(folder)
    device = distributed.device_of(process, device_name)
    _set_up_torch(config, process, device_name)
    with (
        lock.held(folder) if process.leads else nullcontext(),
        Status(folder, process) as status,
        listening(process, config.max_hours) as stopping,
    ):
        train = read_split(config.data, "train")
        val = read_split(config.data, "val", train.classes)
        if len(train) < config.batch:
            raise UserError(f"batch={config.batch} is more than the {len(train)} training images: use a smaller batch")
        _check_threshold(config, len(train.classes))
        with _loaders(config, train, val, process, device) as (loader, validation):
            training = _prepare(config, folder, process, device, train, loader, validation, stopping)
            position = _continue(training)
            status.training = training
            if process.leads:
                print(banner(training, position, train, val), flush=True)
                training.log = Log(folder, config.log_every, position.epoch, training.saver.saved[1])
                if training.saver.saved[1] == 0:
                    show_start(training)
            try:
                if position.epoch < config.epochs:
                    loader.order = _order(config, train, position, process)
                    with _within_memory(training):
                        train_epochs(training, position, DevicePrefetcher(loader, training.normalise))
                if process.leads:
                    show_end(training, position)
            finally:
                _list_broken(folder, loader, process)
                if training.log is not None:
                    training.log.close()
        if process.leads:
            finish(training, position)
    return Counts(*position.counts).top1_error


@contextmanager
def _within_memory(training: TrainContext) -> Iterator[None]:
    """A block whose lack of GPU memory is the user's to mend: a UserError that says how, without changing the run."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        config, evaluating = training.config, not training.model.training
        share = config.batch // training.process.world
        images = config.eval_batch if evaluating else share // config.accumulate
        means = f"set eval_batch={max(1, images // 2)}" if evaluating else _smaller_parts(config, share)
        where = " in evaluation" if evaluating else ""
        raise UserError(f"{images} images at a time do not fit into the GPU's memory{where}: {means}") from error


def _smaller_parts(config: TrainConfig, share: int) -> str:
    """What makes a step on a process's `share` of the batch take less memory, with the same batch and rate."""
    more = next((parts for parts in range(2 * config.accumulate, share + 1) if share % parts == 0), None)
    means = [f"set accumulate={more} (the same batch and rate, {share // more} images at a time)"] if more else []
    means += ["memory=save (activations are computed again)"] if config.memory == "keep" else []
    return " or ".join(means) or "use more processes or a smaller image_size"


def _continue(training: TrainContext) -> TrainState:
    """Put the run's last checkpoint, if there is one, into `training`; where it stands."""
    checkpoints, process = training.folder / "checkpoints", training.process
    path = distributed.from_leader(lambda: checkpoint.find_last(checkpoints), process)
    if path is None:
        return TrainState()
    content = checkpoint.load(path)
    _check_data(training.folder, content, training.record)
    position = restore(training, content)
    training.saver.saved = position.epoch, position.epoch * training.steps_per_epoch + position.step
    return position


def _prepare(
    config: TrainConfig,
    folder: Path,
    process: Process,
    device: torch.device,
    train: Split,
    loader: Loader,
    validation: Loader,
    stopping: Preemption,
) -> TrainContext:
    torch.manual_seed(config.seed)
    size = side(config)
    memory_format = torch.channels_last if config.channels_last else torch.contiguous_format
    tell = print if process.leads else None
    model = build_network(config.arch, len(train.classes), size, config.weights, new_classifier=True, tell=tell)
    model.to(device, memory_format=memory_format)
    if config.sync_batchnorm:
        model = distributed.with_sync_batchnorm(model, process)
    apply_memory(model, config.memory)
    optimizer = build_optimizer(model, config.optimizer, config.batch)
    precision = choose_precision(config.precision, device.type)
    network = torch.compile(model) if config.compile else model
    return TrainContext(
        config=config,
        folder=folder,
        process=process,
        model=model,
        network=distributed.wrap(network, process, device),
        averaged=AveragedWeights(model, config.average) if config.average.kind != "none" else None,
        optimizer=optimizer,
        scaler=precision.scaler(),
        precision=precision,
        normalise=Normalise(config.arch, device, config.channels_last, config.augment),
        full_rate=scaled_learning_rate(config.optimizer, config.batch),
        steps_per_epoch=len(train) // config.batch,
        loader=loader,
        validation=validation,
        record=_record(config, train),
        watch=NonFiniteMonitor(device),
        saver=AsyncCheckpointer(folder / "checkpoints"),
        stopping=stopping,
        log=None,
    )


def _record(config: TrainConfig, train: Split) -> dict[str, Any]:
    """What a checkpoint says of itself, in plain values."""
    return {
        "arch": config.arch.name,
        "classes": list(train.classes),
        "images": len(train),
        "data": {
            "form": train.storage.form,
            "engine": choose_engine(config.data.engine),
            "pixels": config.data.pixels,
        },
        "config": dataclasses.asdict(config),
    }


def _check_data(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise UserError if a run would continue on other data than it began with: its order of images would be lost."""
    for name in ("images", "classes"):
        if before[name] != now[name]:
            raise UserError(
                f"{folder} was trained on {before['images']} images of {len(before['classes'])} classes, and the data "
                f"now has {now['images']} images of {len(now['classes'])} classes with other names or numbers: "
                "continue on the same data, or give another run=NAME"
            )


@contextmanager
def _loaders(
    config: TrainConfig, train: Split, val: Split, process: Process, device: torch.device
) -> Iterator[tuple[Loader, Loader]]:
    """The loaders of training (its order comes later) and of evaluation, with their workers started."""
    size, workers = side(config), distributed.choose_workers(config.data.workers, process)
    check_open_files(2 * workers)
    if process.leads and (warning := small_shared_memory(process.world if device.type == "cuda" else 0)):
        print(warning)
    sides, loose = training_image_sizes(config), config.data.pixels == "loose"
    augmented = TrainingTransform(config.arch, config.augment, max(sides), config.seed, loose, tuple(sides))
    plain = EvaluationTransform(config.arch, size)
    order = list(evaluation_batches(len(val), config.eval_batch, process.rank, process.world))
    rest = config.arch.in_channels, config.data
    last = workers, device.type == "cuda"
    with (
        loader_of(train, augmented, *rest, [], *last) as loader,
        loader_of(val, plain, *rest, order, *last) as validation,
    ):
        loader.start(config.batch // process.world // config.accumulate)
        if order:
            validation.start(len(order[0]))
        yield loader, validation


def _list_broken(folder: Path, loader: Loader, process: Process) -> None:
    """List the training images that were replaced, with the reason, for each process in a file of its own."""
    if loader.broken:
        lines = [reason for _, reason in sorted(loader.broken.items())]
        file = folder / f"broken-images-{process.rank}.txt"
        write_text(file, "".join(f"{line}\n" for line in lines))
        print(f"{len(lines)} broken training images were replaced: {file}")


def _order(config: TrainConfig, train: Split, position: TrainState, process: Process) -> Iterator[Chosen]:
    """This process's training batches from `position` to the end of the run, over all epochs in one stream."""
    return training_batches(
        len(train),
        config.batch,
        config.seed,
        config.epochs,
        (position.epoch, position.step),
        process.rank,
        process.world,
        config.accumulate,
        config.augment.repeats,
    )


def _check_threshold(config: TrainConfig, classes: int) -> None:
    """Raise UserError if smoothing alone brings every class above the threshold."""
    spread, threshold = config.label_smoothing / classes, config.bce_threshold
    if threshold is not None and threshold < spread:
        raise UserError(
            f"bce_threshold={threshold:g} is below the {spread:g} that label_smoothing={config.label_smoothing:g} "
            f"gives each of {classes} classes, so that all would count in full: use more, or label_smoothing=0"
        )


def _set_up_torch(config: TrainConfig, process: Process, device: str) -> None:
    distributed.share_cores(process, device)
    torch.use_deterministic_algorithms(config.deterministic)
    torch.backends.cudnn.benchmark = not config.deterministic
    torch.set_float32_matmul_precision("high")  # TensorFloat-32 for float32 on GPUs that have it
