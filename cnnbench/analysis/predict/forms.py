"""The answers of `cnnbench predict` as text, in three forms."""

from __future__ import annotations

import json
from collections.abc import Callable

from cnnbench.analysis.tables import Cell, Table, as_csv, render
from cnnbench.evaluation.predict import Answered, Prediction


def as_table(prediction: Prediction) -> str:
    """A row for each class of each picture, for people."""
    columns = {"picture": "", "rank": "", "probability": ".4f", "class": "", "name": ""}
    rows = [row for one in prediction.pictures for row in _rows(one)]
    if all(row[3] == row[4] for row in rows):  # classes that are names themselves
        columns.pop("class")
        rows = [(*row[:3], row[4]) for row in rows]
    titles = [member.trained_model.title for member in prediction.group]
    title = titles[0] if len(titles) == 1 else f"{len(titles)} networks, probabilities averaged"
    protocol = "; ".join(dict.fromkeys(member.protocol for member in prediction.group))
    return render(Table(f"{title}, {protocol}", columns, rows))


def _rows(one: Answered) -> list[tuple[Cell, ...]]:
    if one.broken is not None:
        return [(one.picture, None, None, "left out", "left out")]
    return [
        (one.picture if i == 0 else "", i + 1, answer.probability, answer.name, answer.words)
        for i, answer in enumerate(one.answers)
    ]


def as_csv_lines(prediction: Prediction) -> str:
    """A line for each picture: its path, why it was left out, and class, name and probability of each answer."""
    width = max(len(one.answers) for one in prediction.pictures)
    columns = [f"{what}{k + 1}" for k in range(width) for what in ("class", "name", "probability")]
    rows = []
    for one in prediction.pictures:
        cells: list[Cell] = [one.picture, one.broken]
        for answer in one.answers:
            cells += [answer.name, answer.words, f"{answer.probability:.6g}"]
        rows.append(cells + [None] * (2 + 3 * width - len(cells)))
    return as_csv(["picture", "left_out", *columns], rows)


def as_json_lines(prediction: Prediction) -> str:
    """An object for each picture, one on each line."""
    return "\n".join(json.dumps(_object(one), ensure_ascii=True) for one in prediction.pictures)


def _object(one: Answered) -> dict[str, object]:
    answers = [{"class": each.name, "name": each.words, "probability": each.probability} for each in one.answers]
    return {"picture": one.picture, "left_out": one.broken, "answers": answers}


FORMS: dict[str, Callable[[Prediction], str]] = {"table": as_table, "csv": as_csv_lines, "jsonl": as_json_lines}
