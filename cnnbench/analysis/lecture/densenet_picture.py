"""The picture of DenseNet's feature reuse, as Figure 5 of its paper."""

from __future__ import annotations

from matplotlib.figure import Figure

from cnnbench.analysis.lecture.densenet import reuse_of
from cnnbench.analysis.lecture.trained import runs_of
from cnnbench.analysis.lecture.trained_pictures import NOT_RUN
from cnnbench.analysis.report import style


def feature_reuse(run: str | None = None) -> tuple[Figure | None, str]:
    """A map for each dense block: layers to the right, their sources upwards."""
    if run is None and not runs_of("feature_reuse"):
        return NOT_RUN
    blocks = reuse_of(run)
    figure = style.new_figure(3.0)
    panels = figure.subplots(1, len(blocks), squeeze=False)[0]
    for number, (ax, block) in enumerate(zip(panels, blocks, strict=True), 1):
        side = len(block)
        values = [
            [block[layer][source] if source <= layer else float("nan") for layer in range(side)]
            for source in range(side)
        ]
        drawn = ax.imshow(values, cmap="cividis", vmin=0, vmax=1, origin="lower")
        ax.set(title=f"dense block {number}", xlabel="layer", xticks=range(side), yticks=range(side))
        ax.set_xticklabels([str(layer + 1) for layer in range(side)])
        ax.grid(visible=False)
    panels[0].set_ylabel("source: 0 is the block's input")
    figure.colorbar(drawn, ax=list(panels), label="mean absolute weight / largest", shrink=0.8)
    return figure, (
        "How much the 1x1 convolution of each layer draws on each source, its largest set to 1. A network at its "
        "start has about 1 everywhere; what training makes unused falls towards 0."
    )
