"""`cnnbench look`: what a trained network has learned and what it sees in a picture, as one page and as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cnnbench import __version__
from cnnbench.analysis.look.subject import Subject, find_subject
from cnnbench.analysis.report.content import Section
from cnnbench.analysis.report.html import page
from cnnbench.analysis.report.picture import ReportPicture
from cnnbench.analysis.tables import as_csv
from cnnbench.config.look import LookConfig
from cnnbench.runtime.files import replacing, write_text, writing
from cnnbench.runtime.provenance import now

if TYPE_CHECKING:
    from cnnbench.analysis.look.draw.drawn import Drawn

PAGE, FOLDER = "look.html", "pictures"


def look_command(config: LookConfig) -> None:
    """Draw what `config` asks for, write the page and print where it lies."""
    from cnnbench.analysis.look.pictures import wanted

    subject = find_subject(config)
    subject.target, subject.layer, subject.unit  # noqa: B018 - what is wrong with them is said before anything is drawn
    chosen = wanted(subject)
    folder = Path(config.output).expanduser()
    with writing(folder):
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        sections = tuple(_sections(subject, chosen, folder / FOLDER))
        text = page(Section(f"cnnbench look: {subject.title}", (*_lead(subject), *sections)), _foot())
        write_text(folder / PAGE, text)
    print(f"\npage        {folder / PAGE}, and {folder / FOLDER}/ with each picture as PNG and SVG, figures as CSV")


def _lead(subject: Subject) -> list[str]:
    split = subject.split
    over = (
        f" Where many images are looked through, they are {len(split.numbers):,} of the {len(split.split):,} of the "
        f"split {subject.config.split} of {subject.config.data.path or 'the run'}."
        if split is not None
        else " There is no data set: what needs images of a split is left out, and data=PATH brings it in."
    )
    return [
        f"The picture is {subject.config.image}, prepared as evaluation prepares it. The layer that is looked at is "
        f"{subject.layer_name} ({' x '.join(map(str, subject.layer.shape))}), in it channel {subject.unit}.{over}"
    ]


def _sections(subject: Subject, chosen: dict[str, str | None], folder: Path) -> Iterator[Section]:
    """Each picture of `chosen` as it is drawn, or why it is not."""
    from cnnbench.analysis.look.draw.answers import answers
    from cnnbench.analysis.look.pictures import DRAWINGS
    from cnnbench.analysis.report import style

    with style.styled():
        yield Section("The image and the answer", tuple(_save(drawn, folder) for drawn in answers(subject)))
        for name, obstacle in chosen.items():
            title = name.replace("_", " ").capitalize()
            if obstacle is None:
                yield Section(title, tuple(_save(drawn, folder) for drawn in DRAWINGS[name](subject)))
            else:
                print(f"{name:<16} left out: {obstacle}", flush=True)
                yield Section(title, (ReportPicture(name, title, "", None, name, missing=obstacle),))


def _save(drawn: Drawn, folder: Path) -> ReportPicture:
    """Write the picture as PNG and SVG, and its figures, if it has any, as CSV."""
    from cnnbench.analysis.report import style

    for kind, about in (("png", {"Software": None}), ("svg", {"Date": None})):
        with replacing(folder / f"{drawn.name}.{kind}") as scratch:
            drawn.figure.savefig(scratch, dpi=style.DPI, format=kind, metadata=about)
        drawn.figure.set_layout_engine("none")  # the second file is laid out as the first, in half of the time
    if drawn.table is not None:
        write_text(folder / f"{drawn.name}.csv", as_csv(list(drawn.table.columns), drawn.table.rows) + "\n")
    file = folder / f"{drawn.name}.png"
    print(f"{drawn.name:<16} {file}", flush=True)
    return ReportPicture(drawn.name, drawn.title, drawn.caption, file, drawn.name)


def _foot() -> str:
    return f"Written by cnnbench {__version__} at {now()}."
