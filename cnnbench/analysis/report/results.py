"""What the runs reached: a line for each error that was counted, beside the published one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cnnbench.analysis.papers.measured import MeasuredErrors, errors_of_evaluation, errors_of_run
from cnnbench.analysis.papers.published import PUBLISHED_SPLITS, Published, changed_keys, published_of, split_of
from cnnbench.analysis.papers.verify import standard_error
from cnnbench.analysis.report.run import Run
from cnnbench.analysis.tables import Table
from cnnbench.config.protocols import SINGLE_CROP
from cnnbench.evaluation.statistics import wilson_interval


@dataclass(frozen=True)
class CountedResult:
    """Errors of a run by one protocol: `wrong1` and `wrong5` of `n` images.

    `weights`: which of the run's; `words`: the protocol in words, if the evaluation says them; `published`: what it
    can be compared with, or None, and `remark` says with what, or why not; `own_images`: whether of the run's own data
    set, with its own labels.
    """

    run: Run
    protocol: str
    words: str | None
    weights: str
    wrong1: int
    wrong5: int
    n: int
    published: Published | None
    remark: str
    own_images: bool = True

    def error(self, top: int) -> Error:
        """The top-1 or the top-5 error beside the published one."""
        wrong = self.wrong1 if top == 1 else self.wrong5
        measured = 100 * wrong / self.n
        low, high = wilson_interval(wrong, self.n)
        expected = None if self.published is None else self.published.error(top)
        if self.published is None or expected is None:
            return Error(measured, low, high, None, None, None)
        spread = standard_error(expected, self.published.images, measured, self.n)
        difference = measured - expected
        return Error(measured, low, high, expected, difference, difference / spread if spread > 0 else None)


@dataclass(frozen=True)
class Error:
    """Percent, with the bounds of the 95 % interval; `difference`: to the published error, in points, and
    `deviation`: in standard errors of that difference, above 0 where the run's error is higher."""

    measured: float
    low: float
    high: float
    published: float | None
    difference: float | None
    deviation: float | None


def results_of(run: Run) -> list[CountedResult]:
    """Every error that was counted for `run`; of a run that has not ended, that of its last evaluation so far."""
    counted = [errors_of_evaluation(content, run.result) for content in run.evaluations]
    if run.result is not None:
        counted = [errors for errors in errors_of_run(run.result) if not _repeated(errors, counted)] + counted
    if counted:
        return [_result(run, errors) for errors in counted]
    return list(_so_far(run))


def main_result(run: Run) -> CountedResult | None:
    """The result of a run that says most: on its own images, one that can be compared with a published error, else by a
    single crop; None if the run has not ended and was not evaluated."""
    results = results_of(run) if run.result or run.evaluations else []
    return min(
        results,
        key=lambda result: (not result.own_images, result.published is None, result.protocol not in SINGLE_CROP),
        default=None,
    )


def protocol_notes(results: list[CountedResult]) -> list[str]:
    """What the protocols are, in the words of the evaluations."""
    return list(dict.fromkeys(f"{result.protocol}: {result.words}" for result in results if result.words))


def run_error_table(results: list[CountedResult], top: int) -> Table:
    """Top-1 or top-5 errors, a line for each result."""
    columns = {
        "run": "",
        "network": "",
        "recipe": "",
        "protocol": "",
        "weights": "",
        "images": "",
        "error %": ".2f",
        "95 % interval": "",
        "published %": ".2f",
        "difference": "+.2f",
        "standard errors": "+.1f",
        "compared with": "",
    }
    rows = []
    for result in results:
        error, config = result.error(top), result.run.config
        remark = result.remark
        if result.published is not None and error.published is None:
            remark = f"no top-{top} error published: {remark}"
        rows.append(
            (
                *(result.run.name, config.arch.name, recipe_of(result.run), result.protocol, result.weights, result.n),
                *(error.measured, f"{error.low:.2f} to {error.high:.2f}"),
                *(error.published, error.difference, error.deviation, remark),
            )
        )
    return Table(f"Top-{top} error", columns, rows)


def summary_table(results: list[CountedResult]) -> Table:
    """The errors in short, a line for each result, for a terminal."""
    columns = {
        **{"run": "", "protocol": "", "weights": ""},
        **{"top-1 error %": ".2f", "95 % interval": "", "published %": ".2f", "standard errors": "+.1f"},
        **{"top-5 error %": ".2f", "published top-5 %": ".2f"},
    }
    rows = []
    for result in results:
        first, fifth = result.error(1), result.error(5)
        interval = f"{first.low:.2f} to {first.high:.2f}"
        rows.append(
            (
                *(result.run.name, result.protocol, result.weights),
                *(first.measured, interval, first.published, first.deviation, fifth.measured, fifth.published),
            )
        )
    return Table("", columns, rows)


def recipe_of(run: Run) -> str:
    """The recipe of a run, and the ladder's row if it is of one."""
    return run.config.recipe + (f", ladder {run.config.ladder}" if run.config.ladder else "")


def _repeated(own: MeasuredErrors, evaluations: list[MeasuredErrors]) -> bool:
    """Whether `cnnbench eval` has counted the same again."""
    return any(
        own.counts() == other.counts() and other.checkpoint == "last" and not _other_truth(other)
        for other in evaluations
    )


def _result(run: Run, measured: MeasuredErrors) -> CountedResult:
    published, remark = _compared(run, measured)
    weights = "averaged" if measured.weights == "averaged" else "as trained"
    weights += "" if measured.checkpoint == "last" else f", checkpoint={measured.checkpoint}"
    counts = measured.wrong1, measured.wrong5, measured.n
    own = measured.data in (None, run.config.data.path) and not _other_truth(measured)
    return CountedResult(run, measured.protocol, measured.protocol_in_words, weights, *counts, published, remark, own)


def _other_truth(measured: MeasuredErrors) -> str:
    """Which labels or images an evaluation took in place of all, if it did."""
    parts = [f"labels of {measured.labels}"] if measured.labels else []
    parts += [f"without the images of {measured.exclude}"] if measured.exclude else []
    return ", ".join(parts)


def _compared(run: Run, measured: MeasuredErrors) -> tuple[Published | None, str]:
    """The published error that this one is of the same kind as, and its source; or None, and why there is none."""
    if run.result is not None and "trial" in run.result:
        return None, f"not comparable: a trial, {run.result['trial']}"
    if measured.labels:
        return None, f"not comparable: {_other_truth(measured)}"
    split = split_of(run.config, measured)
    if split is None:
        return None, f"not comparable: {_data(run, measured)}"
    if changed := changed_keys(measured, split):
        return None, f"not comparable: with {', '.join(changed)}"
    published = published_of(run.config, measured, split)
    if published is None:
        return None, f"nothing published by protocol {measured.protocol} on {split}"
    parts = [published.source, f"{published.split} ({PUBLISHED_SPLITS[published.split][0]:,} images)"]
    parts.append(f"recipe {published.recipe}" + (", another" if published.recipe != run.config.recipe else ""))
    if run.config.data.train_fraction < 1:
        parts.append(f"but trained on {100 * run.config.data.train_fraction:.3g} % of the images")
    return published, "; ".join(parts)


def _data(run: Run, measured: MeasuredErrors) -> str:
    data, tested = run.config.data.path, measured.data or run.config.data.path
    classes = f" ({measured.classes} classes)" if measured.classes is not None else ""
    return f"trained on {data}{classes}" + (f", evaluated on {tested}" if tested != data else "")


def _so_far(run: Run) -> Iterator[CountedResult]:
    """The last evaluation of a run that has no result."""
    for line in reversed(run.metrics):
        if "top1_error" in line and "top5_error" in line and "n" in line:
            wrong1, wrong5 = (round(error * line["n"] / 100) for error in (line["top1_error"], line["top5_error"]))
            remark = f"not compared: after epoch {line['epoch']} of {run.config.epochs}, not ended"
            yield CountedResult(run, "center", None, "as trained", wrong1, wrong5, line["n"], None, remark)
            return
