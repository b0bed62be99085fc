"""The picture as the network sees it, and what the network answers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cnnbench.analysis.look.draw.drawn import LINE, Drawn, short, show_pixels, told
from cnnbench.analysis.look.subject import Subject
from cnnbench.analysis.report import style

MOST = 5


def answers(subject: Subject) -> Iterator[Drawn]:
    """The crop, and the classes that are most probable."""
    first = np.argsort(-subject.probabilities, kind="stable")[:MOST]
    percent = 100 * subject.probabilities[first]
    figure = style.new_figure(2.6)
    left, right = figure.subplots(1, 2, width_ratios=(1, 2))
    show_pixels(left, subject.pixels, frame=True)
    right.barh(range(len(first)), percent, color=LINE, height=0.6)
    right.set_yticks(range(len(first)), [short(subject.classes[number]) for number in first])
    right.set(xlabel="probability (%)", xlim=(0, 1.12 * percent[0]), ylim=(len(first) - 0.4, -0.6))
    right.grid(visible=False, axis="y")
    for place, value in enumerate(percent):
        right.text(value + 0.015 * percent[0], place, told(value), va="center", fontsize=9)
    side, channels = subject.side, subject.image.shape[1]
    yield Drawn(
        "answer",
        "The image and the answer",
        figure,
        f"Left: the part of the picture that the network sees, {side} x {side} pixels, {_colours(channels)}. Right: "
        f"its {len(first)} most probable classes. The pictures below ask for the class "
        f"{short(subject.classes[subject.target])}.",
    )


def _colours(channels: int) -> str:
    return "in colour" if channels == 3 else "in grey"
