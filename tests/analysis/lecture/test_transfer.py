"""What the lecture says of transfer beside docs/transfer.md, which has the commands."""

from __future__ import annotations

from pathlib import Path

from cnnbench.analysis.lecture.transfer import CLOTHES_PIXELS, LENET, PIXELS, RESNETS

PAGE = Path(__file__).parents[3] / "docs/transfer.md"


def test_the_page_has_the_same_figures():
    lines = PAGE.read_text(encoding="utf-8").splitlines()

    def row(name: str) -> str:
        return next(line for line in lines if line.startswith(f"| {name} |"))

    assert f"{PIXELS:.2f}" in row("pixels")
    for layer, trainings in LENET.items():
        for errors in trainings:
            assert ", ".join(f"{error:.2f}" for error in errors) in row(layer)
    for network, errors in RESNETS.items():
        cells = [cell.split()[0] for cell in row(network).strip("| ").split(" | ")]
        assert cells[1:] == [f"{error:.2f}" for error in (CLOTHES_PIXELS, *errors)]
