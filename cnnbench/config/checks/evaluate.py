"""Commands that take a trained network."""

from __future__ import annotations

from cnnbench.config.arch import check_arch, check_size
from cnnbench.config.checks.common import (
    check_alone,
    check_loading,
    check_weights,
    check_weights_kind,
    check_whole,
)
from cnnbench.config.data import MISSING, check_file
from cnnbench.config.evaluate import EvalConfig, TrainedConfig, weights_of
from cnnbench.config.fields import check_fields, given, plain, require
from cnnbench.config.image_size import input_size
from cnnbench.config.protocols import CENTER, PROTOCOLS
from cnnbench.config.runs import check_runs

NOTHING_TO_EVALUATE = "nothing to evaluate: give run=NAME, or arch=NETWORK weights=FILE data=PATH"


def check_eval(config: EvalConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    for name in ("exclude", "labels"):
        check_file(name, getattr(config, name))
    check_trained(config, NOTHING_TO_EVALUATE)
    if config.run is None and not config.runs:
        require(config.data.path is not None, MISSING)
        check_protocol(config)
    check_boxes(config)


def check_boxes(config: EvalConfig) -> None:
    """Raise UserError if the boxes of class activation maps cannot be had as `config` asks."""
    if config.boxes is None:
        return
    check_file("boxes", config.boxes)
    require(len(config.runs) + len(weights_of(config)) <= 1, "boxes= is of one network: give run=NAME or one file")
    require(config.protocol == CENTER, f"boxes= needs protocol={CENTER}: maps are those of one view of an image")
    require(config.labels is None, "boxes= and labels= exclude each other: a box is of the class of its image")
    require(
        config.processes in (None, 1),
        f"boxes= is computed in one process, not {config.processes}: leave processes= out",
    )


def check_trained(config: TrainedConfig, nothing: str) -> None:
    """Raise UserError unless `config` names a trained network whose images it can take; with the sentence `nothing`
    where it names none."""
    check_runs(config)
    runs = getattr(config, "runs", [])
    alone = config.run is None and not runs
    require(not alone or (config.arch is not None and bool(config.weights)), nothing)
    require(config.run is None or not runs, "run= and runs= exclude each other: name all runs in runs=[a,b]")
    check_alone(config, "arch", "weights")
    check_weights_kind(config)
    for run in runs:
        require(runs.count(run) == 1, f"runs names {run} twice")
    if alone:
        arch = given(config.arch, nothing)
        check_arch(arch)
        check_size(arch, input_size(config))
    check_loading(config)
    for weights in weights_of(config):
        check_weights(weights)


def check_protocol(config: EvalConfig) -> None:
    """Raise UserError if the network of `config` cannot be tested by its protocol at these sizes."""
    check_whole(config)
    protocol = PROTOCOLS[config.protocol]
    require(
        not config.scales or protocol.takes_scales,
        f"scales={plain(config.scales)} does nothing with protocol={config.protocol}: set crop_ratio",
    )
    require(
        config.interpolation is None or protocol.takes_interpolation,
        f"interpolation={config.interpolation} does nothing with protocol={config.protocol}, which is bilinear without "
        "antialiasing: leave it out, or use protocol=center",
    )
    for scale in config.scales:
        require(
            scale >= input_size(config),
            f"scales={scale} is out of range: it must be at least {input_size(config)}, the side of the crops",
        )
