"""Errors as text."""

from __future__ import annotations

from collections.abc import Mapping

from cnnbench.evaluation.counts import Counts
from cnnbench.evaluation.statistics import wilson_interval


def error_table(counts: Counts) -> str:
    """The top-1 and the top-5 error of `counts`, as `table_of_wrong`."""
    return table_of_wrong({"top-1": counts.wrong1, "top-5": counts.wrong5}, counts.n)


def table_of_wrong(wrong: Mapping[str, int], n: int) -> str:
    """Of each measure the error in percent, how many of `n` images are wrong, and the 95 % Wilson interval, as aligned
    lines."""
    width = max(6, *map(len, wrong))
    lines = [f"  {'':<{width}} {'error':>8}  {'wrong':>12}   95 % interval"]
    for name, count in wrong.items():
        low, high = wilson_interval(count, n)
        share = f"{count:,}/{n:,}"
        lines.append(f"  {name:<{width}} {100 * count / n:>6.2f} %  {share:>12}   {low:.2f} .. {high:.2f} %")
    return "\n".join(lines)
