"""The claims that were trained: what came of them on the sample, by seeds, and the commands of both forms.

The runs are those of studies.py; `python tools/lecture_runs.py` trains them again.
"""

from __future__ import annotations

import math
from typing import Any

from cnnbench.analysis.describe.network import describe_named
from cnnbench.analysis.lecture.studies import RATES, STUDIES, Study, trained
from cnnbench.analysis.tables import Cell, Table
from cnnbench.archs.facts import facts
from cnnbench.evaluation.statistics import wilson_interval

PUBLISHED_B = {"B": "28.7", "B-5x5": "7 points more"}  # VGG paper, Table 3 and section 4.1
# Krizhevsky et al. 2012: without what, points of top-1 and top-5 error more, section, row of conf/ladder/alexnet.
PARTS = (
    ("local response normalisation", 1.4, 1.2, "3.3", "without_lrn"),
    ("overlapping pooling", 0.4, 0.3, "3.4", "plain_pooling"),
    ("any one of the middle layers", 2.0, None, "7", None),
    ("ReLU: training six times slower", None, None, "3.1", "tanh"),
    ("dropout: overfits substantially", None, None, "4.2", "without_dropout"),
)
# Ioffe and Szegedy 2015, Figure 3: rate, million steps to 72.2 % accuracy, highest accuracy, row of the ladder.
RATES_OF_BN = (
    ("Inception, without", 0.0015, 31.0, 72.2, None),
    ("BN-Baseline", 0.0015, 13.3, 72.7, "baseline"),
    ("BN-x5", 0.0075, 2.1, 73.0, "x5"),
    ("BN-x30", 0.045, 2.7, 74.8, "x30"),
)
REACHED = 25.0  # percent of training error: AlexNet's Figure 1
# 97.5 % quantile of Student's t for the degrees of freedom of two to six seeds
T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571}


def activation() -> list[Table]:
    """Epochs to 25 % training error of each activation, each at the rate that is fastest for it."""
    rows = []
    for name, form in fastest().items():
        reached = _reached(form)
        counts = [count for count in reached if count is not None]
        shown = ", ".join("never" if count is None else f"{count:.1f}" for count in reached)
        mean = sum(counts) / len(counts) if counts and len(counts) == len(reached) else None
        last = [run["train_top1_error"][-1] for run in runs_of("activation") if run["form"] == form]
        rows.append((name, float(form.rpartition(" ")[2]), mean, shown, *_mean_of(last)))
    columns = {
        "activation": "",
        "fastest rate": "g",
        "epochs to 25 %": ".1f",
        "by seed": "",
        "last training error (%)": ".1f",
        "+-": ".1f",
    }
    return [Table(STUDIES["activation"].title, columns, rows, notes_of("activation"))]


def augmentation() -> list[Table]:
    """Training and validation error of each augmentation alone, of none and of all."""
    return [_errors("augmentation")]


def data_size() -> list[Table]:
    """Training and validation error by the share of the training images."""
    return [_errors("data_size")]


def label_smoothing() -> list[Table]:
    """Training and validation error with and without smoothing; how sure the network is, and how much it is right."""
    rows = []
    for form in STUDIES["label_smoothing"].forms:
        measured = [
            run["confidence"] for run in runs_of("label_smoothing") if run["form"] == form and "confidence" in run
        ]
        if measured:
            means = [sum(values) / len(values) for values in zip(*(each.values() for each in measured), strict=True)]
            rows.append((form, len(measured), *means))
    columns = {
        "smoothing": "",
        "seeds": "",
        "mean confidence (%)": ".1f",
        "accuracy (%)": ".1f",
        "calibration error (points)": ".1f",
        "margin of the first logit": ".2f",
    }
    notes = [
        "confidence: the probability of the first class; calibration error: mean over 15 bins of confidence of the "
        "distance to accuracy, by images (Guo et al. 2017); margin: first logit less the second, mean",
        "Inception-v2/v3 paper, section 7: smoothing keeps the largest logit from becoming much larger than all others",
    ]
    return [_errors("label_smoothing"), Table("Confidence with and without smoothing", columns, rows, notes)]


def alexnet_parts() -> list[Table]:
    """AlexNet and what its paper says that each part brings, with what was trained of it."""
    return [_parts(), _errors("alexnet_parts")]


def small_filters() -> list[Table]:
    """VGG's net B and the same with 5x5 filters: parameters, multiply-adds, and what was trained of it."""
    rows = []
    for column in ("B", "B-5x5"):
        described = describe_named("vgg13", column=column)
        convolutions = [layer for layer in described.layers if layer.type == "Conv2d"]
        weights = sum(layer.params for layer in convolutions)
        rows.append((column, len(convolutions), weights / 1e6, described.totals.macs / 1e9, PUBLISHED_B[column]))
    columns = {
        "net": "",
        "convolutions": "",
        "their params (M)": ".2f",
        "MACs (G)": ".2f",
        "published top-1 error (%)": "",
    }
    notes = ["VGG paper, section 4.1: a deep net with small filters outperforms a shallow net with larger filters"]
    return [Table("VGG's net B with 3x3 and with 5x5 filters", columns, rows, notes), _errors("small_filters")]


def batch_norm_rates() -> list[Table]:
    """BN-Inception's rates and what they brought, published; GoogLeNet with and without it, trained on the sample."""
    columns = {
        "network": "",
        "rate": "g",
        "steps to 72.2 % (M)": ".1f",
        "highest accuracy (%)": ".1f",
        "step of the ladder": "",
    }
    notes = [
        "Ioffe and Szegedy 2015, Figure 3; rates of the recipe's batch; the steps are those of ladder=bn_inception"
    ]
    published = Table("Batch normalisation and the rate (published)", columns, RATES_OF_BN, notes)
    return [published, _errors("batch_norm_rates")]


def residual_inception() -> list[Table]:
    """Pure and residual Inception of equal cost, counted and published, and a pair of them trained on the sample."""
    rows = []
    for name in ("inception_v3", "inception_resnet_v1", "inception_v4", "inception_resnet_v2"):
        totals, result = describe_named(name).totals, facts(name)["results"][0]
        rows.append((name, totals.params / 1e6, totals.macs / 1e9, result["top1_err"], result["top5_err"]))
    columns = {
        "network": "",
        "params (M)": ".1f",
        "MACs (G)": ".1f",
        "top-1 error (%)": ".1f",
        "top-5 error (%)": ".1f",
    }
    notes = [
        "lecture, Figures 25 and 26 of the paper: the residual version converges faster; the final accuracy depends on "
        "size. Pairs of about equal cost: v3 and ResNet-v1, v4 and ResNet-v2",
        "trained on ILSVRC by the ladder's steps, cnnbench report draws their errors by epoch",
    ]
    published = Table("Inception with and without residual connections (published)", columns, rows, notes)
    return [published, _errors("residual_inception")]


def _parts() -> Table:
    columns = {"without": "", "top-1 error (points)": "+.1f", "top-5 error (points)": "+.1f", "section": "", "step": ""}
    notes = ["lost without it, by its paper; for ILSVRC: cnnbench train ladder=alexnet step=without_lrn data=/imagenet"]
    return Table("AlexNet's parts (published)", columns, PARTS, notes)


def plain_residual() -> Table:
    """Training and validation error of plain and residual networks of 20 and 56 layers."""
    return _errors("plain_residual")


def all_trained() -> list[Table]:
    """Every claim that was trained on the sample, or is to be."""
    named = (
        *("data_size", "augmentation", "alexnet_parts", "small_filters", "plain_residual", "label_smoothing"),
        *("batch_norm_rates", "residual_inception"),
    )
    return [*activation(), *map(_errors, named)]


def runs_of(name: str) -> list[dict[str, Any]]:
    """The runs that were kept of a study; none where it was not run."""
    return trained().get(name, {}).get("runs", [])


def epochs_to(run: dict[str, Any], error: float) -> float | None:
    """Epochs until the training error of `run` was at `error` percent, on the line between two epochs; None if "
    "never."""
    before = None
    for epoch, now in enumerate(run["train_top1_error"], 1):
        if now <= error:
            return float(epoch) if before is None else epoch - (error - now) / (before - now)
        before = now
    return None


def mean_and_half(values: list[float]) -> tuple[float, float | None]:
    """The mean of `values`, and half of its 95 % interval by Student's t; None of a single value."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return mean, T[len(values) - 1] * deviation / math.sqrt(len(values))


def errors_of(run: dict[str, Any]) -> tuple[float, float]:
    """Training and validation error after the last epoch, percent."""
    return run["train_top1_error"][-1], 100 * run["wrong"] / run["n"]


def fastest() -> dict[str, str]:
    """Activation -> the form of its study, at the rate at which all seeds together reach REACHED first."""
    forms = {name: [f"{name} at {rate}" for rate in rates] for name, rates in RATES.items()}
    return {name: min(own, key=_late) for name, own in forms.items()}


def _reached(form: str) -> list[float | None]:
    return [epochs_to(run, REACHED) for run in runs_of("activation") if run["form"] == form]


def _late(form: str) -> tuple[float, float]:
    """What a rate is judged by: epochs to REACHED, mean over seeds, then the last training error."""
    runs = [run for run in runs_of("activation") if run["form"] == form]
    if not runs or any(run["wrong"] is None for run in runs):
        return math.inf, math.inf
    epochs = sum(math.inf if count is None else count for count in _reached(form))
    return epochs / len(runs), sum(run["train_top1_error"][-1] for run in runs) / len(runs)


def _mean_of(values: list[float]) -> tuple[float | None, float | None]:
    return mean_and_half(values) if values else (None, None)


def _errors(name: str) -> Table:
    """A row for each form of the study, its errors as means over seeds."""
    study = STUDIES[name]
    rows: list[tuple[Cell, ...]] = []
    for form in study.forms:
        runs = [run for run in runs_of(name) if run["form"] == form]
        pairs = [errors_of(run) for run in runs if run["wrong"] is not None]
        if runs and not pairs:
            rows.append((f"{form}: not finite", len(runs), None, None, None, None))
        if not pairs:  # not run yet, or without an end
            continue
        training, validation = ([pair[i] for pair in pairs] for i in (0, 1))
        error, half = _mean_of(validation)
        rows.append((form, len(pairs), *_mean_of(training), error, half or _of_images(name, form)))
    columns = {
        "form": "",
        "seeds": "",
        "training error (%)": ".1f",
        "its +-": ".1f",
        "validation error (%)": ".1f",
        "+-": ".1f",
    }
    return Table(study.title, columns, rows, notes_of(name))


def _of_images(name: str, form: str) -> float:
    """Half of the Wilson interval of a form that one seed was run of: what the images alone leave open."""
    run = next(run for run in runs_of(name) if run["form"] == form and run["wrong"] is not None)
    low, high = wilson_interval(run["wrong"], run["n"])
    return (high - low) / 2


def notes_of(name: str) -> list[str]:
    """What is published of a study, what was trained, and the commands of both forms."""
    study = STUDIES[name]
    kept = trained().get(name)
    notes = [study.published]
    if kept is None:
        return [*notes, "not run yet: no result is kept", *_commands(study)]
    seeds = ", ".join(map(str, sorted({run["seed"] for run in kept["runs"]})))
    return [
        *notes,
        *([f"here: {study.here}"] if study.here else []),
        f"trained on the bundled sample, seeds {seeds}, 2,000 validation images, one centre crop; +-: half "
        "of the 95 % interval of the mean over seeds (Student's t); of a single seed that of its images (Wilson). "
        f"{kept['machine']}",
        *_commands(study),
    ]


def _commands(study: Study) -> list[str]:
    form = next(iter(study.forms.values()))
    return [f"again: cnnbench train {' '.join([*study.words, *form])} seed=0", f"for ILSVRC: {study.ilsvrc}"]
