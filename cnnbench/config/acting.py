"""Keys that do nothing where others have other values: given on the command line they are refused, not passed over.

What lies in a group of a kind (an optimiser's, a schedule's) is refused by `fields.check_acting`; here is the rest. A
key's default may well do nothing: only what somebody has typed is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from cnnbench.config.analyse import ExportConfig, LectureConfig, VerifyConfig
from cnnbench.config.augment import BATCH, AugmentConfig
from cnnbench.config.bench import BenchConfig
from cnnbench.config.data_commands import PackConfig, ShowConfig, StatsConfig
from cnnbench.config.evaluate import EvalConfig, TrainedConfig
from cnnbench.config.features import FeaturesConfig
from cnnbench.config.fields import entries, plain, value_of
from cnnbench.config.look import LookConfig
from cnnbench.config.predict import PredictConfig
from cnnbench.config.probe import ProbeConfig
from cnnbench.config.protocols import PROTOCOLS
from cnnbench.config.shell import TemplateConfig
from cnnbench.config.train import TrainConfig
from cnnbench.runtime.errors import UserError


@dataclass(frozen=True)
class Acts:
    """`keys`, names or patterns, of configs of type `schema` do something `when` this holds; else `instead`, the end
    of a sentence, is said."""

    schema: type
    keys: tuple[str, ...]
    when: Callable[[Any], bool]
    instead: str


def _has_weights(config: Any) -> bool:
    return bool(config.weights)


def _draws(config: ShowConfig) -> bool:
    return config.draws is not None


def _of_a_run(config: Any) -> bool:
    return config.run is not None or bool(getattr(config, "runs", []))


def _drawn(*pictures: str) -> Callable[[LookConfig], bool]:
    return lambda config: not config.pictures or bool({*pictures} & {*config.pictures})


def _crop_ratio_acts(config: EvalConfig | PredictConfig) -> bool:
    return not config.scales and not PROTOCOLS[config.protocol].scales


WEIGHTS = ("weights_set", "weights_from", "weights_match")
NETWORK = "acts only with arch=NETWORK: name it too"
OF_TRAINING = "acts only in training: leave it out"
TABLE: tuple[Acts, ...] = (
    Acts(
        TrainConfig,
        ("arch.learning_rate",),
        lambda c: c.optimizer.lr == c.arch.learning_rate,
        "does nothing, for this recipe states its own rate: give optimizer.lr=",
    ),
    Acts(
        TrainConfig,
        ("arch.sample_image_size",),
        lambda c: c.data.path == "sample" and c.image_size is None,
        "acts only with data=sample and no image_size=: give image_size=",
    ),
    Acts(
        TrainConfig,
        ("arch.image_size",),
        lambda c: c.data.path != "sample" and c.image_size is None,
        "acts only without image_size=, and not with data=sample: give image_size=",
    ),
    Acts(TrainConfig, ("arch.recipe",), lambda c: c.arch.recipe == c.recipe, "does nothing here: give recipe=NAME"),
    Acts(TrainConfig, ("recipe_batch",), lambda c: c.batch is None, "does nothing with batch=: give one of the two"),
    Acts(TrainConfig, (*WEIGHTS, "weights_classifier"), _has_weights, "acts only with weights=FILE"),
    Acts(
        TrainConfig,
        ("arch.stochastic_depth_from",),
        lambda c: bool(c.arch.stochastic_depth),
        "acts only with arch.stochastic_depth above 0",
    ),
    Acts(
        TrainConfig,
        ("schedule.warmup", "schedule.warmup_start"),
        lambda c: c.schedule.warmup_epochs > 0,
        "acts only with schedule.warmup_epochs above 0",
    ),
    Acts(
        TrainConfig,
        ("resolution.grow_*",),
        lambda c: c.resolution.first is not None,
        "acts only with resolution.first=",
    ),
    Acts(
        TrainConfig,
        ("optimizer.base_batch",),
        lambda c: c.optimizer.scaling != "none",
        "does nothing with optimizer.scaling=none, where the rate is the same at any batch",
    ),
    Acts(
        TrainConfig,
        ("keep_every",),
        lambda c: c.keep_every is None or c.keep_every <= c.epochs,
        "does nothing beyond the last epoch: give at most as many as epochs=",
    ),
    Acts(
        TrainConfig,
        ("data.worker_kind",),
        lambda c: c.data.workers != 0,
        "does nothing with data.workers=0",
    ),
    Acts(
        TrainConfig,
        ("data.decoder_index",),
        lambda c: c.data.engine in ("auto", "native"),
        "does nothing with another decoder than data.engine=native",
    ),
    Acts(TrainedConfig, ("checkpoint",), _of_a_run, "acts only with run=NAME: weights=FILE is taken as it is"),
    Acts(TrainedConfig, WEIGHTS, _has_weights, "acts only with weights=FILE: a run has its own weights"),
    Acts(TrainedConfig, ("arch.*",), lambda c: c.arch is not None, NETWORK),
    Acts(EvalConfig, ("data.train_fraction", "data.max_bad"), lambda _: False, OF_TRAINING),
    Acts(PredictConfig, ("data.train_fraction", "data.max_bad"), lambda _: False, OF_TRAINING),
    Acts(
        EvalConfig,
        ("crop_ratio",),
        _crop_ratio_acts,
        "does nothing with scales, which say how large images are: leave it out",
    ),
    Acts(
        PredictConfig,
        ("crop_ratio",),
        _crop_ratio_acts,
        "does nothing with scales, which say how large images are: leave it out",
    ),
    Acts(
        PredictConfig,
        ("format",),
        lambda c: c.output is None,
        "does nothing with output=FILE, whose ending says the form",
    ),
    Acts(FeaturesConfig, ("neighbours", "distance"), lambda c: bool(c.query), "acts only with query=[PICTURE]"),
    Acts(FeaturesConfig, ("split",), lambda c: not c.files, "does nothing with pictures by name"),
    Acts(LookConfig, ("patch", "stride"), _drawn("occlusion"), "acts only with occlusion among pictures="),
    Acts(
        LookConfig,
        ("points", "reach", "landscape_images", "seed"),
        _drawn("landscape"),
        "acts only with landscape among pictures=",
    ),
    Acts(
        BenchConfig,
        ("images", "loader_images", "data.*", "augment.*", "data", "augment"),
        lambda c: c.what != "model",
        "does nothing with what=model, which reads no images: give what=loader, train, eval or all",
    ),
    Acts(
        BenchConfig,
        ("device", "precision", "channels_last", "compile"),
        lambda c: c.what != "loader",
        "does nothing with what=loader, which computes no network",
    ),
    Acts(BenchConfig, ("memory",), lambda c: c.what in ("model", "all"), "acts only with what=model"),
    Acts(BenchConfig, ("trace",), lambda c: c.profile, "acts only with profile=true"),
    Acts(
        ShowConfig, ("arch", "arch.*", "augment", "augment.*", "image_size", "seed"), _draws, "acts only with draws=N"
    ),
    Acts(
        StatsConfig,
        ("image_size", "crop_ratio", "interpolation"),
        lambda c: c.area == "center",
        "does nothing with area=whole",
    ),
    Acts(PackConfig, ("quality",), lambda c: c.form == "jpeg", "acts only with form=jpeg"),
    Acts(
        VerifyConfig, ("batch", "device", "processes", "data.*", *WEIGHTS), _has_weights, "acts only with weights=FILE"
    ),
    Acts(VerifyConfig, ("arch.*",), lambda c: c.arch is not None, NETWORK),
    Acts(ExportConfig, ("checkpoint",), _of_a_run, "acts only with run=NAME"),
    Acts(ExportConfig, WEIGHTS, _has_weights, "acts only with weights=FILE: a run has its own weights"),
    Acts(ExportConfig, ("arch.*",), lambda c: c.arch is not None, NETWORK),
    Acts(
        ProbeConfig,
        ("held_out",),
        lambda c: len(set(c.penalties)) > 1,
        "does nothing with one penalty, which needs no choice",
    ),
    Acts(LectureConfig, ("output",), lambda c: c.all, "acts only with all=true"),
    Acts(TemplateConfig, ("output",), lambda c: c.name is not None, "acts only with a template, named in front"),
)


def check_typed(config: Any, typed: Iterable[str]) -> None:
    """Raise UserError for the first of the keys `typed` on the command line that does nothing in `config`."""
    known = entries(type(config))
    for name in typed:
        rows = (row for row in TABLE if isinstance(config, row.schema))
        idle = (
            row.instead for row in rows if any(fnmatchcase(name, each) for each in row.keys) and not row.when(config)
        )
        why = next(idle, None) or (_passed_over(name, config.augment) if name.startswith("augment.") else None)
        if why is not None:
            raise UserError(f"{_written(name, config, known)} {why}")


def _written(name: str, config: Any, known: Iterable[str]) -> str:
    """`name` with its value, as far as it has one."""
    try:
        value = value_of(config, name) if name in known else None
    except AttributeError:  # of a network that is not named
        value = None
    return f"{name}={plain(value)}" if isinstance(value, str | int | float | list) else f"{name}="


def _passed_over(name: str, augment: AugmentConfig) -> str | None:
    """Why an operation's key does nothing; None if it does something, or turns the operation off."""
    operation, _, key = name.removeprefix("augment.").partition(".")
    if not key or operation == "crop":
        return None
    p = value_of(augment, f"{operation}.p")
    if p == 0:
        return (
            None
            if key == "p"
            else f"does nothing with augment.{operation}.p=0: give augment.{operation}.p=1, or leave it out"
        )
    return None if operation in (*augment.order, *BATCH) else f"does nothing while augment.order leaves out {operation}"
