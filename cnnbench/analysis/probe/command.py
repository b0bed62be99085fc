"""`cnnbench probe`: the error of a linear classifier on the features of each layer, on the val split of a data set."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from torch import nn

from cnnbench.analysis.probe.choose import Settings, choose, hold_out
from cnnbench.analysis.probe.classifier import Rows
from cnnbench.analysis.probe.features import Features, extract, standardise
from cnnbench.analysis.probe.table import Probed, notes_of, table_of
from cnnbench.analysis.tables import render
from cnnbench.archs.forward_pass import INPUT, Point
from cnnbench.archs.layer_names import find_layer, layer_names, peoples_names
from cnnbench.config.image_size import input_size
from cnnbench.config.predict import as_eval
from cnnbench.config.probe import ALL, PIXELS, ProbeConfig, probed_layers
from cnnbench.data.layouts.ilsvrc import classes_in_words
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.evaluation.command import member_network
from cnnbench.evaluation.ensemble import EnsembleMember, ensemble_members
from cnnbench.evaluation.features import Extractor
from cnnbench.evaluation.predict import classes_of
from cnnbench.evaluation.statistics import wilson_interval
from cnnbench.runtime.devices import choose_device, device_of, share_cores
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import write_text, writing
from cnnbench.runtime.progress import tqdm


def probe_command(config: ProbeConfig) -> float:
    """Fit and test a classifier on each layer that `config` names; the least error on the val split, in percent."""
    (member,) = ensemble_members(as_eval(config))
    train, val = _splits(config, member)
    print(f"files       train: {train.account.in_words(len(train))}; val: {val.account.in_words(len(val))}", flush=True)
    print(f"data        {member.data}: {classes_in_words(train.classes)}, {len(train):,} training images")
    name = choose_device(config.device)
    share_cores(1, name)
    device = device_of(0, name)
    classes = len(classes_of(member.trained_model, None))
    network = member_network(member, classes, device, print).eval()
    points = _points(config, member, network)
    extractor = Extractor(member, network, points, device, most=config.most_values)
    settings = Settings(len(train.classes), config.penalties, config.iterations, device)
    with tempfile.TemporaryDirectory(prefix="cnnbench-probe-") as scratch:
        folders = [Path(scratch) / each for each in ("train", "val")]
        for folder in folders:
            folder.mkdir()
        seen, tested = (extract(extractor, s, f) for s, f in zip((train, val), folders, strict=True))
        parts = hold_out(seen.labels, config.held_out, config.seed)
        found = [
            _probe(layer, str(points[layer]), (seen, tested), parts, settings)
            for layer in tqdm(points, "layers", leave=False, unit="layer", disable=None)
        ]
    _report(config, member, found, (seen, tested))
    return min(each.top1_error for each in found)


def _splits(config: ProbeConfig, member: EnsembleMember) -> tuple[Split, Split]:
    """The training and validation images, with labels that count in the data's own classes, not the network's."""
    data = config.data if config.data.path is not None else member.settings.data
    train = read_split(data, "train")
    val = read_split(data, "val", train.classes)
    present = np.unique(train.labels)
    if len(present) < 2:
        raise UserError(
            f"{data.given_path} has training images of one class alone, {train.classes[present[0]]}: a classifier "
            "needs at least two"
        )
    return train, val


def _points(config: ProbeConfig, member: EnsembleMember, network: nn.Module) -> dict[str, Point]:
    """The points of the layers of `config` by their names, in the order of the forward pass. Raises UserError for one
    that is not there, and for images that the network cannot take."""
    size, channels = input_size(member.settings), member.arch.in_channels
    try:
        names = layer_names(network, size, channels)
    except ValueError as error:
        raise UserError(str(error)) from error
    points: dict[str, Point] = {}
    for layer in probed_layers(config):
        if layer == ALL:
            points |= {people[0]: point for point, people in peoples_names(names).items() if people}
        elif layer == PIXELS:
            points[layer] = Point("", INPUT, 1, 0, (channels, size, size))
        else:
            points[layer] = find_layer(names, layer)
    return dict(sorted(points.items(), key=lambda item: item[1].order))


def _probe(
    layer: str,
    point: str,
    data: tuple[Features, Features],
    parts: tuple[np.ndarray, np.ndarray],
    settings: Settings,
) -> Probed:
    seen, tested = data
    values, labels = seen.values[layer], seen.labels
    standardise(values, [tested.values[layer]])
    chosen = choose(values, labels, parts, settings)
    test = Rows(tested.values[layer], tested.labels, np.arange(len(tested.labels)))
    wrong, n = chosen.fit.wrong(test) + len(tested.broken), len(tested.labels) + len(tested.broken)
    low, high = wilson_interval(wrong, n)
    train_error = 100 * chosen.fit.wrong(Rows(values, labels, np.arange(len(labels)))) / len(labels)
    return Probed(
        *(layer, point, values.shape[1], chosen.penalty, chosen.held_out_error, train_error),
        *(100 * wrong / n, low, high, wrong, n),
        [[each.penalty, each.error] for each in chosen.tried],
        *(chosen.at_end, chosen.fit.converged),
    )


def _report(
    config: ProbeConfig, member: EnsembleMember, found: Sequence[Probed], data: tuple[Features, Features]
) -> None:
    title = f"A linear classifier on frozen features of {member.trained_model.title}, tested on {member.data}"
    print(f"\n{render(table_of(found, title, notes_of(config, found, data)))}")
    if config.output is not None:
        about = {"network": member.trained_model.title, "data": member.data, "train_images": len(data[0].labels)}
        path = Path(config.output).expanduser()
        with writing(path):
            write_text(path, json.dumps({**about, "layers": [asdict(each) for each in found]}, indent=1) + "\n")
        print(f"\ntable       {config.output}")
    if config.curve is not None:
        from cnnbench.analysis.probe.curve import save_curve  # matplotlib is slow to import

        save_curve(found, title, Path(config.curve).expanduser())
        print(f"\ncurve       {config.curve}")
