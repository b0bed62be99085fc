"""DenseNet against ResNet: error over parameters and over multiply-adds (DenseNet paper, Figure 3), and its plot."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from cnnbench.analysis.describe.network import describe_named
from cnnbench.analysis.lecture.studies import trained
from cnnbench.analysis.lecture.trained import notes_of
from cnnbench.analysis.tables import Table
from cnnbench.archs.facts import facts, headline
from cnnbench.runs import checkpoint
from cnnbench.runs.paths import CHECKPOINTS, run_folder
from cnnbench.runtime.errors import UserError


def densenet_resnet() -> list[Table]:
    """Parameters and multiply-adds counted now beside the published errors."""
    from cnnbench.analysis.report.ladders import COMPARED_NETWORKS

    points = {family: [_point(name) for name in names] for family, names in COMPARED_NETWORKS.items()}
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


def feature_reuse(run: str | None = None) -> list[Table]:
    """How much each layer of the dense blocks of a trained run draws on its block's input and on the layers before it.

    `run`: a finished run of a DenseNet; null: what was kept of one on the sample. Raises UserError for another network.
    """
    blocks = reuse_of(run)
    rows = []
    for number, block in enumerate(blocks, 1):
        last, oldest = block[-1], [column[0] for column in block[1:]]
        newest = [column[-1] for column in block[1:]]
        rows.append((number, len(block), sum(oldest) / len(oldest), sum(newest) / len(newest), min(last) / max(last)))
    columns = {
        "dense block": "",
        "layers": "",
        "weight on its input": ".2f",
        "weight on the layer before": ".2f",
        "last layer: least / most used": ".2f",
    }
    notes = [
        "lecture: dense connections encourage feature reuse. DenseNet paper, Figure 5: the mean absolute weight on "
        "each source, divided by the largest of that layer; here of the 1x1 convolution that reads the concatenation",
        "reuse is where no source falls to 0, also of layers far away",
        *([] if run else notes_of("feature_reuse")),
        "of a run of your own: cnnbench lecture feature_reuse run=NAME plot=reuse.png",
    ]
    return [Table("Feature reuse", columns, rows, notes)]


def reuse_of(run: str | None) -> list[list[list[float]]]:
    """Dense block -> layer -> weight on each source, first the block's input: of `run`, or as it was kept."""
    if run is None:
        kept = trained().get("feature_reuse")
        if kept is None:
            return []
        return kept["blocks"]
    content = checkpoint.load(run_folder(run) / CHECKPOINTS / checkpoint.LAST)
    return weights_by_source(content["model"], f"run={run}")


def weights_by_source(state: Mapping[str, torch.Tensor], name: str) -> list[list[list[float]]]:
    """As `reuse_of`, of the state dict of a DenseNet; `name`: what it is of. Raises UserError for another network."""
    blocks: list[list[list[float]]] = []
    while f"features.denseblock{len(blocks) + 1}.denselayer1.conv1.weight" in state:
        start = f"features.denseblock{len(blocks) + 1}.denselayer"
        block: list[list[float]] = []
        growth = state[f"{start}1.conv2.weight"].shape[0]
        while (key := f"{start}{len(block) + 1}.conv1.weight") in state:
            weight = state[key].abs().mean((0, 2, 3)).double()
            sizes = [len(weight) - growth * len(block), *[growth] * len(block)]
            means = [part.mean().item() for part in weight.split(sizes)]
            block.append([mean / max(means) for mean in means])
        blocks.append(block)
    if not blocks:
        raise UserError(f"{name} is not a DenseNet: it has no dense blocks")
    return blocks
