"""Checks of single values: each raises UserError if a value is wrong."""

from __future__ import annotations

from cnnbench.errors import UserError


def check_range(
    name: str,
    value: float | None,
    low: float,
    high: float = float("inf"),
    below: float = float("inf"),
    open_low: bool = False,
) -> None:
    """Raise UserError unless low <= value <= high and value < below; None passes."""
    if value is None:
        return
    if (low < value if open_low else low <= value) and value <= high and value < below:
        return
    bounds = [f"above {low:g}" if open_low else f"at least {low:g}"]
    bounds += [f"at most {high:g}"] if high < float("inf") else []
    bounds += [f"below {below:g}"] if below < float("inf") else []
    raise UserError(f"{name}={value} is out of range: it must be {' and '.join(bounds)}")


def require(condition: bool, sentence: str) -> None:
    if not condition:
        raise UserError(sentence)
