"""Published facts of the networks, kept as data in facts.json: paper, size, cost and the errors that papers print.

Numbers follow the conventions in the same file: errors in percent, multiply-adds of convolutions and fully connected
layers, each error with its protocol, its split and the table that prints it. Importing this does not import torch.
"""

from __future__ import annotations

import copy
import json
from functools import cache
from importlib.resources import files
from typing import Any

UNKNOWN: dict[str, Any] = {
    **dict.fromkeys(("family", "macs", "num_classes")),
    "paper": dict.fromkeys(("title", "authors", "year", "venue", "arxiv")),
    "depth": {"value": None, "counts": None},
    "input": {"channels": None, "size": None},
    "params": {"total": None},
    **{name: [] for name in ("quoted", "results", "weights")},
}


def facts(name: str) -> dict[str, Any]:
    """The facts of the network `name`.

    Keys: key, family, paper (title, authors, year first posted, venue, arxiv), input (channels, size in pixels),
    num_classes, depth (value, counts), params (total, with_aux where there are auxiliary heads), macs, quoted (what
    the paper says of itself), results (split, protocol, top1_err, top5_err, where, status; perhaps detail,
    mean_top1_err where top1_err is of the best of several runs, `of` where the number belongs to another network or
    an ensemble, `differs` where it is of a network that is not quite this one, and `note`) and weights (public ones,
    with their errors).

    Of a network without published facts, as another package may add, every value is None and every list empty.
    """
    return {"key": name, **copy.deepcopy(_load()["networks"].get(name, UNKNOWN))}


def all_facts() -> list[dict[str, Any]]:
    """The facts of every network: those for ILSVRC in the order of the papers, then those for CIFAR."""
    return [facts(name) for name in _load()["networks"]]


def conventions() -> dict[str, Any]:
    """What the numbers mean: how parameters and multiply-adds are counted; protocols and splits, each in one line."""
    return copy.deepcopy(_load()["conventions"])


def headline(entry: dict[str, Any]) -> dict[str, Any] | None:
    """The result of `entry` (from `facts`) that stands for it: its first result that is of the network itself.

    Networks that no paper tests fall back on the first public weights; None where there are none either.
    """
    for result in entry["results"]:
        if "of" not in result:
            return result
    if entry["weights"]:
        weights = entry["weights"][0]
        return {"split": "val", **weights, "where": f"{weights['publisher']}, {weights['name']}"}
    return None


def source_of(entry: dict[str, Any], figure: dict[str, Any]) -> str:
    """The document that prints `figure`, a result or weights of `entry`: a paper, or a file of a repository."""
    where = figure.get("where", figure.get("publisher", ""))
    for start, source in _load()["conventions"]["sources"].items():
        if where.startswith(start):
            return source
    number = where.partition(" ")[0]  # a result that another network's paper prints begins with its arXiv number
    papers = (other["paper"] for other in _load()["networks"].values())
    return _cited(next((paper for paper in papers if paper["arxiv"] == number), entry["paper"]))


def _cited(paper: dict[str, Any]) -> str:
    number = f"arXiv {paper['arxiv']}" if paper["arxiv"] else paper["venue"]
    return f"{paper['authors']} {paper['year']}, {number}"


def published(name: str, **wanted: Any) -> dict[str, Any]:
    """The one result of the network `name` with these entries, such as protocol="10 crops"; None: without that entry.

    Raises ValueError if no result fits, or several.
    """
    fitting = [r for r in facts(name)["results"] if all(r.get(key) == value for key, value in wanted.items())]
    if len(fitting) != 1:
        raise ValueError(f"{len(fitting)} published results of {name} with {wanted}, not one")
    return fitting[0]


@cache
def _load() -> dict[str, Any]:
    return json.loads(files("cnnbench.archs").joinpath("facts.json").read_text(encoding="utf-8"))
