"""The classical comparisons as tables: what the papers print, and below it the runs of the same networks."""

from __future__ import annotations

from typing import Any

from cnnbench.analysis.papers.published import LADDERS, PUBLISHED_SPLITS
from cnnbench.analysis.report.results import CountedResult
from cnnbench.analysis.tables import Cell, Table
from cnnbench.archs.facts import facts, headline

# Title, and a line for each: name in the table, network, entries that tell its published result ({}: its first).
PublishedRow = tuple[str, str, dict[str, Any]]


def _networks(*names: str) -> list[PublishedRow]:
    return [(name, name, {}) for name in names]


def _rows_of(ladder: str, *steps: str) -> list[PublishedRow]:
    """Rows of a ladder of published.py, by what changes in them."""
    found = []
    for step in steps:
        name, wanted = LADDERS[f"{ladder}/{step}"]
        found.append((wanted.get("of") or f"{name}, {wanted['detail']}", name, wanted))
    return found


COMPARISONS: dict[str, list[PublishedRow]] = {
    "DenseNet against ResNet": _networks(
        *("densenet121", "densenet169", "densenet201", "densenet264"),
        *("resnet34", "resnet50", "resnet101", "resnet152"),
    ),
    "From GoogLeNet to Inception-ResNet": [
        *_networks("googlenet", "bn_inception"),
        *_rows_of("inception_v3", "inception_v2", "rmsprop", "label_smoothing", "factorised_7x7"),
        *_networks("inception_v3", "inception_v4", "inception_resnet_v1", "inception_resnet_v2"),
    ],
    "Plain against residual": [
        *_networks("plain18"),
        *_rows_of("plain_residual", "resnet18"),
        *_networks("plain34"),
        *_rows_of("plain_residual", "resnet34"),
    ],
}


def comparison_tables(results: list[CountedResult]) -> list[Table]:
    """A table for each of COMPARISONS of which a run has a network; parameters and multiply-adds are the network's at
    its paper's size, and left out of lines that are of another form of it."""
    columns = {
        "network": "",
        "top-1 error %": ".2f",
        "top-5 error %": ".2f",
        "parameters (M)": ".2f",
        "multiply-adds (G)": ".2f",
        "at (pixels)": "",
        "protocol": "",
        "images": "",
        "from": "",
    }
    tables = []
    for title, rows in COMPARISONS.items():
        networks = {name for _, name, _ in rows}
        measured = [result for result in results if result.run.config.arch.name in networks]
        if measured:
            lines = [_published(*row) for row in rows] + [_measured(result) for result in measured]
            tables.append(Table(title, columns, lines))
    return tables


def _published(shown: str, name: str, wanted: dict[str, Any]) -> tuple[Cell, ...]:
    entry = facts(name)
    fitting = [result for result in entry["results"] if all(result.get(key) == value for key, value in wanted.items())]
    result = fitting[0] if wanted else headline(entry)
    assert result is not None  # COMPARISONS holds networks with published errors only
    paper = f"published: {entry['paper']['authors']} {entry['paper']['year']}, {result['where']}"
    images = PUBLISHED_SPLITS[result["split"]][0]
    errors = (result["top1_err"], result["top5_err"])
    cost = _cost(entry) if result == headline(entry) else (None, None, None)
    return (shown, *errors, *cost, result["protocol"], images, paper)


def _measured(result: CountedResult) -> tuple[Cell, ...]:
    config = result.run.config
    errors = (result.error(1).measured, result.error(5).measured)
    remark = "measured" if result.published else result.remark
    network = f"{config.arch.name}: run {result.run.name}"
    return (network, *errors, *_cost(facts(config.arch.name)), result.protocol, result.n, remark)


def _cost(entry: dict[str, Any]) -> tuple[Cell, ...]:
    """Millions of parameters, thousand millions of multiply-adds, and the side of the image they are at."""
    if entry["macs"] is None:
        return None, None, None
    return entry["params"]["total"] / 1e6, entry["macs"] / 1e9, entry["input"]["size"]
