"""`cnnbench average`: the mean of several checkpoints of a run, as one more checkpoint of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnbench.archs.from_config import build_network
from cnnbench.archs.norms import batch_norms
from cnnbench.config.checkpoint_mean import CheckpointMeanConfig
from cnnbench.config.image_size import input_size
from cnnbench.config.train import TrainConfig
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.loader import loader_of
from cnnbench.data.loading.normalise import Normalise
from cnnbench.runs import checkpoint
from cnnbench.runs.config import load_config
from cnnbench.runs.paths import CHECKPOINTS, run_folder, run_name
from cnnbench.runtime.devices import choose_device, choose_workers, device_of, memory_format, pins
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.precision import choose_precision
from cnnbench.training.data import statistics_order, training_transform
from cnnbench.training.frozen import freeze
from cnnbench.training.precise_norms import GROUP, precise_statistics, put
from cnnbench.training.splits import read_splits


def average_command(config: CheckpointMeanConfig) -> None:
    """Write the mean of what `config` names into the run's checkpoints, and print what it is. UserError for checkpoints
    that are not there, or that do not belong together."""
    assert config.run is not None  # check_checkpoint_mean requires it
    folder = run_folder(config.run)
    trained, checkpoints = load_config(folder), folder / CHECKPOINTS
    files = chosen_files(checkpoints, config.checkpoints, config.last)
    print(f"{folder}: the mean of {len(files)} checkpoints, {', '.join(file.stem for file in files)}", flush=True)
    content = mean_of(files, config.weights_kind)
    device = device_of(0, choose_device(config.device))
    model = build_network(trained.arch, len(content["classes"]), input_size(trained))
    model.load_state_dict(content["model"])
    if batch_norms(model):
        print(f"statistics  {_renew_statistics(model.to(device), config, trained, content)}", flush=True)
    path = checkpoints / f"{config.name}.pt"
    checkpoint.write(path, {**content, "model": {name: value.cpu() for name, value in model.state_dict().items()}})
    print(f"file        {path}\nevaluate    cnnbench eval run={run_name(folder)} checkpoint={config.name}")


def chosen_files(checkpoints: Path, names: Sequence[str], last: int) -> list[Path]:
    """The files that `names` mean, or those of the last kept epochs, in their order. UserError if one is not there."""
    if names:
        found = [checkpoint.asked_for(checkpoints, name) for name in names]
        if len(set(found)) < len(found):
            raise UserError("checkpoints= names one twice: a mean takes each once")
        return found
    kept = checkpoint.kept(checkpoints)
    if len(kept) < last:
        there = ", ".join(file.stem for file in kept) or "none"
        cure = f"give last={len(kept)}" if len(kept) > 1 else "train with keep_every=1, or give checkpoints=[best,last]"
        raise UserError(
            f"last={last} needs as many epochs that keep_every kept, and {checkpoints.parent} has {there}: {cure}"
        )
    return kept[-last:]


def mean_of(files: Sequence[Path], kind: str) -> dict[str, Any]:
    """A checkpoint with the mean of the weights in `files`, of the run's own ("raw") or of their average ("averaged"),
    summed in float64; integers, and all else that evaluation asks for, are of the one that was trained longest."""
    sums: dict[str, torch.Tensor] = {}
    longest: dict[str, Any] = {}
    for file in files:
        content = checkpoint.load(file)
        state = content.get("model" if kind == "raw" else "averaged")
        if state is None:
            raise UserError(f"{file} has no averaged weights: it was trained with average.kind=none; leave it out")
        if sums and {name: value.shape for name, value in state.items()} != {n: v.shape for n, v in sums.items()}:
            raise UserError(f"{file} is of another network than {files[0]}")
        for name, value in state.items():
            sums[name] = sums[name] + value.double() if name in sums else value.double()
        if not longest or content["state"]["epoch"] > longest["state"]["epoch"]:
            longest = {**content, "model": state}
    means = {
        name: (sums[name] / len(files)).to(value.dtype) if value.is_floating_point() else value
        for name, value in longest["model"].items()
    }
    left_out = ("model", "averaged", "optimizer", "scaler", "shares")
    about = {name: value for name, value in longest.items() if name not in left_out}
    return {**about, "model": means, "mean_of": [file.stem for file in files]}


def _renew_statistics(
    model: nn.Module, config: CheckpointMeanConfig, trained: TrainConfig, content: dict[str, Any]
) -> str:
    """Put statistics of batch normalisation over the run's own training images into `model`, as drawn in the last
    epoch of the mean; in words, what was done."""
    if config.precise_bn is None:
        return "of batch normalisation are averaged like the weights"
    split, device = read_splits(trained).train, next(model.parameters()).device
    if not checkpoint.is_of(content, len(split), split.classes):
        raise UserError(f"{trained.data.path} has other images than the run was trained on: give precise_bn=null")
    groups = statistics_order(trained, len(split), config.precise_bn, max(0, content["state"]["epoch"] - 1))
    workers = choose_workers(config.workers, 1)
    with loader_of(split, training_transform(trained), trained.data, groups, workers, pins(device)) as loader:
        batches = DevicePrefetcher(
            iter(loader), Normalise(trained.arch, device, trained.channels_last, trained.augment)
        )
        precision, kept = choose_precision(trained.precision, device.type), freeze(model, trained).paths
        model.to(memory_format=memory_format(trained.channels_last, device))
        put(precise_statistics(model, batches, precision, Process(), kept=kept))
    images = sum(map(len, groups))
    return f"of batch normalisation anew, over {images:,} training images in groups of {trained.bn_group or GROUP}"
