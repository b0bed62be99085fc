"""What the runs reached: a line for each error that was counted, beside the published one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cnnbench.analysis.papers.published import SPLITS, Published, otherwise, published_of, split_of
from cnnbench.analysis.papers.verify import standard_error
from cnnbench.analysis.report.run import Run
from cnnbench.analysis.tables import Table
from cnnbench.evaluation.statistics import wilson_interval

NEEDED = ("wrong_top1", "wrong_top5", "n", "protocol")  # of an evaluation, without which it says nothing


@dataclass(frozen=True)
class Result:
    """Errors of a run by one protocol: `wrong1` and `wrong5` of `n` images.

    `weights`: which of the run's; `words`: the protocol in words, if the evaluation says them; `published`: what it
    can be compared with, or None, and `remark` says with what, or why not.
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

    def error(self, top: int) -> Error:
        wrong = self.wrong1 if top == 1 else self.wrong5
        expected = None if self.published is None else self.published.top1 if top == 1 else self.published.top5
        measured = 100 * wrong / self.n
        low, high = wilson_interval(wrong, self.n)
        if expected is None:
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


def results_of(run: Run) -> list[Result]:
    """Every error that was counted for `run`; of a run that has not ended, that of its last evaluation so far."""
    counted = [content for content in run.evaluations if all(key in content for key in NEEDED)]
    if run.result is not None and all(key in run.result for key in NEEDED):
        counted = [content for content in _of_training(run.result) if not _repeated(content, counted)] + counted
    if counted:
        return [_result(run, content) for content in counted]
    return list(_so_far(run))


def protocol_notes(results: list[Result]) -> list[str]:
    """What the protocols are, in the words of the evaluations."""
    return list(dict.fromkeys(f"{result.protocol}: {result.words}" for result in results if result.words))


def run_error_table(results: list[Result], top: int) -> Table:
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


def summary_table(results: list[Result]) -> Table:
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
    return run.config.recipe + (f", ladder {run.config.ladder}" if run.config.ladder else "")


def _of_training(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What training counted at its end: with its weights and, if there are any, with the averaged ones."""
    yield result
    if "averaged_wrong_top1" in result:
        wrong = {f"wrong_top{top}": result[f"averaged_wrong_top{top}"] for top in (1, 5)}
        yield result | wrong | {"weights_kind": "averaged"}


def _repeated(own: dict[str, Any], evaluations: list[dict[str, Any]]) -> bool:
    """Whether `cnnbench eval` has counted the same again."""
    same = ("wrong_top1", "wrong_top5", "n", "protocol")
    return any(
        all(own[key] == other[key] for key in same) and _weights(own) == _weights(other) and not _other_truth(other)
        for other in evaluations
    )


def _result(run: Run, content: dict[str, Any]) -> Result:
    published, remark = _compared(run, content)
    counts = (content["wrong_top1"], content["wrong_top5"], content["n"])
    return Result(
        run, content["protocol"], content.get("protocol_in_words"), _weights(content), *counts, published, remark
    )


def _weights(content: dict[str, Any]) -> str:
    kind = "averaged" if content.get("weights_kind") == "averaged" else "as trained"
    return kind + (", best epoch" if str(content.get("weights", "")).endswith("best.pt") else "")


def _other_truth(content: dict[str, Any]) -> str:
    """Which labels or images an evaluation took in place of all, if it did."""
    parts = [f"labels of {content['labels']}"] if content.get("labels") else []
    parts += [f"without the images of {content['exclude']}"] if content.get("exclude") else []
    return ", ".join(parts)


def _compared(run: Run, content: dict[str, Any]) -> tuple[Published | None, str]:
    """The published error that this one is of the same kind as, and its source; or None, and why there is none."""
    if content.get("labels"):
        return None, f"not comparable: {_other_truth(content)}"
    facts = {key: run.result[key] for key in ("classes", "training_images") if key in (run.result or {})}
    split = split_of(run.config, facts | content)
    if split is None:
        return None, f"not comparable: {_data(run, facts | content)}"
    if others := otherwise(content, split):
        return None, f"not comparable: with {', '.join(others)}"
    published = published_of(run.config, content, split)
    if published is None:
        return None, f"nothing published by protocol {content['protocol']} on {split}"
    parts = [published.source, f"{published.split} ({SPLITS[published.split][0]:,} images)"]
    parts.append(f"recipe {published.recipe}" + (", another" if published.recipe != run.config.recipe else ""))
    if run.config.data.train_fraction < 1:
        parts.append(f"but trained on {100 * run.config.data.train_fraction:.3g} % of the images")
    return published, "; ".join(parts)


def _data(run: Run, content: dict[str, Any]) -> str:
    data, tested = run.config.data.path, content.get("data", run.config.data.path)
    classes = f" ({content['classes']} classes)" if "classes" in content else ""
    return f"trained on {data}{classes}" + (f", evaluated on {tested}" if tested != data else "")


def _so_far(run: Run) -> Iterator[Result]:
    """The last evaluation of a run that has no result."""
    for line in reversed(run.metrics):
        if "top1_error" in line and "n" in line:
            wrong = (round(line[f"top{top}_error"] * line["n"] / 100) for top in (1, 5))
            remark = f"not compared: after epoch {line['epoch']} of {run.config.epochs}, not ended"
            yield Result(run, "center", None, "as trained", *wrong, line["n"], None, remark)
            return
