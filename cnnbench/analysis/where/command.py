"""`cnnbench where`: how sure a network is when it is wrong, and of which images it is wrong most."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnbench.analysis.tables import Cell, Table, render
from cnnbench.analysis.where.groups import class_groups
from cnnbench.config.predict import as_eval
from cnnbench.config.where import WhereConfig
from cnnbench.data.layouts.split import Split
from cnnbench.data.traits import bands, read_traits
from cnnbench.evaluation.calibration import (
    Bin,
    at_temperature,
    best_temperature,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
)
from cnnbench.evaluation.command import log_probabilities_by
from cnnbench.evaluation.ensemble import ensemble_members, split_and_targets
from cnnbench.evaluation.member import member_network
from cnnbench.evaluation.predictions import Predictions, make_predictions
from cnnbench.evaluation.statistics import wilson_interval
from cnnbench.runtime.devices import choose_device, device_of, share_cores
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import write_json, writing


@dataclass(frozen=True)
class Calibration:
    """`before` and `after` a temperature that was chosen on half of the images: bins, expected calibration error in
    percent, and negative log likelihood in nats, of the other half."""

    temperature: float
    before: tuple[list[Bin], float, float]
    after: tuple[list[Bin], float, float]
    images: int


def where_command(config: WhereConfig) -> float:
    """Print and write what `config` asks for; the expected calibration error, percent."""
    group = ensemble_members(as_eval(config))
    split, targets = split_and_targets(group[0])
    tell = partial(print, file=sys.stdout if config.format == "table" else sys.stderr, flush=True)
    tell(f"files       val: {split.account.in_words(len(split))}")
    name = choose_device(config.device)
    share_cores(1, name)
    device = device_of(0, name)
    networks = ((member, member_network(member, len(split.classes), device, tell)) for member in group)
    logits, broken = log_probabilities_by(networks, split, Process(), device)
    predictions = make_predictions(logits, broken, list(range(len(split))), targets)
    calibration = calibrate(logits[~broken], targets[~broken.cpu().numpy()], config.bins)
    groups, notes = _groups(config, split)
    title = "; ".join(member.trained_model.title for member in group)
    tables = [_calibration_table(calibration, f"Calibration of {title} on {group[0].data}")]
    tables += [_group_table(kind, names, predictions) for kind, names in groups.items()]
    print(render(tables, config.format))
    for note in notes:
        tell(f"\n{note}")
    if config.output is not None:
        with writing(config.output):
            write_json(Path(config.output).expanduser(), _content(title, calibration, tables[1:]))
        tell(f"\nfigures     {config.output}")
    if config.plot is not None:
        from cnnbench.analysis.where.diagram import save_diagram  # matplotlib is slow to import

        save_diagram(
            calibration.before[0], calibration.after[0], calibration.temperature, Path(config.plot).expanduser()
        )
        tell(f"\nplot        {config.plot}")
    return calibration.before[1]


def calibrate(log_probability: torch.Tensor, targets: np.ndarray, bins: int) -> Calibration:
    """float64 (n, classes) and the right answers int64 (n, answers). Every second image chooses the temperature. Raises
    UserError for fewer than two images."""
    if len(log_probability) < 2:
        raise UserError(
            "calibration needs two images at least: one chooses the temperature, the other tells what it does"
        )
    labels = torch.from_numpy(targets).to(log_probability.device)
    temperature = best_temperature(log_probability[::2], labels[::2, 0])
    tested = log_probability[1::2], labels[1::2]
    after = at_temperature(tested[0], temperature)
    return Calibration(temperature, _measure(*tested, bins), _measure(after, tested[1], bins), len(tested[1]))


def _measure(log_probability: torch.Tensor, labels: torch.Tensor, bins: int) -> tuple[list[Bin], float, float]:
    first = log_probability.argmax(1, keepdim=True)
    confidence = log_probability.gather(1, first)[:, 0].exp().cpu().numpy()
    right = (first == labels).any(1).cpu().numpy()
    found = reliability(confidence, right, bins)
    return found, expected_calibration_error(found), negative_log_likelihood(log_probability, labels[:, 0])


def _groups(config: WhereConfig, split: Split) -> tuple[dict[str, list[str]], list[str]]:
    """For each kind of group the group of each image; and what could not be done."""
    found: dict[str, list[str]] = {}
    notes = []
    if "class_group" in config.by:
        names, note = class_groups(split.classes, config.class_groups)
        if names:
            found["class group"] = [names[label] for label in split.labels]
        notes += [note] if note else []
    wanted = [kind for kind in config.by if kind != "class_group"]
    if wanted:
        every = bands(read_traits(split))
        found |= {kind: every[kind] for kind in wanted}
    return found, notes


def _calibration_table(found: Calibration, title: str) -> Table:
    columns = {"": "", "temperature": ".3f", "ECE %": ".2f", "log loss": ".4f"}
    rows: list[list[Cell]] = [
        ["as it is", 1.0, found.before[1], found.before[2]],
        ["by the best temperature", found.temperature, found.after[1], found.after[2]],
    ]
    notes = [
        "The temperature was chosen on every second image; ECE (expected calibration error) and log loss are of the "
        f"other {found.images:,}. Above 1: the network is surer than it is right."
    ]
    return Table(title, {name or "probabilities": form for name, form in columns.items()}, rows, notes)


def _group_table(kind: str, names: Sequence[str], predictions: Predictions) -> Table:
    """A row for each group, the worst first."""
    columns = {kind: "", "images": "", "top-1 error %": ".2f", "from": ".2f", "to": ".2f", "top-5 error %": ".2f"}
    groups, rows = np.array(names), []
    for name in dict.fromkeys(names):
        ranks = predictions.rank[groups == name]
        wrong = int((ranks >= 1).sum())
        low, high = wilson_interval(wrong, len(ranks))
        rows.append((name, len(ranks), 100 * wrong / len(ranks), low, high, 100 * float((ranks >= 5).mean())))
    rows.sort(key=lambda row: -row[2])
    return Table(f"Error by {kind}", columns, rows)


def _content(title: str, found: Calibration, tables: Sequence[Table]) -> dict[str, Any]:
    parts = {
        name: {"bins": [asdict(one) for one in bins], "ece": ece, "log_loss": loss}
        for name, (bins, ece, loss) in (("before", found.before), ("after", found.after))
    }
    groups = {
        next(iter(table.columns)): [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        for table in tables
    }
    return {"network": title, "temperature": found.temperature, "images": found.images, **parts, "groups": groups}
