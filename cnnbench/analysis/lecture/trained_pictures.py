"""Pictures of the claims that were trained: training and validation error by epoch, and by form."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cnnbench.analysis.lecture.studies import STUDIES
from cnnbench.analysis.lecture.trained import REACHED, errors_of, fastest, mean_and_half, runs_of
from cnnbench.analysis.report import style

NOT_RUN = (None, "no run of it is kept: python tools/lecture_runs.py trains it")


def activation() -> tuple[Figure | None, str]:
    """Training error by epoch of each activation at the rate that is fastest for it."""
    if not runs_of("activation"):
        return NOT_RUN
    figure = style.new_figure(3.4)
    ax = figure.subplots()
    for index, (name, form) in enumerate(fastest().items()):
        _curve(ax, "activation", form, "train_top1_error", index, f"{name}, rate {form.rpartition(' ')[2]}")
    ax.axhline(REACHED, color=style.GREY, linestyle=":", linewidth=1)
    ax.set(xlabel="epoch", ylabel="training error (%)", ylim=(0, 100), xlim=(0.5, None))
    style.legend_below(figure, ax)
    return figure, (
        "LeNet on the bundled sample, without regularisation, as AlexNet's Figure 1: thin lines are seeds, thick ones "
        "their mean. Dotted: 25 %."
    )


def plain_residual() -> tuple[Figure | None, str]:
    """Training and validation error by epoch of plain and residual networks."""
    return _curves(
        "plain_residual",
        "Networks for small images on the bundled sample. Where the deeper network is worse in training as well, it "
        "does not overfit.",
    )


def batch_norm_rates() -> tuple[Figure | None, str]:
    """The same with and without batch normalisation, at three rates."""
    return _curves("batch_norm_rates", "GoogLeNet without auxiliary heads on the bundled sample.")


def residual_inception() -> tuple[Figure | None, str]:
    """The same of Inception with and without residual connections."""
    return _curves("residual_inception", "Two networks of about equal cost on the bundled sample, at one rate.")


def augmentation() -> tuple[Figure | None, str]:
    """Errors of each augmentation alone."""
    return _bars("augmentation", "Each of the lecture's augmentations alone, none and all.")


def data_size() -> tuple[Figure | None, str]:
    """Errors by the share of the training images."""
    return _bars("data_size", "Shares of the 10,000 training images of the bundled sample, the same number of epochs.")


def _curves(study: str, caption: str) -> tuple[Figure | None, str]:
    """Training and validation error by epoch of each form of a study."""
    if not runs_of(study):
        return NOT_RUN
    figure = style.new_figure(3.6)
    panels = figure.subplots(1, 2, sharey=True)
    for ax, key, label in zip(panels, ("train_top1_error", "top1_error"), ("training", "validation"), strict=True):
        for index, form in enumerate(STUDIES[study].forms):
            _curve(ax, study, form, key, index, form)
        ax.set(xlabel="epoch", ylabel=f"{label} error (%)", ylim=(0, None))
    style.legend_below(figure, panels[0])
    return figure, f"{caption} Thin lines are seeds, thick ones their mean."


def _curve(ax: Axes, study: str, form: str, key: str, index: int, label: str) -> None:
    """The curves of all seeds of a form, thin, and their mean."""
    curves = [run[key] for run in runs_of(study) if run["form"] == form]
    if not curves:
        return
    length = min(map(len, curves))
    look = style.line_style(index)
    for curve in curves:
        ax.plot(range(1, len(curve) + 1), curve, color=look["color"], linewidth=0.5, alpha=0.6)
    mean = [sum(curve[i] for curve in curves) / len(curves) for i in range(length)]
    ax.plot(range(1, length + 1), mean, label=label, markevery=max(1, length // 8), **look)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _bars(study: str, caption: str) -> tuple[Figure | None, str]:
    """Training and validation error of each form, with the interval of the mean over seeds."""
    forms = [form for form in STUDIES[study].forms if any(run["form"] == form for run in runs_of(study))]
    if not forms:
        return NOT_RUN
    figure = style.new_figure(1.2 + 0.34 * len(forms))
    ax = figure.subplots()
    for part, (label, marker) in enumerate((("training error", "o"), ("validation error", "s"))):
        for y, form in enumerate(forms):
            values = [errors_of(run)[part] for run in runs_of(study) if run["form"] == form]
            mean, half = mean_and_half(values)
            ax.errorbar(
                mean,
                y + 0.12 * (2 * part - 1),
                xerr=half,
                fmt=marker,
                color=style.COLOURS[part],
                capsize=3,
                label=label if y == 0 else None,
            )
    ax.set_yticks(range(len(forms)), forms)
    ax.set(xlabel="top-1 error (%)", ylim=(len(forms) - 0.5, -0.5))
    ax.set_xlim(left=0)
    style.legend_below(figure, ax)
    return figure, f"{caption} Mean over seeds, with its 95 % interval."
