"""What a trained network says of pictures without labels: the path of `cnnbench eval`, without its counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnbench.archs.weights_classes import classes_of_weights
from cnnbench.config.data import check_file
from cnnbench.config.fields import require
from cnnbench.config.predict import PICTURES, PredictConfig, as_eval
from cnnbench.data.layouts.ilsvrc import class_in_words, class_names
from cnnbench.data.layouts.names import plain
from cnnbench.data.layouts.pictures import pictures
from cnnbench.data.layouts.split import Split
from cnnbench.evaluation.command import predictions_by
from cnnbench.evaluation.ensemble import EnsembleMember, ensemble_members
from cnnbench.evaluation.member import member_network
from cnnbench.evaluation.predictions import Predictions
from cnnbench.runs.trained_model import TrainedModel
from cnnbench.runtime.devices import choose_device, device_of, share_cores
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import read_text


@dataclass(frozen=True)
class Answer:
    """One class that a picture may be of: as the network's classes call it, in words, and its probability in [0, 1]."""

    name: str
    words: str
    probability: float


@dataclass(frozen=True)
class Answered:
    """A picture by its path, with its most probable classes first; `broken` says why there are none."""

    picture: str
    answers: tuple[Answer, ...]
    broken: str | None = None


@dataclass(frozen=True)
class Prediction:
    """All pictures in their order, as `split` has them; `group` are the networks whose probabilities were averaged."""

    split: Split
    group: list[EnsembleMember]
    pictures: tuple[Answered, ...]


def predict_pictures(config: PredictConfig, tell: Callable[[str], None] = print) -> Prediction:
    """The `top` most probable classes of each picture that `config` names. `tell` gets lines for the user.

    Raises UserError if a file or folder is not there, the network cannot be had, or no picture could be decoded.
    """
    group = ensemble_members(as_eval(config, PICTURES))
    split = pictures(config.files, classes_of(group[0].trained_model, config.data.classes), config.data.max_megapixels)
    tell(f"files       {split.account.in_words(len(split))}")
    device_name = choose_device(config.device)
    share_cores(1, device_name)
    broken: dict[int, str] = {}
    nothing = np.zeros((len(split), 1), np.int64)
    device = device_of(0, device_name)
    networks = ((member, member_network(member, len(split.classes), device, tell)) for member in group)
    found = predictions_by(networks, split, nothing, Process(), device, lambda loader: broken.update(loader.broken))
    if len(broken) == len(split):
        first = next(iter(broken.values()))
        raise UserError(first if len(split) == 1 else f"none of the {len(split):,} pictures can be decoded: {first}")
    return Prediction(split, group, answers_of(found, split, broken, config.top))


def answers_of(found: Predictions, split: Split, broken: dict[int, str], top: int) -> tuple[Answered, ...]:
    """The `top` most probable classes of each image of `split`; `broken`: why there are none, by its number."""
    rows = zip(found.first[:, :top], found.probability[:, :top], strict=True)
    return tuple(_answered(split, i, first, share, broken.get(i)) for i, (first, share) in enumerate(rows))


def classes_of(trained_model: TrainedModel, file: str | None) -> tuple[str, ...]:
    """The names of the classes in the order of the logits: the run's; or those of `file`, one on each line; or what a
    file of ours says; or ILSVRC's for weights of 1000 classes, else numbers. UserError if `file` has another number."""
    if trained_model.classes is not None:
        return trained_model.classes
    try:
        count, stated = classes_of_weights(trained_model.arch, trained_model.weights)
    except ValueError as error:
        raise UserError(str(error)) from error
    if file is not None:
        check_file("data.classes", file)
        lines = (read_text(Path(file).expanduser()) or "").splitlines()
        names = tuple(line.strip() for line in lines if line.strip())
        require(
            len(names) == count == len(set(names)),
            f"data.classes={file} names {len(set(names)):,} classes, and the weights are for {count:,}: one on each "
            "line, in the order of the logits",
        )
        return names
    if stated is not None:
        return stated
    return tuple(class_names()) if count == len(class_names()) else tuple(map(str, range(count)))


def _answered(split: Split, row: int, labels: Sequence[int], shares: Sequence[float], broken: str | None) -> Answered:
    picture = split.name(row)
    picture = picture if picture.isprintable() else plain(picture)
    if broken is not None:
        return Answered(picture, (), broken)
    if not np.isfinite(shares).all():
        return Answered(picture, (), f"{picture}: the network's outputs are not numbers")
    names = [split.classes[label] for label in labels]
    pairs = zip(names, shares, strict=True)
    return Answered(picture, tuple(Answer(name, class_in_words(name), float(share)) for name, share in pairs))
