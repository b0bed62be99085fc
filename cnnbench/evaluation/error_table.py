"""Errors as text."""

from __future__ import annotations

from cnnbench.evaluation.counts import Counts
from cnnbench.evaluation.statistics import wilson_interval


def error_table(counts: Counts) -> str:
    """Top-1 and top-5 error in percent, their counts, and 95 % Wilson intervals, as aligned lines."""
    lines = [f"  {'':<6} {'error':>8}  {'wrong':>12}   95 % interval"]
    for name, wrong, error in (
        ("top-1", counts.wrong1, counts.top1_error),
        ("top-5", counts.wrong5, counts.top5_error),
    ):
        low, high = wilson_interval(wrong, counts.n)
        lines.append(f"  {name:<6} {error:>6.2f} %  {f'{wrong:,}/{counts.n:,}':>12}   {low:.2f} .. {high:.2f} %")
    return "\n".join(lines)
