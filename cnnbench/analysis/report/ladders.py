"""Comparisons that papers are known for: DenseNet and ResNet, the steps of Inception, plain and residual networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cnnbench.analysis.report import style
from cnnbench.analysis.report.curves import EPOCH, MARKS, points
from cnnbench.analysis.report.intervals import main_result, spread
from cnnbench.analysis.report.run import Run
from cnnbench.archs.facts import facts, headline, published
from cnnbench.config.protocols import SINGLE_CROP

COMPARED_NETWORKS = {
    "DenseNet": ("densenet121", "densenet169", "densenet201", "densenet264"),
    "ResNet": ("resnet34", "resnet50", "resnet101", "resnet152"),
}
BLUE, VERMILLION = style.COLOURS[0], style.COLOURS[1]
STYLES: dict[str, dict[str, Any]] = {
    "DenseNet": dict(color=BLUE, marker="o", linestyle="-"),
    "ResNet": dict(color=VERMILLION, marker="s", linestyle="--"),
}
DEPTH_LABELS: dict[str, dict[str, Any]] = {
    "DenseNet": dict(xytext=(-6, -4), ha="right", va="top"),
    "ResNet": dict(xytext=(6, 4)),
}

# Row -> network of the facts, and the entries that tell its result from others; from 1502.03167 to 1602.07261.
LADDER_STEPS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("BN-Inception", "bn_inception", {"detail": "BN-x30"}),
    ("Inception-v2", "inception_v2", {"detail": "base"}),
    ("+ RMSProp", "inception_v2", {"detail": "+ RMSProp"}),
    ("+ label smoothing", "inception_v2", {"detail": "+ label smoothing"}),
    ("+ factorised 7x7", "inception_v2", {"detail": "+ factorised 7x7 stem"}),
    ("+ BN-auxiliary = Inception-v3", "inception_v2", {"detail": "+ BN-auxiliary"}),
    ("Inception-ResNet-v1", "inception_resnet_v1", {"protocol": "single crop"}),
    ("Inception-v4", "inception_v4", {"protocol": "single crop"}),
    ("Inception-ResNet-v2", "inception_resnet_v2", {"protocol": "single crop"}),
)

# Depth -> results of the plain and of the residual network (ResNet paper, Table 2: shortcuts of option A).
PLAIN_RESIDUAL: dict[int, tuple[tuple[str, dict[str, str]], tuple[str, dict[str, str]]]] = {
    18: (("plain18", {}), ("resnet18", {"of": "resnet18 with option A shortcuts"})),
    34: (("plain34", {}), ("resnet34", {"of": "resnet34 with option A shortcuts", "where": "Tables 2 and 3"})),
}
KINDS: dict[str, dict[str, Any]] = {
    "plain": dict(color=VERMILLION, marker="s", linestyle="--"),
    "resnet": dict(color=BLUE, marker="o", linestyle="-"),
}
PAIRED = ("18", "20", "32", "34", "44", "56")  # depths of which there are both


def densenet_and_resnet() -> tuple[Figure, str]:
    """Error against parameters and multiply-adds, as Figure 3 of the DenseNet paper: the figure and its caption."""
    figure = style.new_figure(3.6)
    panels = figure.subplots(1, 2, sharey=True)
    for ax, label, of in (
        (panels[0], "parameters (millions)", lambda entry: entry["params"]["total"] / 1e6),
        (panels[1], "multiply-adds of one image (10⁹)", lambda entry: entry["macs"] / 1e9),
    ):
        for family, names in COMPARED_NETWORKS.items():
            xs, ys = [of(facts(name)) for name in names], [_top1_error(name) for name in names]
            ax.plot(xs, ys, label=family, **STYLES[family])
            for x, y, name in zip(xs, ys, names, strict=True):
                depth = name.removeprefix(family.lower())
                ax.annotate(depth, (x, y), textcoords="offset points", fontsize=9, **DEPTH_LABELS[family])
        ax.set_xlabel(label)
        ax.margins(x=0.12, y=0.12)
        ax.set_xlim(left=0)
    panels[0].set_ylabel("top-1 error, single crop (%)")
    style.legend_below(figure, panels[0])
    return figure, (
        "Published errors on the ILSVRC-2012 validation images, one centre crop; numbers are layers. ResNet: the "
        "weights of fb.resnet.torch, which the DenseNet paper compares with."
    )


def _top1_error(name: str) -> float:
    result = headline(facts(name))
    assert result is not None  # COMPARED_NETWORKS holds networks with published errors only
    return result["top1_err"]


def inception_ladder(runs: Sequence[Run]) -> tuple[Figure, str]:
    """What each step from BN-Inception to Inception-ResNet-v2 brought: the figure and its caption."""
    measured = [
        (STEP_OF[run.config.ladder], result)
        for run in runs
        if run.config.ladder in STEP_OF
        if (result := main_result(run)) and result.published and result.protocol in SINGLE_CROP
    ]
    results = [published(name, **{"protocol": "single crop", **wanted}) for _, name, wanted in LADDER_STEPS]
    figure = style.new_figure(3.9)
    panels = figure.subplots(1, 2, sharey=True)
    for ax, k, colour, marker in ((panels[0], 1, BLUE, "o"), (panels[1], 5, VERMILLION, "s")):
        rows = [(y, result[f"top{k}_err"]) for y, result in enumerate(results) if result[f"top{k}_err"] is not None]
        ax.plot([x for _, x in rows], [y for y, _ in rows], color=colour, marker=marker, label="published")
        for y, x in rows:
            ax.annotate(f"{x:.1f}", (x, y), (6, 0), textcoords="offset points", va="center", fontsize=9)
        for y, result in measured:
            ax.errorbar(result.error(k).measured, y, xerr=spread(result, k), fmt="D", color="black", capsize=3)
        ax.set(xlabel=f"top-{k} error, single crop (%)", ylim=(len(LADDER_STEPS) - 0.5, -0.5))
        ax.margins(x=0.2)
    panels[0].set_yticks(range(len(LADDER_STEPS)), [step for step, *_ in LADDER_STEPS])
    missing = [step for (step, *_), result in zip(LADDER_STEPS, results, strict=True) if result["top5_err"] is None]
    return figure, (
        "Published errors, a single crop, on the 48,238 images of ILSVRC-2012 validation that are not blacklisted "
        "(BN-Inception: on all 50,000). Rows with + add to the row above; the last three are networks of their own. "
        f"No top-5 error is printed of {', '.join(missing)}."
        + (" Diamonds: measured by runs here, with 95 % intervals." if measured else "")
    )


# Rows of conf/ladder/inception_v3 -> row of the picture.
STEP_OF = {
    "inception_v3/inception_v2": 1,
    "inception_v3/rmsprop": 2,
    "inception_v3/label_smoothing": 3,
    "inception_v3/factorised_7x7": 4,
    "inception_v3/bn_auxiliary": 5,
}


def plain_and_residual(runs: Sequence[Run]) -> tuple[Figure, str]:
    """Published errors of plain and residual networks, and the curves of runs of such: the figure and its caption."""
    paired = [run for run in runs if _paired(run)]
    measured = _panels(paired)
    own = [run for run in paired if any(len(points(run, EPOCH, key)) > 1 for key, _ in measured)]
    figure = style.new_figure(3.6 if own else 3.4, style.PAGE_WIDTH if own else 4.6)
    panels = figure.subplots(1, 1 + len(measured) * bool(own), squeeze=False)[0]
    _published(panels[0])
    for ax, (key, label) in zip(panels[1:], measured, strict=False):
        for run, name in zip(runs, style.labels(runs), strict=True):
            if run in own and (pair := _paired(run)):
                xs, ys = zip(*(points(run, EPOCH, key) or [(float("nan"), float("nan"))]), strict=True)
                kind, depth = pair
                deep = depth in ("34", "44", "56")
                ax.plot(
                    xs,
                    ys,
                    label=name,
                    **KINDS[kind],
                    linewidth=2.2 if deep else 1,
                    markevery=1 + len(xs) // MARKS,
                )
        ax.set(xlabel="epoch", ylabel=label, title="measured")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if own:
        style.legend_below(figure, panels[1])
    return figure, (
        "Published: top-1 errors by 10 crops on the ILSVRC-2012 validation images (ResNet paper, Table 2; shortcuts "
        "without parameters). Depth makes the plain network worse and the residual one better."
        + (" Measured: runs here; thick lines are the deeper networks." if own else " No run of such networks here.")
    )


def _panels(runs: Sequence[Run]) -> tuple[tuple[str, str], ...]:
    """What is drawn of runs: their training error, or their training loss if one of them has not counted the error."""
    counted = all(points(run, EPOCH, "train_top1_error") for run in runs)
    training = ("train_top1_error", "training top-1 error (%)") if counted else ("train_loss", "training loss (nats)")
    return training, ("top1_error", "validation top-1 error (%)")


def _published(ax: Axes) -> None:
    for number, (kind, word) in enumerate((("plain", "plain"), ("resnet", "residual"))):
        ys = [
            published(pair[number][0], protocol="10 crops", **pair[number][1])["top1_err"]
            for pair in PLAIN_RESIDUAL.values()
        ]
        colour, up = KINDS[kind]["color"], 1 if kind == "plain" else -1  # the two at 18 layers nearly touch
        ax.plot(list(PLAIN_RESIDUAL), ys, **KINDS[kind])
        beside: dict[str, Any] = dict(xytext=(-8, 5 * up), ha="right")
        beyond: dict[str, Any] = dict(xytext=(0, 10 * up), ha="center")
        for depth, y, text, where in zip(
            PLAIN_RESIDUAL, ys, (f"{ys[0]}", f"{word} {ys[1]}"), (beside, beyond), strict=True
        ):
            ax.annotate(text, (depth, y), textcoords="offset points", va="center", fontsize=9, color=colour, **where)
    ax.set(xlabel="layers", ylabel="top-1 error, 10 crops (%)", xticks=list(PLAIN_RESIDUAL), xlim=(9, 42))
    ax.margins(y=0.15)
    ax.set_title("published")


def _paired(run: Run) -> tuple[str, str] | None:
    """Kind (plain or resnet) and depth of the run's network, if it has a counterpart of the other kind."""
    name = run.config.arch.name
    pairs = ((kind, name.removeprefix(kind)) for kind in KINDS if name.startswith(kind))
    return next(((kind, depth) for kind, depth in pairs if depth in PAIRED), None)
