"""Groups against a published error, of which nothing but the figure is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean

from cnnbench.analysis.compare.groups import Group
from cnnbench.analysis.papers.published import Published, published_of, split_of
from cnnbench.analysis.tables import Cell, Table
from cnnbench.evaluation.distributions import normal_quantile, t_two_sided
from cnnbench.evaluation.paired import LEVEL
from cnnbench.evaluation.seeds import FEWEST, half_band, p_of_one_more


def published_table(groups: Sequence[Group], given: float | None) -> tuple[Table | None, list[str]]:
    """A row for each group with something to hold it against, `given` or published of its network, and the verdicts;
    None where there is nothing."""
    rows: list[list[Cell]] = []
    verdicts = []
    for group in groups:
        found = (given, None, "given") if given is not None else _published(group)
        if found is not None:
            row, sentence = _held(group, *found)
            rows.append(row)
            verdicts.append(sentence)
    columns = {
        **{
            "network": "",
            "top-1 error %": ".2f",
            "published %": ".2f",
            "difference": "+.2f",
            "from": "+.2f",
            "to": "+.2f",
        },
        **{"p": ".3g", "by": "", "source": ""},
    }
    notes = [
        "from, to: where 95 % of differences lie if the published training is one of the same recipe",
        f"seeds: by the deviation of one's own, from {FEWEST} trainings on; images: by the number of images, as if "
        "they were others, which is too wide where they are the same",
    ]
    return (Table("Against the published top-1 error", columns, rows, notes) if rows else None), verdicts


def _published(group: Group) -> tuple[float, int, str] | None:
    """The published top-1 error of the group's network, recipe and protocol, its images and source."""
    one = group.trainings[0]
    split = None if one.config is None or one.counts is None else split_of(one.config, one.counts)
    if one.config is None or one.counts is None or split is None:
        return None
    found: Published | None = published_of(one.config, one.counts, split)
    if found is None or found.top1 is None:
        return None
    return found.top1, found.images, f"{found.source}, {found.split}"


def _held(group: Group, error: float, images: int | None, source: str) -> tuple[list[Cell], str]:
    errors, (_, n) = group.errors(1), group.counts(1)[0]
    found = mean(errors) - error
    if len(errors) >= FEWEST:
        half, p, by = half_band(errors, 1 - LEVEL, len(errors)), p_of_one_more(errors, error), "seeds"
    else:
        spread = math.sqrt(error * (100 - error) / (images or n) + mean(errors) * (100 - mean(errors)) / n)
        half, p, by = normal_quantile(1 - LEVEL / 2) * spread, t_two_sided(found / spread, math.inf), "images"
    row: list[Cell] = [group.name, mean(errors), error, found, -half, half, p, by, source]
    direction = "above" if found > 0 else "below"
    away = f"{abs(found):.2f} points {direction} the published {error:.2f} % ({source})"
    because = (
        f"{len(errors)} trainings of one's own vary so much that it may lie within {half:.2f}"
        if by == "seeds"
        else f"the number of images alone leaves {half:.2f} points open, and how far seeds vary is not known"
    )
    judged = "is normal" if abs(found) <= half else "is not explained by chance"
    return row, f"{group.name} is {away}, which {judged}: {because}."
