"""The images of a run: what the loop asks of its loaders, and the loaders that its config describes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from cnnbench.config.image_size import input_size, training_image_sizes
from cnnbench.config.train import TrainConfig
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.fastest import engine_in_words
from cnnbench.data.loading.knee import workers_for
from cnnbench.data.loading.loader import Batch, Loader, loader_of
from cnnbench.data.loading.sampler import (
    ProcessShare,
    SampleKey,
    SampleOrder,
    epoch_order,
    evaluation_batches,
    training_batches,
)
from cnnbench.data.loading.transform import EvaluationTransform, TrainingTransform, Transform
from cnnbench.runtime.devices import pins, shares_memory
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.files import read_text, write_text
from cnnbench.runtime.limits import check_open_files, small_shared_memory
from cnnbench.training.precise_norms import GROUP
from cnnbench.training.splits import Splits
from cnnbench.training.state import TrainState


class Batches(Protocol):
    """What the loop asks of a loader."""

    @property
    def order(self) -> Sequence[list[SampleKey]]:
        """Which images are in each batch."""

    @property
    def broken(self) -> dict[int, str]:
        """Number of an image that could not be decoded -> reason, of those met so far."""

    def __iter__(self) -> Iterator[Batch]: ...

    def supplied(self) -> float:
        """Images per second that its workers could make if they never had to wait."""


@dataclass(frozen=True)
class TrainData:
    """The images of a run. `images`: number of training images; `about`: form, decoder and pixels, for results;
    `files`: in words, what was taken of the data set and what was left out; `statistics`: training images by lists of
    their keys, where a run asks for them beside its order (precise_norms.py); `holdout`: images that choose in place of
    the validation images, None: those do."""

    classes: Sequence[str]
    images: int
    training: Batches
    validation: Batches
    about: dict[str, str]
    files: str = ""
    statistics: Callable[[list[list[SampleKey]]], Iterator[Batch]] | None = None
    holdout: Batches | None = None


def without_loaders(classes: int, images: int) -> TrainData:
    """What steps alone ask for: so many classes and training images, and no loader."""
    nothing: Any = None
    return TrainData([str(number) for number in range(classes)], images, nothing, nothing, {})


@contextmanager
def open_loaders(
    config: TrainConfig, splits: Splits, process: Process, device: torch.device
) -> Iterator[tuple[TrainData, Loader]]:
    """The images of a run, and the loader of the training images, whose order comes later: its workers are started,
    and so are those of evaluation."""
    augmented, plain = training_transform(config), EvaluationTransform(config.arch, input_size(config))
    workers = workers_for(splits.train, augmented, config.data, process.world)
    check_open_files((2 + needs_statistics(config) + (splits.holdout is not None)) * workers, process.world)
    if process.leads and (warning := small_shared_memory(process.world if shares_memory(device) else 0)):
        print(warning)
    train, pin = splits.train, pins(device)
    with ExitStack() as opened:

        def loader(transform: Transform, split: Split, order: list[list[SampleKey]], batch: int) -> Loader:
            made = opened.enter_context(loader_of(split, transform, config.data, order, workers, pin))
            if batch:
                made.start(batch)
            return made

        def tested(split: Split) -> Loader:
            order = list(evaluation_batches(len(split), config.eval_batch, process.rank, process.world))
            return loader(plain, split, order, len(order[0]) if order else 0)

        training = loader(augmented, train, [], config.images_at_once(process.world))
        apart = loader(augmented, train, [], config.bn_group or GROUP) if needs_statistics(config) else None
        engine = engine_in_words(train, config.data)
        yield (
            TrainData(
                train.classes,
                len(train),
                training,
                tested(splits.val),
                about={"form": train.storage.form, "engine": engine, "pixels": config.data.pixels},
                files=splits.files,
                statistics=None if apart is None else apart.batches,
                holdout=None if splits.holdout is None else tested(splits.holdout),
            ),
            training,
        )


def training_transform(config: TrainConfig) -> TrainingTransform:
    """What the run makes of a training image in each of its epochs."""
    sizes, loose = training_image_sizes(config), config.data.pixels == "loose"
    return TrainingTransform(config.arch, config.augment, max(sizes), config.seed, loose, tuple(sizes))


def needs_statistics(config: TrainConfig) -> bool:
    """Whether statistics of batch normalisation are to be computed anew for an evaluation."""
    of_average = config.average.precise_bn if config.average.kind != "none" else None
    return config.precise_bn is not None or of_average is not None


def statistics_order(config: TrainConfig, images: int, count: int, epoch: int) -> list[list[SampleKey]]:
    """The first `count` of the `images` training images in the order of `epoch`, as drawn in it, in the groups over
    which batch normalisation takes its statistics: the same whatever the number of processes, which share them."""
    chosen, size = epoch_order(images, config.seed, epoch)[:count].tolist(), config.bn_group or GROUP
    keys = [SampleKey(epoch * config.augment.repeats, image) for image in chosen]
    groups = [keys[start : start + size] for start in range(0, len(keys), size)]
    return groups[:-1] if len(groups) > 1 and len(groups[-1]) < size else groups  # a short one has other statistics


def sample_order(config: TrainConfig, images: int) -> SampleOrder:
    """Which of `images` training images each step takes."""
    return SampleOrder(images, config.chosen_batch, config.seed, config.augment.repeats)


def rest_of_run(config: TrainConfig, images: int, state: TrainState, process: Process) -> Iterator[list[SampleKey]]:
    """This process's training batches from `state` to the end of the run, over all epochs in one stream."""
    share = ProcessShare(process.rank, process.world, config.accumulate)
    return training_batches(sample_order(config, images), config.epochs, (state.epoch, state.step), share)


def record_broken(folder: Path, loader: Batches, process: Process) -> tuple[Path, int]:
    """List the training images that were replaced, with the reason, for each process in a file of its own, after those
    of earlier starts; the file, and how many there are, 0 without one. Before every save."""
    file = folder / f"broken-images-{process.rank}.txt"
    if not loader.broken:
        return file, 0
    before = read_text(file) or ""
    lines = dict.fromkeys([*before.splitlines(), *(reason for _, reason in sorted(loader.broken.items()))])
    text = "".join(f"{line}\n" for line in lines)
    if text != before:
        write_text(file, text)
    return file, len(lines)


def list_broken(folder: Path, loader: Batches, process: Process) -> None:
    """As `record_broken`, and say so."""
    file, count = record_broken(folder, loader, process)
    if count:
        print(f"{count} broken training images were replaced: {file}")
