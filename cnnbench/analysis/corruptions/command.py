"""`cnnbench corruptions`: the errors on ImageNet-C's 15 corruptions in five severities, and mCE."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from PIL import Image

from cnnbench.analysis.tables import Cell, Table, render
from cnnbench.config.corruptions import FROST, SEVERITIES, CorruptionsConfig, chosen_corruptions
from cnnbench.config.image_size import input_size
from cnnbench.config.predict import as_eval
from cnnbench.data.corrupt.corruptions import CORRUPTIONS, mean_corruption_error
from cnnbench.data.corrupt.weather import FROSTS
from cnnbench.data.layouts.ilsvrc import class_names
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.around import Corrupted
from cnnbench.data.loading.transform import Transform
from cnnbench.evaluation.command import log_probabilities_by
from cnnbench.evaluation.counts import Counts
from cnnbench.evaluation.ensemble import EnsembleMember, ensemble_members, split_and_targets
from cnnbench.evaluation.evaluate import warn_of_broken
from cnnbench.evaluation.member import member_network
from cnnbench.evaluation.predictions import make_predictions
from cnnbench.runtime.devices import choose_device, device_of, share_cores
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import write_json, writing
from cnnbench.runtime.foreign import foreign
from cnnbench.runtime.progress import tqdm

PUBLISHED_SIDE = 224  # pixels of ImageNet-C's images, for which the severities were chosen
CLEAN = "none"

Test = Callable[[str, int], Counts]  # of a corruption in a severity


def corruptions_command(config: CorruptionsConfig) -> float:
    """Count the errors on each corruption that `config` names, print and write them; the mean top-1 error, percent."""
    (member,) = ensemble_members(as_eval(config))
    split, targets = split_and_targets(member)
    split, targets = _fewer(split, targets, config.images)
    tell = partial(print, file=sys.stdout if config.format == "table" else sys.stderr, flush=True)
    tell(f"files       val: {split.account.in_words(len(split))}")
    frosts = _frosts(config.frost, input_size(member.settings))
    name = choose_device(config.device)
    share_cores(1, name)
    test = _test(config, member, (split, targets), frosts, device_of(0, name))
    counts = {(CLEAN, 0): test(CLEAN, 0)}
    names, severities = chosen_corruptions(config), config.severities or list(SEVERITIES)
    for one in tqdm(names, "corruptions", leave=False, unit="corruption", disable=None):
        counts |= {(one, severity): test(one, severity) for severity in sorted(severities)}
    errors = {one: mean(counts[one, severity].top1_error for severity in severities) for one in names}
    print(render(_table(config, member, counts, errors, split), config.format))
    if config.output is not None:
        with writing(config.output):
            write_json(Path(config.output).expanduser(), _content(member, counts, errors))
        tell(f"\ncounts      {config.output}")
    return mean(errors.values())


def _test(
    config: CorruptionsConfig,
    member: EnsembleMember,
    data: tuple[Split, np.ndarray],
    frosts: Sequence[np.ndarray],
    device: torch.device,
) -> Test:
    split, targets = data
    network = member_network(member, len(split.classes), device, partial(print, file=sys.stderr)).eval()
    index = list(range(len(split)))

    def test(name: str, severity: int) -> Counts:
        around: Callable[[Transform], Transform] = (
            (lambda transform: transform)
            if name == CLEAN
            else partial(Corrupted, name=name, severity=severity, seed=config.seed, frosts=frosts)
        )
        tell = warn_of_broken if name == CLEAN else lambda loader: None  # once
        logits, broken = log_probabilities_by([(member, network)], split, Process(), device, tell, around)
        return make_predictions(logits, broken, index, targets).counts()

    return test


def _fewer(split: Split, targets: np.ndarray, images: int | None) -> tuple[Split, np.ndarray]:
    if images is None or images >= len(split):
        return split, targets
    rows = np.linspace(0, len(split) - 1, images).round().astype(int)
    return replace(split, labels=split.labels[rows], numbers=split.numbers[rows]), targets[rows]


def _frosts(folder: str | None, side: int) -> list[np.ndarray]:
    """The pictures that "frost" draws from, uint8 (H, W, 3). Raises UserError for one that is missing or too small."""
    found: list[np.ndarray] = []
    for number in range(1, FROSTS + 1) if folder is not None else ():
        file = next(Path(str(folder)).expanduser().glob(f"frost{number}.*"), None)
        if file is None:
            raise UserError(f"frost={folder} has no frost{number}.png or .jpg: it needs {FROSTS} pictures")
        with foreign(file):
            found.append(np.asarray(Image.open(file).convert("RGB")))
        if min(found[-1].shape[:2]) <= side:
            raise UserError(f"{file} is too small: it needs more than {side} pixels on each side")
    return found


def _table(
    config: CorruptionsConfig,
    member: EnsembleMember,
    counts: dict[tuple[str, int], Counts],
    errors: dict[str, float],
    split: Split,
) -> Table:
    severities = sorted({severity for name, severity in counts if name != CLEAN})
    published = _published(member, split)
    columns = {"corruption": "", "kind": "", **{f"severity {each}": ".2f" for each in severities}, "mean": ".2f"}
    columns |= {"CE": ".1f"} if published else {}
    rows: list[list[Cell]] = []
    for name, error in errors.items():
        row: list[Cell] = [name, CORRUPTIONS[name].kind, *(counts[name, each].top1_error for each in severities), error]
        rows.append([*row, 100 * error / CORRUPTIONS[name].alexnet] if published else row)
    last: list[Cell] = ["mean", "", *(mean(counts[name, each].top1_error for name in errors) for each in severities)]
    rows.append([*last, mean(errors.values()), *([mean_corruption_error(errors)] if published else [])])
    title = (
        f"Top-1 error in percent of {member.trained_model.title} on {len(split):,} images of {member.data}, corrupted"
    )
    return Table(title, columns, rows, _notes(config, member, counts[CLEAN, 0], errors, published))


def _notes(
    config: CorruptionsConfig, member: EnsembleMember, clean: Counts, errors: dict[str, float], published: bool
) -> list[str]:
    side = input_size(member.settings)
    notes = [f"Not corrupted: {clean.top1_error:.2f} %."]
    if published:
        notes.append(
            "CE: the mean error in percent of AlexNet's (Hendrycks, Dietterich 2019); its mean over all 15 is mCE."
        )
    if FROST not in errors and not config.corruptions:
        notes.append("frost is left out: it needs the authors' pictures, frost=FOLDER; the published mCE counts it.")
    if side != PUBLISHED_SIDE:
        notes.append(f"The severities were chosen for {PUBLISHED_SIDE} pixels a side; at {side} they are others.")
    return notes


def _published(member: EnsembleMember, split: Split) -> bool:
    """Whether AlexNet's errors are of the same classes."""
    return set(split.classes) == set(class_names())


def _content(member: EnsembleMember, counts: dict[tuple[str, int], Counts], errors: dict[str, float]) -> dict[str, Any]:
    lines = [
        {"corruption": name, "severity": severity, "wrong_top1": one.wrong1, "wrong_top5": one.wrong5, "n": one.n}
        for (name, severity), one in counts.items()
    ]
    return {"network": member.trained_model.title, "data": member.data, "mean_errors": errors, "counts": lines}
