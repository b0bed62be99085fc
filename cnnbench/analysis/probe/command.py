"""`cnnbench probe`: the error of a linear classifier on the features of each layer of one network or of several, on the
val split of a data set."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from cnnbench.analysis.probe.choose import Settings, choose, hold_out
from cnnbench.analysis.probe.classifier import Rows
from cnnbench.analysis.probe.features import Features, extract, standardise
from cnnbench.analysis.probe.table import Group, Probed, interval_of, notes_of, table_of, table_of_groups
from cnnbench.analysis.tables import render
from cnnbench.archs.forward_pass import INPUT, Point
from cnnbench.config.image_size import input_size
from cnnbench.config.predict import as_eval
from cnnbench.config.probe import PIXELS, ProbeConfig, one_for_each_network, probed_layers
from cnnbench.data.layouts.ilsvrc import classes_in_words
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.evaluation.ensemble import EnsembleMember, ensemble_members
from cnnbench.evaluation.features import Extractor, find_points
from cnnbench.evaluation.member import member_network
from cnnbench.evaluation.predict import classes_of
from cnnbench.evaluation.seed_groups import by_seed
from cnnbench.evaluation.statistics import wilson_interval
from cnnbench.runtime.devices import choose_device, device_of, share_cores
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import write_text, writing
from cnnbench.runtime.progress import tqdm


@dataclass(frozen=True)
class Network:
    """One network that was read: what it is, its images of both splits, and what a classifier came to on each layer."""

    name: str
    member: EnsembleMember
    data: tuple[Features, Features]
    found: list[Probed]


def probe_command(config: ProbeConfig) -> float:
    """Fit and test a classifier on each layer of each network that `config` names; the least error on the val split, in
    percent."""
    ones = one_for_each_network(config)
    members = [ensemble_members(as_eval(one))[0] for one in ones]
    _check_one_data_set(members)
    read: list[Network] = []
    for one, member in zip(ones, members, strict=True):
        if len(ones) > 1:
            print(f"network     {len(read) + 1} of {len(ones)}: {member.trained_model.title}", flush=True)
        read.append(_read(one, member))
    _report(config, read)
    return min(each.top1_error for network in read for each in network.found)


def _read(config: ProbeConfig, member: EnsembleMember) -> Network:
    """What a classifier comes to on each layer of the one network of `config`."""
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
    called = member.arch.name if config.run is None else Path(config.run).name
    return Network(called, member, (replace(seen, values={}), replace(tested, values={})), found)


def _check_one_data_set(members: Sequence[EnsembleMember]) -> None:
    """Raise UserError for networks that would be tested on the images of different data sets."""
    for other in members[1:]:
        if other.data != members[0].data:
            raise UserError(
                f"{members[0].trained_model.title} is of {members[0].data}, and {other.trained_model.title} of "
                f"{other.data}: give data=PATH with the images that all are to be tested on"
            )


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
    size, layers = input_size(member.settings), probed_layers(config)
    points = find_points(network, member, [layer for layer in layers if layer != PIXELS])
    if PIXELS in layers:
        points[PIXELS] = Point("", INPUT, 1, 0, (member.arch.in_channels, size, size))
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


def _report(config: ProbeConfig, read: Sequence[Network]) -> None:
    groups, first = _groups(read), read[0]
    several = len(read) > 1
    what = f"{len(read)} networks" if several else first.member.trained_model.title
    title = f"A linear classifier on frozen features of {what}, tested on {first.member.data}"
    named = [
        (f"{each.layer} of {network.name}" if several else each.layer, each)
        for network in read
        for each in network.found
    ]
    notes = notes_of(config, named, first.data, any(len(group) > 1 for group in groups))
    table = table_of_groups(groups, title, notes) if several else table_of(first.found, title, notes)
    print(f"\n{render(table)}")
    if config.output is not None:
        path = Path(config.output).expanduser()
        with writing(path):
            write_text(path, json.dumps(_content(read, groups), indent=1) + "\n")
        print(f"\ntable       {config.output}")
    if config.curve is not None:
        from cnnbench.analysis.probe.curve import save_curve  # matplotlib is slow to import

        save_curve(groups, title, Path(config.curve).expanduser())
        print(f"\ncurve       {config.curve}")


def _groups(read: Sequence[Network]) -> list[Group]:
    """The networks, those that differ in their seed alone together."""
    groups = []
    for places in by_seed([network.member.trained_model.trained for network in read]):
        names = [read[place].name for place in places]
        groups.append(Group(_name_of(names), [read[place].found for place in places]))
    return groups


def _name_of(names: Sequence[str]) -> str:
    """What several trainings are called: by what their names begin with, without the number of the seed."""
    if len(names) == 1:
        return names[0]
    letters = takewhile(lambda each: len(set(each)) == 1, zip(*names, strict=False))
    common = re.sub(r"[-_. ]+(s|seed)?\d*$", "", "".join(each[0] for each in letters))
    return f"{common or names[0]} ({len(names)})"


def _content(read: Sequence[Network], groups: Sequence[Group]) -> dict[str, Any]:
    """What is written as JSON: of one network its layers; of several each network's, and the means of the groups."""
    about = {"data": read[0].member.data, "train_images": len(read[0].data[0].labels)}
    each = [
        {"network": one.member.trained_model.title, "layers": [asdict(layer) for layer in one.found]} for one in read
    ]
    if len(read) == 1:
        return {"network": each[0]["network"], **about, "layers": each[0]["layers"]}
    means = [
        {"network": group.name, "layer": found[0].layer, "trainings": len(found)}
        | dict(zip(("top1_error", "low", "high"), interval_of(found), strict=True))
        for group in groups
        for found in group.layers()
    ]
    return {**about, "means": means, "networks": each}
