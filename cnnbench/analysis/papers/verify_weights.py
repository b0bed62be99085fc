"""`cnnbench verify weights=FILE`: published weights, counted now, against the error that their publisher states."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

from cnnbench.analysis.papers.measured import MeasuredErrors
from cnnbench.analysis.papers.published import PUBLISHED_SPLITS, Published
from cnnbench.analysis.papers.verify import conclude, judgement
from cnnbench.archs.facts import facts
from cnnbench.archs.weights.profiles import Profile, named, same
from cnnbench.archs.weights.publisher import OURS
from cnnbench.config.analyse import VerifyConfig
from cnnbench.config.evaluate import EvalConfig
from cnnbench.config.fields import shown, value_of
from cnnbench.evaluation.command import evaluate_and_report
from cnnbench.evaluation.result import write_result
from cnnbench.runtime.errors import UserError

NOT_TOLD = "nothing is published of weights whose publisher is not known: give weights_from=NAME"


def verify_weights(config: VerifyConfig) -> None:
    """Evaluate the weights of `config` with their publisher's images, print the verdict, and leave with exit status 1
    unless it is a pass. What the evaluation prints goes to standard error. Raises UserError."""
    assert config.arch is not None  # required by check_verify, as the other two
    if config.weights_from is None or config.weights_from == OURS:
        raise UserError(NOT_TOLD)
    profile = named(config.arch.name, config.weights_from)
    result = _evaluated(config)
    if result is None:  # another process of the group writes it
        return
    wrong = {"wrong1": result["wrong_top1"], "wrong5": result["wrong_top5"], "n": result["n"]}
    measured = MeasuredErrors("center", result["protocol_in_words"], "raw", data=result["data"], **wrong)
    published = _published(profile, measured)
    judged = [judgement(str(config.weights), measured, top, published, config) for top in (1, 5)]
    causes = [*_causes(config, profile), *([] if published else [_other_images(profile, measured)])]
    title = f"{config.weights}: {config.arch.name}, {profile.label}, {profile.name}"
    output = Path(config.output).expanduser() if config.output is not None else None
    conclude(title, judged, causes, config.format, output)


def _evaluated(config: VerifyConfig) -> dict[str, Any] | None:
    """What `cnnbench eval` counts of the weights."""
    names = ("arch", "weights", "weights_set", "weights_from", "weights_match", "data", "batch", "device", "processes")
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        output = Path(folder, "result.json")
        settings = EvalConfig(**{name: getattr(config, name) for name in names})
        evaluate_and_report(settings, partial(write_result, output))
        return json.loads(output.read_text()) if output.exists() else None


def _published(profile: Profile, measured: MeasuredErrors) -> Published | None:
    """The publisher's errors, if they were counted on as many images of as many classes."""
    classes = facts(profile.arch)["num_classes"]
    for split, (images, known, _) in PUBLISHED_SPLITS.items():
        if (images, known) == (measured.n, classes):
            return Published(profile.top1_err, profile.top5_err, split, images, "unknown", profile.label)
    return None


def _causes(config: VerifyConfig, profile: Profile) -> list[str]:
    """What makes the test another than the publisher's, a sentence each."""
    found = []
    if profile.top1_err is None:
        found.append(f"no error of {profile.name} is known here")
    for key, value in profile.keys.items():
        used = _used(config, key)
        if not same(used, value):
            found.append(f"{key}={shown(used)}, not {shown(value)} as {profile.label} has it")
    return found


def _used(config: VerifyConfig, key: str) -> Any:
    """The value of a key of `arch`, or of one of its options, which are no field."""
    name = key.removeprefix("arch.options.")
    return value_of(config, key) if name == key else value_of(config, "arch.options").get(name)


def _other_images(profile: Profile, measured: MeasuredErrors) -> str:
    return f"{measured.n:,} images of {measured.data} are not those of any published error"
