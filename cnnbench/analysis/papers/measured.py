"""The errors of a run as they were counted: by training at its end, or by `cnnbench eval`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from cnnbench.runs.results import EvaluationResult, RunResult


@dataclass(frozen=True)
class MeasuredErrors:
    """`wrong1` and `wrong5` of `n` images, by `protocol`, with the weights "raw" or "averaged".

    `data`, `classes` (of the run's data) and `training_images` are None where no file says them. `checkpoint`:
    which of the run's, as best, which was chosen on the same images. `changed`: what the test does otherwise
    than its protocol; `labels` and `exclude`: files of other labels, and of images left out.
    """

    protocol: str
    protocol_in_words: str | None
    weights: str
    wrong1: int
    wrong5: int
    n: int
    data: str | None = None
    classes: int | None = None
    training_images: int | None = None
    checkpoint: str = "last"
    changed: dict[str, Any] = field(default_factory=dict)
    labels: str | None = None
    exclude: str | None = None

    def error(self, top: int) -> float:
        """The top-1 or the top-5 error, percent."""
        return 100 * (self.wrong1 if top == 1 else self.wrong5) / self.n

    def test(self) -> tuple[Any, ...]:
        """What was asked of the network: equal tuples are one test, whose errors of several trainings compare."""
        changed = tuple(sorted(map(str, self.changed.items())))
        return self.protocol, self.weights, self.n, self.data, self.checkpoint, changed, self.labels, self.exclude

    def counts(self) -> tuple[str, str, int, int, int]:
        """What two records of one evaluation have in common: equal tuples are the same count."""
        return self.protocol, self.weights, self.wrong1, self.wrong5, self.n


def errors_of_run(result: RunResult) -> list[MeasuredErrors]:
    """What training counted at its end: with its weights and, if there are any, with the averaged ones."""
    raw = MeasuredErrors(
        protocol=result["protocol"],
        protocol_in_words=None,
        weights="raw",
        wrong1=result["wrong_top1"],
        wrong5=result["wrong_top5"],
        n=result["n"],
        data=result.get("data"),
        classes=result.get("classes"),
        training_images=result.get("training_images"),
    )
    if "averaged_wrong_top1" not in result or "averaged_wrong_top5" not in result:
        return [raw]
    averaged = replace(
        raw, weights="averaged", wrong1=result["averaged_wrong_top1"], wrong5=result["averaged_wrong_top5"]
    )
    return [raw, averaged]


def errors_of_evaluation(content: EvaluationResult, run: RunResult | None) -> MeasuredErrors:
    """What `cnnbench eval` counted; `run`: what the run itself says of its data, None before it has ended."""
    return MeasuredErrors(
        protocol=content["protocol"],
        protocol_in_words=content.get("protocol_in_words"),
        weights=content.get("weights_kind", "raw"),
        wrong1=content["wrong_top1"],
        wrong5=content["wrong_top5"],
        n=content["n"],
        data=content.get("data"),
        classes=None if run is None else run.get("classes"),
        training_images=None if run is None else run.get("training_images"),
        checkpoint=content.get("checkpoint") or "last",
        changed=content.get("changed", {}),
        labels=content.get("labels"),
        exclude=content.get("exclude"),
    )
