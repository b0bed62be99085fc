"""`cnnbench eval`: the error of a run, of a checkpoint file, or of several together, on the val split of a data set."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext

import numpy as np
import torch
from torch import nn

from cnnbench.archs.compiled import WholeBatches, compiled
from cnnbench.archs.from_config import weights_file
from cnnbench.archs.fully_convolutional import FullyConvolutional
from cnnbench.config.evaluate import EvalConfig
from cnnbench.config.protocols import PROTOCOLS
from cnnbench.data.layouts.read import data_folder
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.full_images import FullImages
from cnnbench.data.loading.loader import Loader, loader_of
from cnnbench.data.loading.normalise import Normalise
from cnnbench.data.loading.sampler import evaluation_batches
from cnnbench.data.loading.transform import Transform
from cnnbench.evaluation.competing import among_competing
from cnnbench.evaluation.counts import Counts
from cnnbench.evaluation.ensemble import EnsembleMember, ensemble_members, split_and_targets
from cnnbench.evaluation.evaluate import predict, warn_of_broken
from cnnbench.evaluation.localise import localiser_of
from cnnbench.evaluation.member import member_networks, transform_of
from cnnbench.evaluation.predictions import Predictions, gather, make_predictions
from cnnbench.evaluation.probabilities import OverViews
from cnnbench.evaluation.result import Evaluated, Report, report_evaluation
from cnnbench.evaluation.sampled_dropout import SampledDropout
from cnnbench.runtime import distributed, stdout
from cnnbench.runtime.devices import (
    choose_device,
    choose_processes,
    choose_workers,
    device_of,
    exact,
    exact_place,
    pins,
    share_cores,
)
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.launcher import launch
from cnnbench.runtime.precision import choose_precision


def evaluate_command(config: EvalConfig) -> float:
    """Evaluate what `config` names, and print and write the result; its top-1 error in percent."""
    return evaluate_and_report(config, report_evaluation)


def evaluate_and_report(config: EvalConfig, report: Report) -> float:
    """Evaluate what `config` names, in as many processes as the devices call for, and `report` it; its top-1 error in
    percent."""
    device = choose_device(config.device)
    if distributed.started_by_launcher():
        with distributed.joined(device) as process:
            return _evaluate(config, process, device, report)
    # Unpacks the sample, and fetches torchvision's weights, once, before several processes ask for them.
    for member in ensemble_members(config):
        data_folder(member.data)
        weights_file(member.arch.name, member.trained_model.weights.name)
    processes = 1 if config.boxes is not None else choose_processes(config.processes, device)
    if processes == 1:
        return _evaluate(config, Process(), device, report)
    return launch(_evaluate_child, processes, config, device, report)


def _evaluate_child(config: EvalConfig, device: str, report: Report) -> float:
    with distributed.joined(device) as process:
        return _evaluate(config, process, device, report)


def _evaluate(config: EvalConfig, process: Process, device_name: str, report: Report) -> float:
    group, device = ensemble_members(config), device_of(process.local_rank, device_name)
    share_cores(process.world, device_name)
    split, targets = split_and_targets(group[0])
    in_a_file = config.output is not None or config.run is not None
    with stdout.may_be_lost("the evaluation") if in_a_file else nullcontext():
        if process.leads:
            print(f"files       val: {split.account.in_words(len(split))}", flush=True)
        networks = member_networks(group, len(split.classes), device, print if process.leads else None)
        localiser = None
        if config.boxes is not None:
            networks = [one] = list(networks)
            localiser = localiser_of(*one, split, config.boxes)
        own = predictions_by(networks, split, targets, process, device)
        counts = distributed.sum_over_group(torch.tensor(dataclasses.astuple(own.counts()), device=device), process)
        predictions = gather(own, process)
        if predictions is not None:
            located = None if localiser is None else localiser.locate(split, predictions)
            report(Evaluated(group, config, predictions, split, targets, located))
    return Counts(*counts.tolist()).top1_error


def predictions_by(
    networks: Iterable[tuple[EnsembleMember, nn.Module]],
    split: Split,
    targets: np.ndarray,
    process: Process,
    device: torch.device,
    tell_broken: Callable[[Loader | FullImages], None] = warn_of_broken,
) -> Predictions:
    """The predictions for this process's share of `split`, by the mean probabilities of `networks`, on `device`; each
    is asked for when it is used.

    `tell_broken` is called once with a loader whose `broken` has the images that could not be decoded."""
    logits, broken = log_probabilities_by(networks, split, process, device, tell_broken)
    index = list(range(process.rank, len(split), process.world))
    return make_predictions(logits, broken, index, targets[index])


def log_probabilities_by(
    networks: Iterable[tuple[EnsembleMember, nn.Module]],
    split: Split,
    process: Process,
    device: torch.device,
    tell_broken: Callable[[Loader | FullImages], None] = warn_of_broken,
    around: Callable[[Transform], Transform] = lambda transform: transform,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logarithms of the mean probabilities, float64 (n, classes), for this process's share of `split`, and which images
    are broken, bool (n,), on `device`. `around` makes the transform of the views another, which crops alone have."""
    count = len(range(process.rank, len(split), process.world))
    total = torch.full((count, len(split.classes)), -math.inf, dtype=torch.float64, device=exact_place(device))
    broken, passes = torch.zeros(count, dtype=torch.bool, device=device), 0
    for member, model in networks:
        settings = member.settings
        normalise = Normalise(member.arch, device, settings.channels_last)
        precision = choose_precision(settings.precision, device.type)
        for form, loader in _passes(member, model, split, process, device, around):
            with loader:
                logits, broken = predict(form, loader, normalise, precision, process, len(split.classes))
            logits = among_competing(logits, split.competing)
            if passes == 0:
                tell_broken(loader)
            total, passes = torch.logaddexp(total, exact(logits).log_softmax(1)), passes + 1
    return total - math.log(passes), broken.to(total.device)


def _passes(
    member: EnsembleMember,
    model: nn.Module,
    split: Split,
    process: Process,
    device: torch.device,
    around: Callable[[Transform], Transform],
) -> Iterator[tuple[nn.Module, Loader | FullImages]]:
    """What is applied to which images, once for each: whole images one scale after the other, crops at once."""
    settings, arch = member.settings, member.arch
    data, protocol = settings.data, PROTOCOLS[settings.protocol]
    workers = choose_workers(data.workers, process.world)
    if protocol.whole:
        if split.border:
            raise UserError(f"protocol={settings.protocol} takes whole images, and these have a border: use center")
        order = list(evaluation_batches(len(split), 1, process.rank, process.world))
        for scale in member.scales:
            yield (
                OverViews(FullyConvolutional(model), 1, protocol.mirrored),
                FullImages(split, arch, scale, data, order, workers),
            )
        return
    if settings.compile:  # not whole images, each of another shape
        model = WholeBatches(compiled(model, settings.compile_mode))
    transform = around(transform_of(member, split.border))
    batch = max(1, settings.batch // transform.views)
    order = list(evaluation_batches(len(split), batch, process.rank, process.world))
    several = transform.views > 1 or protocol.mirrored
    form = OverViews(model, transform.views, protocol.mirrored) if several else model
    form = _under_masks(form, protocol.draws, arch.name) if protocol.draws else form
    yield form, loader_of(split, transform, data, order, workers, pins(device))


def _under_masks(model: nn.Module, draws: int, name: str) -> nn.Module:
    try:
        return SampledDropout(model, draws)
    except ValueError as error:
        raise UserError(
            f"protocol=monte_carlo_dropout draws masks of dropout, and {name} has none: use center"
        ) from error
