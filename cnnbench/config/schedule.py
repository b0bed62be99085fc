"""The learning rate over time, `schedule.*`: training/schedules.py has the functions."""

from __future__ import annotations

from dataclasses import dataclass

from cnnbench.config.fields import SHARE, Kind, Range, check_acting, key, require

SCHEDULES = {
    "constant": Kind("the full rate"),
    "step": Kind("multiplied by gamma every step_epochs", ("step_epochs", "gamma")),
    "multi_step": Kind("multiplied by gamma at milestones", ("milestones", "gamma")),
    "exponential": Kind("multiplied by gamma smoothly, once in step_epochs", ("step_epochs", "gamma")),
    "linear": Kind("a straight line to `final`", ("final",)),
    "polynomial": Kind("to `final`, by a power of the time left", ("power", "final")),
    "cosine": Kind("half a cosine to `final`", ("final",)),
    "one_cycle": Kind("half a cosine up and one down", ("start", "peak", "final")),
    "plateau": Kind("multiplied by gamma when the error stalls", ("gamma", "patience", "threshold", "most")),
}


@dataclass(frozen=True)
class ScheduleConfig:
    kind: str = key("form of the learning rate over time", kinds=SCHEDULES)
    warmup: str = key(
        "linear: the factor on the rate rises from `warmup_start` to 1; constant: it stays at `warmup_start`",
        "linear",
        choices=("linear", "constant"),
    )
    warmup_epochs: float = key("warm-up in front, epochs", 0.0, range=Range(at_least=0), source="none is named")
    warmup_start: float = key("factor on the rate at the first step of warm-up", 0.0, range=SHARE)
    step_epochs: float = key(
        "step, exponential: epochs in which the rate is multiplied by gamma once",
        30.0,
        range=Range(above=0),
    )
    milestones: list[float] = key("multi_step: epochs at which the rate is multiplied by gamma", [])
    gamma: float = key("step, multi_step, exponential, plateau: factor on the rate", 0.1, range=Range(at_least=0))
    power: float = key("polynomial: exponent; 1 is a straight line", 2.0, range=Range(above=0))
    start: float = key("one_cycle: factor on the rate at the start", 0.04, range=SHARE)
    peak: float = key(
        "one_cycle: share of the time, in (0, 1), after which the rate is full",
        0.3,
        range=Range(above=0, below=1),
    )
    final: float = key("linear, polynomial, cosine, one_cycle: factor on the rate at the end", 0.0, range=SHARE)
    patience: int = key(
        "plateau: evaluations in a row without a better top-1 error before the rate is multiplied",
        5,
        range=Range(at_least=1),
    )
    threshold: float = key(
        "plateau: percentage points that make an error better",
        0.0,
        range=Range(at_least=0),
        source="our choice: any lower error counts, for it was done by hand",
    )
    most: int | None = key(
        "plateau: largest number of times that the rate is multiplied; null: no limit",
        None,
        range=Range(at_least=0),
    )


def check_schedule(schedule: ScheduleConfig, epochs: int) -> None:
    """Raise UserError for keys that cannot work together, or in so many `epochs`."""
    require(
        schedule.warmup_epochs <= epochs,
        f"schedule.warmup_epochs={schedule.warmup_epochs:g} is more than epochs={epochs}: give at most "
        f"schedule.warmup_epochs={epochs}, or more epochs",
    )
    milestones = schedule.milestones
    require(
        schedule.kind != "multi_step" or (milestones and milestones == sorted(milestones) and milestones[0] > 0),
        f"schedule.milestones={milestones} is not possible: give epochs above 0, ascending, as in [30,60]",
    )
    check_acting("schedule", schedule, SCHEDULES)
