"""DenseNet against ResNet: error over parameters and over multiply-adds (DenseNet paper, Figure 3), and its plot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cnnbench.analysis.describe import describe_named
from cnnbench.analysis.tables import Table
from cnnbench.archs.facts import facts, headline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAMILIES = {
    "DenseNet": ("densenet121", "densenet169", "densenet201", "densenet264"),
    "ResNet": ("resnet34", "resnet50", "resnet101", "resnet152"),
}
# Colours (Okabe and Ito), markers and lines that stay apart for colour-blind readers and in grey; where labels stand.
STYLES = {
    "DenseNet": dict(color="#0072B2", marker="o", linestyle="-"),
    "ResNet": dict(color="#D55E00", marker="s", linestyle="--"),
}
LABELS = {"DenseNet": dict(xytext=(-6, -4), ha="right", va="top"), "ResNet": dict(xytext=(6, 4))}


def densenet_resnet(plot: str | Path | None = None) -> list[Table]:
    """Parameters and multiply-adds counted now beside the published errors; `plot`: a PNG file to write as well."""
    figure = _new_figure() if plot is not None else None
    points = {family: [_point(name) for name in names] for family, names in FAMILIES.items()}
    if figure is not None:
        _draw(figure, points)
        figure.savefig(plot, dpi=150)
    rows = [row for family in points.values() for row in family]
    named = {row[0]: row for row in rows}
    a, b, c = (named[name] for name in ("densenet201", "resnet101", "resnet50"))
    columns = {"network": "", "params (M)": ".2f", "MACs (G)": ".2f", "top-1 error (%)": ".2f", "source": ""}
    notes = [
        f"paper: DenseNet-201 with 20M parameters is about as good as ResNet-101 with more than 40M: {a[3]} and {b[3]} "
        f"with {a[1] / b[1]:.0%} of the parameters and {a[2] / b[2]:.0%} of the multiply-adds",
        f"paper: at ResNet-50's cost a DenseNet reaches ResNet-101: DenseNet-201 has {a[2] / c[2]:.2f} times "
        "ResNet-50's multiply-adds",
        "the lecture compares model size only; what training keeps in memory grows with the square of a block's depth",
        "single crop; ResNet: the fb.resnet.torch weights that the paper compares with",
    ]
    return [Table("DenseNet against ResNet", columns, rows, notes)]


def _point(name: str) -> tuple:
    totals, result = describe_named(name).totals, headline(facts(name))
    return name, totals.params / 1e6, totals.macs / 1e9, result["top1_err"], result["where"]


def _new_figure() -> Figure:
    from matplotlib.figure import Figure  # slow to import, and most tables need none

    return Figure(figsize=(9, 4), layout="constrained")


def _draw(figure: Figure, points: dict[str, list[tuple]]) -> None:
    axes = figure.subplots(1, 2, sharey=True)
    for column, (ax, label) in enumerate(zip(axes, ("parameters (millions)", "multiply-adds (10⁹)"), strict=True), 1):
        for family, rows in points.items():
            ax.plot([row[column] for row in rows], [row[3] for row in rows], label=family, **STYLES[family])
            for row in rows:
                depth = row[0].removeprefix(family.lower())
                at = (row[column], row[3])
                ax.annotate(depth, at, textcoords="offset points", fontsize=9, **LABELS[family])
        ax.set_xlabel(label)
        ax.margins(y=0.1)
        ax.set_xlim(0, 1.15 * max(row[column] for rows in points.values() for row in rows))
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("top-1 error, single crop (%)")
    axes[0].legend()
    figure.suptitle("DenseNet against ResNet on ILSVRC-2012 validation; labels: number of layers")
