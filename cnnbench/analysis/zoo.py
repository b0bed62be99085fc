"""`cnnbench zoo`, all networks in one table: size, cost and published error, from the facts alone; imports no torch."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any

from cnnbench.analysis.published_weights import weights_table
from cnnbench.analysis.tables import Cell, Table, as_csv, render
from cnnbench.archs.facts import all_facts, facts, headline
from cnnbench.archs.registry import names_of_others
from cnnbench.config.analyse import ZooConfig
from cnnbench.runtime.errors import UserError

ZOO_COLUMNS = (
    "key",
    "family",
    "year",
    "layers",
    "params",
    "macs",
    "image_size",
    "top1_err",
    "top5_err",
    "protocol",
    "split",
    "where",
    "differs",
)


def show_zoo(config: ZooConfig) -> None:
    """Print the table of networks. Does not import torch."""
    try:
        rows = zoo_table(config.family, config.name, config.sort)
    except ValueError as error:
        raise UserError(str(error)) from error
    if not rows:
        raise UserError(f"no network matches family={config.family} name={config.name}; `cnnbench zoo` lists all")
    if config.weights:
        print(render(weights_table([row["key"] for row in rows]), config.format))
    else:
        print(render_zoo(rows, config.format))


def zoo_table(family: str | None = None, name: str | None = None, sort: str | None = None) -> list[dict[str, Any]]:
    """One row for each network, a dict with ZOO_COLUMNS as keys.

    `year`: when the paper was first posted; `layers`: those with weights, as the paper counts; `params`: without
    auxiliary heads; `macs`: multiply-adds of one image of side `image_size` pixels; errors in percent, by `protocol` on
    `split`, printed in `where`; `differs`: what the network that they are of has otherwise. None: not published.

    `family` keeps one family. `name` keeps keys that match a pattern (with *, ? or [) or else contain it. `sort` is one
    of ZOO_COLUMNS: ascending, empty cells last; without it the order of the facts. Raises ValueError for an unknown
    family or column.
    """
    rows = [_row(entry) for entry in [*all_facts(), *map(facts, names_of_others())]]
    if family is not None:
        families = list(dict.fromkeys(row["family"] for row in rows if row["family"] is not None))
        if family not in families:
            raise ValueError(f"no family '{family}': choose one of {', '.join(families)}")
        rows = [row for row in rows if row["family"] == family]
    if name is not None:
        pattern = name if any(c in name for c in "*?[") else f"*{name}*"
        rows = [row for row in rows if fnmatchcase(row["key"], pattern)]
    if sort is not None:
        if sort not in ZOO_COLUMNS:
            raise ValueError(f"no column '{sort}' to sort by: choose one of {', '.join(ZOO_COLUMNS)}")
        rows.sort(key=lambda row: (row[sort] is None, row[sort] if row[sort] is not None else 0))
    return rows


def render_zoo(rows: list[dict[str, Any]], form: str = "table") -> str:
    """Rows of `zoo_table` as one text, `form` one of FORMATS. CSV and JSON hold them as they are, in whole units."""
    if form == "json":
        return json.dumps(rows, indent=2)
    if form == "csv":
        return as_csv(ZOO_COLUMNS, [list(row.values()) for row in rows])
    columns = {
        "network": "",
        "family": "",
        "year": "d",
        "layers": "",
        "params (M)": ",.2f",
        "MACs (G)": ",.2f",
        "size": "",
        "top-1": ".2f",
        "top-5": ".2f",
        "protocol": "",
        "source": "",
    }
    notes = [
        "top-1, top-5: published error in percent, on the ILSVRC-2012 validation set if nothing else is said",
        "*: on the 48,238 images that are not blacklisted, where top-1 errors are 0.2-0.3 lower",
        "source: of the paper, or who published weights and their error",
        "MACs: multiply-adds of convolutions and fully connected layers, one image",
        *(f"the errors beside {row['key']} are of a network with {row['differs']}" for row in rows if row["differs"]),
    ]
    return render(Table("", columns, [_cells(row) for row in rows], notes if rows else ["no network matches"]), form)


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    result = headline(entry) or {}
    values = (
        entry["key"],
        entry["family"],
        entry["paper"]["year"],
        entry["depth"]["value"],
        entry["params"]["total"],
        entry["macs"],
        entry["input"]["size"],
        *(result.get(column) for column in ZOO_COLUMNS[7:]),
    )
    return dict(zip(ZOO_COLUMNS, values, strict=True))


def _cells(row: dict[str, Any]) -> tuple[Cell, ...]:
    protocol, split, where = row["protocol"], row["split"], row["where"]
    if split == "val_non_blacklisted":
        protocol += "*"
    elif split not in ("val", None):
        protocol = split.replace("_", " ")
    return (
        row["key"],
        row["family"],
        row["year"],
        row["layers"],
        None if row["params"] is None else row["params"] / 1e6,
        None if row["macs"] is None else row["macs"] / 1e9,
        row["image_size"],
        row["top1_err"],
        row["top5_err"],
        protocol,
        where and re.split(r" \(|[,;]", where)[0],
    )
