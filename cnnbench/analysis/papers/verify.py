"""`cnnbench verify`: a finished run against the published error, and what in its config may explain a difference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import stdev
from typing import Any

from cnnbench.analysis.papers.measured import MeasuredErrors, errors_of_evaluation, errors_of_run
from cnnbench.analysis.papers.published import (
    Published,
    changed_keys,
    held_against_nothing,
    protocols_of,
    published_of,
    split_of,
)
from cnnbench.analysis.tables import Table, render
from cnnbench.config.analyse import VerifyConfig
from cnnbench.config.fields import entries, shown, value_of
from cnnbench.config.image_size import input_size
from cnnbench.config.train import TrainConfig
from cnnbench.data.storage.packed import ENDING, read_header
from cnnbench.evaluation.distributions import t_two_sided
from cnnbench.evaluation.seed_groups import siblings
from cnnbench.evaluation.seeds import FEWEST, half_band
from cnnbench.runs.config import load_config
from cnnbench.runs.paths import run_folder, run_name
from cnnbench.runs.results import RESULT, RunResult, load_evaluations, load_result
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import write_json, writing
from cnnbench.runtime.shell import typed

PASS, LOW, HIGH, NOT_COMPARABLE = "pass", "low", "high", "not comparable"

# What of a config a recipe decides, in the order in which it usually matters.
DECISIVE = (
    *("epochs", "batch", "weights", "optimizer", "schedule", "image_size", "resolution", "augment", "average", "loss"),
    *("label_smoothing", "bce_threshold", "clip_norm", "filter_radius", "arch"),
)

Compose = Callable[[list[str]], dict[str, Any]]  # overrides of `cnnbench train` -> the value of every key


@dataclass(frozen=True)
class Judgement:
    """One error of one result, in percent; `deviation` in standard errors, above 0 where the run's is higher."""

    file: str
    protocol: str
    weights: str
    top: int
    measured: float
    published: float | None
    low: float | None
    high: float | None
    deviation: float | None
    verdict: str
    source: str
    band: str = ""  # what the band is taken from: the images that were counted, or so many trainings of one's own


def verify(config: VerifyConfig, compose: Compose) -> None:
    """Print the verdict on a run and write it as JSON; leave with exit status 1 unless what is comparable passes."""
    assert config.run is not None  # required by check_verify
    folder = run_folder(config.run)
    trained = load_config(folder)
    result = load_result(folder)
    if result is None:
        raise UserError(f"{folder} has not ended: it has no whole {RESULT}; the same train command continues it")
    if "trial" in result:
        raise UserError(
            f"{folder} is a trial ({result['trial']}), and no paper's error is of one: train without debug=, "
            "max_steps=, max_eval_images= and one_batch="
        )
    measured = _measured(folder, result)
    others = [errors for other in siblings(folder) for errors in _ended(other)]
    judged = [each for file, errors in measured for each in judge(trained, file, errors, config, others)]
    causes = _causes(folder, trained, result, measured, compose)
    output = Path(config.output).expanduser() if config.output is not None else folder / "verify.json"
    conclude(f"{folder}: {trained.arch.name}, recipe {trained.recipe}", judged, causes, config.format, output)


def conclude(title: str, judged: list[Judgement], causes: list[str], form: str, output: Path | None) -> None:
    """Print the verdict on `judged` and write it to `output` as JSON; leave with exit status 1 unless it is a pass."""
    verdict = overall(judged)
    print(render(_table(f"{title}: {verdict}", judged, causes), form))
    if output is not None:
        content = {"verdict": verdict, "judgements": [asdict(each) for each in judged], "causes": causes}
        with writing(output):
            write_json(output, content)
    if verdict != PASS:
        raise SystemExit(1)


def judge(
    trained: TrainConfig,
    file: str,
    measured: MeasuredErrors,
    config: VerifyConfig,
    others: Sequence[MeasuredErrors] = (),
) -> list[Judgement]:
    """Top-1 and top-5 of what was counted once, as `file` has it; `others`: what was counted of other seeds."""
    split = split_of(trained, measured)
    published = published_of(trained, measured, split) if split is not None else None
    found = [judgement(file, measured, top, published, config) for top in (1, 5)]
    if published is None or published.split != split:
        return found
    seeds = [measured, *(errors for errors in others if errors.test() == measured.test())]
    return [_by_seeds(one, seeds, config) for one in found]


def _by_seeds(one: Judgement, seeds: Sequence[MeasuredErrors], config: VerifyConfig) -> Judgement:
    """`one` with the band of one's own seeds, where there are enough: two trainings on the same images lie `sigmas`
    standard deviations of their difference apart, as far as so few seeds can tell (Student's t)."""
    errors = [each.error(one.top) for each in seeds]
    if one.published is None or len(errors) < FEWEST or len(set(errors)) == 1:
        return one
    half = half_band(errors, 1 - t_two_sided(config.sigmas, math.inf)) + config.tolerance
    low, high, away = one.published - half, one.published + half, one.measured - one.published
    verdict = LOW if one.measured < low else HIGH if one.measured > high else PASS
    deviation = away / (math.sqrt(2) * stdev(errors))
    band = f"{len(errors)} seeds"
    return replace(one, low=low, high=high, deviation=deviation, verdict=verdict, band=band)


def _ended(folder: Path) -> list[MeasuredErrors]:
    """What was counted of a run beside the judged one, each test once; nothing of a trial, or one that goes on."""
    result = load_result(folder)
    if result is None or "trial" in result:
        return []
    evaluations = (content for content in load_evaluations(folder).values() if content is not None)
    found = [*errors_of_run(result), *(errors_of_evaluation(content, result) for content in evaluations)]
    return list({errors.test(): errors for errors in found}.values())


def judgement(
    file: str, measured: MeasuredErrors, top: int, published: Published | None, config: VerifyConfig
) -> Judgement:
    """The top-`top` error that `file` has as `measured`, held against the `published` one, if there is one."""
    error = measured.error(top)
    about = file, measured.protocol, measured.weights, top, error
    expected = None if published is None else published.error(top)
    if published is None or expected is None:
        return Judgement(*about, None, None, None, None, NOT_COMPARABLE, "")
    spread = standard_error(expected, published.images, error, measured.n)
    half = config.sigmas * spread + config.tolerance
    low, high = expected - half, expected + half
    verdict = LOW if error < low else HIGH if error > high else PASS
    source = f"{published.source}, {published.split}"
    return Judgement(*about, expected, low, high, (error - expected) / spread, verdict, source, "images")


def standard_error(first: float, n: int, second: float, m: int) -> float:
    """Of the difference of two errors (percent) that were counted on n and on m images, as if independent samples."""
    return math.sqrt(first * (100 - first) / n + second * (100 - second) / m)


def overall(judged: list[Judgement]) -> str:
    """The worst verdict; of the averaged weights alone where there are any, for such recipes publish theirs."""
    comparable = [judgement for judgement in judged if judgement.verdict != NOT_COMPARABLE]
    averaged = [judgement for judgement in comparable if judgement.weights == "averaged"]
    verdicts = [judgement.verdict for judgement in averaged or comparable]
    return next((verdict for verdict in (HIGH, LOW, PASS) if verdict in verdicts), NOT_COMPARABLE)


def _measured(folder: Path, result: RunResult) -> list[tuple[str, MeasuredErrors]]:
    """What result.json and the files of `cnnbench eval` say was counted, each with the name of its file."""
    evaluations: list[tuple[str, MeasuredErrors]] = []
    damaged = []
    for file, content in load_evaluations(folder).items():
        if content is None:
            damaged.append(file)
        else:
            evaluations.append((file, errors_of_evaluation(content, result)))
    if damaged:
        raise UserError(f"a result in {folder} is damaged: remove {', '.join(damaged)}, and run its eval again")
    return [*((RESULT, errors) for errors in errors_of_run(result)), *evaluations]


def _causes(
    folder: Path,
    trained: TrainConfig,
    result: RunResult,
    measured: list[tuple[str, MeasuredErrors]],
    compose: Compose,
) -> list[str]:
    """What makes the run another than the published one, a sentence each."""
    found = [cause for file, errors in measured for cause in _test_causes(trained, file, errors)]
    if trained.protocol not in {errors.protocol for _, errors in measured}:
        found.append(
            f"no result by protocol {trained.protocol}, by which the paper of recipe {trained.recipe} tested: "
            f"cnnbench eval {typed('run', run_name(folder))} protocol={trained.protocol}"
        )
    if result.get("epoch", trained.epochs) != trained.epochs:
        found.append(f"ended after epoch {result['epoch']} of {trained.epochs}")
    return list(dict.fromkeys([*found, *_data_causes(trained), *differences(trained, compose)]))


def _test_causes(trained: TrainConfig, file: str, measured: MeasuredErrors) -> list[str]:
    """What makes the test whose errors `file` has another than the published one."""
    split = split_of(trained, measured)
    if split is None:
        classes = f" of {measured.classes} classes" if measured.classes is not None else ""
        images = f"{measured.n:,} images{classes} of {trained.data.path}"
        return [f"{file}: {images} are not those of any published error"]
    found = []
    if measured.data not in (None, trained.data.path):
        found.append(f"{file}: counted on {measured.data}, not on the run's {trained.data.path}")
    if changed := changed_keys(measured, split):
        return [*found, f"{file}: with {', '.join(changed)}, unlike the published tests"]
    published = published_of(trained, measured, split)
    if published is None:
        known = ", ".join(protocols_of(trained)) or "none"
        found.append(f"{file}: nothing is published for protocol {measured.protocol} (but for: {known})")
        return found + [f"{file}: {said}" for said in held_against_nothing(trained, measured.protocol)]
    if published.note:
        found.append(f"of the published network: {published.note}")
    if published.split != split:
        found.append(f"{file}: published on {published.split}, measured on {split}: about 0.2 to 0.3 points at top-1")
    if published.recipe != trained.recipe:
        found.append(f"trained by recipe {trained.recipe}; the published error is of {published.recipe}")
    return found


def _data_causes(trained: TrainConfig) -> list[str]:
    data, found = trained.data, []
    if data.train_fraction < 1:
        found.append(f"trained on {data.train_fraction:.4g} of the images (data.train_fraction)")
    if data.classes is not None:
        found.append(f"only the classes of {data.classes} (data.classes)")
    if data.pixels == "loose":
        found.append("training images resized without antialiasing (data.pixels=loose)")
    packed = sorted(Path(data.path).glob(f"*{ENDING}")) if data.path is not None and Path(data.path).is_dir() else []
    if packed:
        recipe = read_header(str(packed[0]))[0]["recipe"]
        if recipe["form"] != "original":
            side = f", short side {recipe['short_side']}" if "short_side" in recipe else ""
            found.append(f"packed images that are not the original files (form {recipe['form']}{side})")
    return found


def differences(trained: TrainConfig, compose: Compose) -> list[str]:
    """'epochs=10, not 90 as in recipe resnet', for every deciding key that differs from the recipe's value."""
    chosen = (
        [f"ladder={trained.ladder}"] if trained.ladder else [f"arch={trained.arch.name}", f"recipe={trained.recipe}"]
    )
    try:
        expected = compose(chosen)
    except UserError as error:
        return [f"what the recipe sets is not known here: {error}"]
    names = [name for part in DECISIVE for name in entries(TrainConfig) if name == part or name.startswith(f"{part}.")]
    names.remove("arch.recipe")  # which recipe would have been the network's own
    found = []
    for name in names:
        value = value_of(trained, name)
        wanted = _plain(expected["recipe_batch" if name == "batch" else name])
        if name == "image_size" and wanted is None and value == input_size(replace(trained, image_size=None)):
            continue  # the network's own, written out
        if not hasattr(value, "__dataclass_fields__") and value != wanted:
            source = f"ladder {trained.ladder}" if trained.ladder else f"recipe {trained.recipe}"
            found.append(f"{name}={shown(value)}, not {shown(wanted)} as in {source}{_remark(name, trained)}")
    return found


def _remark(name: str, trained: TrainConfig) -> str:
    if name == "batch":
        optimizer = trained.optimizer
        return f" (the rate follows: {optimizer.lr:g} at {optimizer.base_batch}, scaling {optimizer.scaling})"
    return ""


def _plain(value: Any) -> Any:
    """A composed value as plain lists and dicts."""
    if hasattr(value, "items"):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if hasattr(value, "append") else value


def _table(title: str, judged: list[Judgement], causes: list[str]) -> Table:
    """A row for each of `judged`, and the `causes` of differences below."""
    columns = {
        "result": "", "protocol": "", "weights": "", "top": "d", "error %": ".2f", "published %": ".2f",
        "from": ".2f", "to": ".2f", "standard errors": "+.1f", "verdict": "", "source": "", "band by": "",
    }  # fmt: skip
    rows = [tuple(asdict(judgement).values()) for judgement in judged]
    return Table(title, columns, rows, [f"differs: {cause}" for cause in causes])
