"""DenseNet against ResNet: error over parameters and over multiply-adds (DenseNet paper, Figure 3), and its plot."""

from __future__ import annotations

from pathlib import Path

from cnnbench.analysis.describe.network import describe_named
from cnnbench.analysis.tables import Table
from cnnbench.archs.facts import facts, headline


def densenet_resnet(plot: str | Path | None = None) -> list[Table]:
    """Parameters and multiply-adds counted now beside the published errors; `plot`: a PNG file to write as well."""
    from cnnbench.analysis.report import ladders, style

    points = {family: [_point(name) for name in names] for family, names in ladders.COMPARED_NETWORKS.items()}
    if plot is not None:
        with style.styled():
            figure, _ = ladders.densenet_and_resnet()
            figure.suptitle("DenseNet against ResNet on ILSVRC-2012 validation; numbers: layers")
            figure.savefig(plot, dpi=style.DPI)
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


def _point(name: str) -> tuple[str, float, float, float, str]:
    totals, result = describe_named(name).totals, headline(facts(name))
    assert result is not None  # an error is published of each of these networks
    return name, totals.params / 1e6, totals.macs / 1e9, result["top1_err"], result["where"]
