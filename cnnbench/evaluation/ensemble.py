"""The networks that `cnnbench eval` tests, alone or together, with the settings of each, and the images they see."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnbench.config.arch import ArchConfig
from cnnbench.config.checks.evaluate import check_protocol
from cnnbench.config.evaluate import EvalConfig, weights_of
from cnnbench.config.image_size import input_size
from cnnbench.config.protocols import PROTOCOLS, protocol_in_words, short_sides
from cnnbench.config.train import TrainConfig
from cnnbench.data.layouts import ilsvrc, objectnet
from cnnbench.data.layouts.account import Account
from cnnbench.data.layouts.read import data_folder, read_split
from cnnbench.data.layouts.relabel import exclude, relabel
from cnnbench.data.layouts.split import Split
from cnnbench.data.layouts.test_sets import AUTO, PRESENT, answers, competing, find_test_set
from cnnbench.runs.trained_model import TrainedModel, find_trained_model
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.foreign import foreign


@dataclasses.dataclass(frozen=True)
class EnsembleMember:
    """A trained network, one of those whose probabilities are averaged, and the settings that it is tested with.

    `arch` is its config with the crop ratio and the interpolation of the test, and is that of `settings` too.
    """

    trained_model: TrainedModel
    arch: ArchConfig
    settings: EvalConfig

    @property
    def data(self) -> str:
        """The data set of its images. UserError where a run's config.yaml was made to name none."""
        return self.settings.data.given_path

    @property
    def scales(self) -> list[int]:
        """Short sides of its images, pixels."""
        settings = self.settings
        protocol = PROTOCOLS[settings.protocol]
        return short_sides(protocol, input_size(settings), self.arch.crop_ratio, settings.scales)

    @property
    def protocol(self) -> str:
        """How it is tested, in words."""
        protocol, size = PROTOCOLS[self.settings.protocol], input_size(self.settings)
        return protocol_in_words(protocol, size, self.scales, self.arch.crop_ratio, self.arch.interpolation)


def ensemble_members(config: EvalConfig) -> list[EnsembleMember]:
    """The networks that `config` names by run, runs or weights. UserError if they cannot be tested together."""
    alone = [dataclasses.replace(config, run=run, runs=[]) for run in config.runs]
    alone += [dataclasses.replace(config, weights=weights) for weights in weights_of(config)]
    found = [_member(one, find_trained_model(one)) for one in alone or [config]]
    first = found[0]
    for other in found[1:]:
        for what, same in (
            ("classes", first.trained_model.classes == other.trained_model.classes),
            ("images; give data=PATH", first.data == other.data),
        ):
            if not same:
                raise UserError(
                    f"{first.trained_model.title} and {other.trained_model.title} were trained on different {what}"
                )
    return found


def split_and_targets(member: EnsembleMember, split_name: str = "val") -> tuple[Split, np.ndarray]:
    """The split of that name, and the right answers for each image, int64 (n, answers), its class first.

    Weights without a run are taken to count in ILSVRC's 1000 classes if the data has only such. What a named test set
    says (its labels, which classes compete) is in the split.
    """
    settings, known, root = member.settings, member.trained_model.classes, data_folder(member.data)
    plain = settings.labels is None
    mapped = plain and split_name == "val" and objectnet.recognises(root)  # its classes are the network's by a table
    # The folders of images with labels of their own may have any names.
    split = read_split(settings.data, split_name, known if plain and not mapped else None)
    if known is None and settings.data.classes is None and (mapped or ilsvrc.only_ilsvrc(split.classes)):
        known = tuple(ilsvrc.class_names())
    known = known or split.classes
    present = [split.classes[label] for label in np.unique(split.labels)]
    if settings.exclude is not None:
        split = exclude(split, settings.exclude)
    if settings.labels is not None:
        split, targets = relabel(split, settings.labels, known)
        return _competing(split, targets, settings.competing), targets
    with foreign(member.data):
        named = find_test_set(root, present) if split_name == "val" else None
    if named is None:
        split = split.counted_in(known)
        return _competing(split, split.labels[:, None], settings.competing), split.labels[:, None]
    targets = answers(named, split.classes, split.labels, known)
    split = dataclasses.replace(split, classes=known, labels=targets[:, 0].copy(), border=named.border)
    if settings.competing != AUTO:
        return _competing(split, targets, settings.competing), targets
    return _with_competing(split, [named.right[name] for name in present], f"{named.name}: "), targets


def _competing(split: Split, targets: np.ndarray, which: str) -> Split:
    """`split` with the classes that compete, all of them or those that are right for one of its images."""
    if which != PRESENT:
        return split
    return _with_competing(split, [(split.classes[label],) for label in np.unique(targets)])


def _with_competing(split: Split, right: Sequence[Sequence[str]], what: str = "") -> Split:
    groups = competing(right, split.classes)
    count = int((groups >= 0).sum())
    of = f" as {len(right):,} answers" if len(right) < count else ""
    note = f"{what}{count:,} of {len(groups):,} classes compete{of}"
    return dataclasses.replace(split, competing=groups, account=split.account + Account(notes=(note,)))


def _member(config: EvalConfig, trained_model: TrainedModel) -> EnsembleMember:
    """`trained_model` with the settings of its test. UserError if it cannot be tested with them."""
    ratio = config.crop_ratio if config.crop_ratio is not None else PROTOCOLS[config.protocol].crop_ratio
    given: dict[str, Any] = {"crop_ratio": ratio, "interpolation": config.interpolation}
    arch = dataclasses.replace(
        trained_model.arch, **{name: value for name, value in given.items() if value is not None}
    )
    settings = dataclasses.replace(config, arch=arch)
    if trained_model.trained is not None:
        settings = _with_settings_of_run(settings, trained_model.trained)
    check_protocol(settings)
    return EnsembleMember(trained_model, arch, settings)


def _with_settings_of_run(config: EvalConfig, trained: TrainConfig) -> EvalConfig:
    """`config` with the run's own settings where the command line does not say otherwise."""
    return dataclasses.replace(
        config,
        data=dataclasses.replace(
            config.data,
            path=config.data.path or trained.data.path,
            classes=config.data.classes or trained.data.classes,
        ),
        image_size=config.image_size if config.image_size is not None else input_size(trained),
        precision=config.precision if config.precision != "auto" else trained.precision,
    )
