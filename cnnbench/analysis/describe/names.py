"""The names of layers beside the rows of a description."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

from cnnbench.analysis.describe.network import Description
from cnnbench.archs.layer_names import Names


def with_names(description: Description, names: Names) -> Description:
    """`description` with the names of `archs.layer_names` at the rows behind which their values stand.

    A name stands at the last module that runs before its point; the row's own path, and what lies deeper in a module
    than one number (layer3.5), are left out.
    """
    last = {layer.name: i for i, layer in enumerate(description.layers)}  # a module that runs twice: its last row
    ends = sorted((names[path].order, row) for path, row in last.items())
    found: dict[int, list[str]] = {}
    for name, point in names.items():
        row = ends[max(0, bisect_right(ends, (point.order, len(description.layers))) - 1)][1]
        known = {other.lower() for other in (description.layers[row].name, *found.get(row, []))}
        if _worth_showing(name) and name.lower() not in known:
            found.setdefault(row, []).append(name)
    layers = [replace(layer, names=tuple(found.get(i, ()))) for i, layer in enumerate(description.layers)]
    return replace(description, layers=tuple(layers))


def _worth_showing(name: str) -> bool:
    above, dot, own = name.rpartition(".")
    return not dot or ("." not in above and own.isdigit())
