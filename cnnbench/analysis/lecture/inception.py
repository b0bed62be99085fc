"""The lecture's two Inception tables: error and cost of each step."""

from __future__ import annotations

from typing import Any

from cnnbench.analysis.describe.network import describe_named
from cnnbench.analysis.tables import Table
from cnnbench.archs.facts import facts, published

# Row of the lecture (as 1512.00567 Table 3): name, top-1, top-5, billion multiply-adds; key and options of ours.
LECTURE_STEPS: tuple[tuple[str, float, float | None, float, str, dict[str, Any]], ...] = (
    ("GoogLeNet", 29.0, 9.2, 1.5, "googlenet", {}),
    ("BN-GoogLeNet", 26.8, None, 1.5, "googlenet", {"batch_norm": True}),
    ("BN-Inception", 25.2, 7.8, 2.0, "bn_inception", {}),
    ("Inception-v2", 23.4, None, 3.8, "inception_v2", {"stem": "7x7"}),
    ("+ RMSProp", 23.1, 6.3, 3.8, "inception_v2", {"stem": "7x7"}),
    ("+ label smoothing", 22.8, 6.1, 3.8, "inception_v2", {"stem": "7x7"}),
    ("+ factorised 7x7", 21.6, 5.8, 4.8, "inception_v2", {}),
    ("+ BN-auxiliary = Inception-v3", 21.2, 5.6, 4.8, "inception_v3", {}),
)
# Row of the lecture (as 1602.07261 Table 1): name, top-1, top-5; key of ours.
SUCCESSORS = (
    ("BN-Inception", 25.2, 7.8, "bn_inception"),
    ("Inception-v3", 21.2, 5.6, "inception_v3"),
    ("Inception-ResNet-v1", 21.3, 5.5, "inception_resnet_v1"),
    ("Inception-v4", 20.0, 5.0, "inception_v4"),
    ("Inception-ResNet-v2", 19.9, 4.9, "inception_resnet_v2"),
)


def ladder() -> list[Table]:
    """Both tables, with parameters and multiply-adds counted."""
    rows = []
    for step, top1, top5, cost, name, options in LECTURE_STEPS:
        totals = describe_named(name, **options).totals
        rows.append((step, top1, top5, cost, totals.macs / 1e9, totals.params / 1e6))
    crop1, crop10 = (published("googlenet", protocol=p, of=None, detail=None) for p in ("single crop", "10 crops"))
    notes = [
        f"GoogLeNet's 9.2 is its 10-crop error ({crop10['top5_err']}); with a single crop, as the other rows, it has "
        f"{crop1['top5_err']}",
        "Inception-v2 and v3, as the paper's Table 1 and the released code have them, cost more than the paper says",
        "rows below Inception-v2 add to the row above; RMSProp and label smoothing change the training only",
        "single crop, 48,238 non-blacklisted images",
        "each row is a step of the ladder: cnnbench train ladder=inception_v3 step=bn_googlenet data=/imagenet",
    ]
    columns = {
        "step": "",
        "top-1 error (%)": ".1f",
        "top-5 error (%)": ".1f",
        "cost in the lecture (G)": ".1f",
        "MACs counted (G)": ".2f",
        "params counted (M)": ".2f",
    }
    return [Table("From GoogLeNet to Inception-v3", columns, rows, notes), _successors()]


def _successors() -> Table:
    rows = []
    for what, top1, top5, name in SUCCESSORS:
        first = facts(name)["results"][0]
        totals = describe_named(name).totals
        agree = (first["top1_err"], round(first["top5_err"], 1)) == (top1, top5)
        rows.append((what, top1, top5, agree, totals.macs / 1e9, totals.params / 1e6))
    columns = {
        "network": "",
        "top-1 error (%)": ".1f",
        "top-5 error (%)": ".1f",
        "as its paper": "",
        "MACs counted (G)": ".2f",
        "params counted (M)": ".2f",
    }
    notes = [
        "single crop, non-blacklisted images. With residual connections or without: what counts is the size",
        "Inception-ResNet-v2 is counted as released; the network of the paper's figures is inception_resnet_v2_paper",
    ]
    return Table("Inception-v4 and Inception-ResNet", columns, rows, notes)
