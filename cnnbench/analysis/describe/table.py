"""The description of a network as text: its layers as a table, its totals beside the published ones."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from cnnbench.analysis.describe.network import Description, Layer, Totals
from cnnbench.analysis.tables import Cell, Table, render

NAMED = "name: what layer= takes besides the path of any module; the value behind that row (fc7 is after its ReLU)"


def render_description(
    description: Description, form: str = "table", title: str = "", known: dict[str, Any] | None = None
) -> str:
    """`description` as one text, `form` one of FORMATS; JSON holds `layers` and `totals`, with whole names.

    `known`: the facts of the network (archs.facts), whose totals are then set beside the counted ones.
    """
    if form == "json":
        contents = {"layers": [asdict(layer) for layer in description.layers], "totals": asdict(description.totals)}
        if known:
            contents["published"] = {
                "params": known["params"]["total"],
                "macs": known["macs"],
                "quoted": known["quoted"],
            }
        return json.dumps(contents, indent=2)
    table = as_table(description, title)
    return render(
        replace(table, notes=[*table.notes, *_published(description.totals, known)]) if known else table, form
    )


def _published(totals: Totals, known: dict[str, Any]) -> list[str]:
    """The totals of the published network with the deviation of the counted ones, and what its paper says of them."""
    size, classes = known["input"]["size"], known["num_classes"]
    if size is None:
        return ["nothing is published of this network here: there are no totals to compare with"]
    parts = [
        f"{published:,} {name} ({(counted - published) / published:+.2%})"
        for name, counted, published in (
            ("parameters", totals.params, known["params"]["total"]),
            ("multiply-adds", totals.macs, known["macs"]),
        )
        if published
    ]
    quoted = "; ".join(f"{quote['what']} {quote['value']}" for quote in known["quoted"])
    return [
        f"reference, for {size}x{size} and {classes} classes, and the deviation from it: {', '.join(parts)}",
        *([f"the paper or its release says: {quoted}"] if quoted else []),
    ]


def as_table(description: Description, title: str = "") -> Table:
    """The layers as rows, the totals as notes."""
    named = any(layer.names for layer in description.layers)
    columns = {
        "layer": "",
        **({"name": ""} if named else {}),
        "type": "",
        "window": "",
        "output": "",
        "field": "",
        "jump": "",
        "params": "",
        "MACs (M)": ",.2f",
        "memory (KiB)": ",.1f",
    }
    totals = description.totals
    aux = totals.params_with_aux - totals.params
    notes = [
        f"{totals.params:,} parameters" + (f" ({totals.params_with_aux:,} with auxiliary heads)" if aux else ""),
        f"{totals.macs:,} multiply-adds (MACs) of convolutions and fully connected layers",
        f"{totals.activations_bytes / 2**20:,.1f} MiB of layer outputs, float32, one image; a layer that hands on or "
        "overwrites its input counts 0, sums and concatenations between layers are not counted",
        *([NAMED] if named else []),
        "window: kernel/stride, p padding, g groups. field: receptive field in input pixels, padding included, which "
        "may exceed the image. jump: pixels between the fields of neighbouring units",
    ]
    return Table(title, columns, [_row(layer, named) for layer in description.layers], notes)


def _row(layer: Layer, named: bool) -> tuple[Cell, ...]:
    return (
        layer.name,
        *([" ".join(layer.names) or None] if named else []),
        layer.type,
        _window(layer),
        "x".join(map(str, layer.output)),
        _side(layer.receptive_field),
        _side(layer.jump) if any(layer.jump) else None,
        layer.params,
        layer.macs / 1e6,
        layer.activations_bytes / 2**10,
    )


def _window(layer: Layer) -> str | None:
    if layer.kernel is None or layer.stride is None or layer.padding is None:
        return None
    text = "x".join(map(str, layer.kernel)) + f"/{_side(layer.stride)}"
    text += f" p{_side(layer.padding)}" if any(layer.padding) else ""
    return text + (f" g{layer.groups}" if layer.groups not in (None, 1) else "")


def _side(pair: tuple[float, float]) -> str:
    """One number for both axes, or both numbers where they differ."""
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g}x{pair[1]:g}"
