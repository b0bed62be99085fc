"""The whole lecture as one page, in the order of its slides: every claim with its tables, picture and commands."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from cnnbench import __version__
from cnnbench.analysis.lecture.claims import LECTURE, Claim, function
from cnnbench.analysis.report import style
from cnnbench.analysis.report.content import Code, Section
from cnnbench.analysis.report.html import page
from cnnbench.analysis.report.markdown import markdown
from cnnbench.analysis.report.picture import ReportPicture
from cnnbench.runtime.files import write_text, writing
from cnnbench.runtime.progress import tqdm
from cnnbench.runtime.provenance import now

TITLE = "CNN Architectures: the lecture, computed"
LEAD = (
    "The companion of the lecture CNN Architectures (C. Xu, School of Computer Science, The University of Sydney), in "
    "the order of its slides. Every table was computed by this program when the page was written, except where it says "
    "published, or trained: those results were kept, with the command that repeats them.",
    'What a slide says stands behind "lecture", what a paper says behind "paper"; where a slide errs, the note says '
    "so, and "
    "all slips stand together at the end.",
)


def write_lecture(folder: Path) -> str:
    """Write lecture.html, lecture.md and plots/ into `folder`; a line that says so. Raises UserError if it cannot."""
    foot = f"Written by cnnbench {__version__} at {now()}."
    with writing(folder):
        (folder / "plots").mkdir(parents=True, exist_ok=True)
        with style.styled():
            report = _report(folder / "plots")
        write_text(folder / "lecture.html", page(report, foot))
        write_text(folder / "lecture.md", markdown(report, folder, foot))
    return f"lecture     {folder / 'lecture.html'}, lecture.md, plots/: {len(LECTURE)} claims"


def _report(plots: Path) -> Section:
    bar = tqdm(LECTURE.items(), "claims", len(LECTURE), leave=False, unit="claim", disable=None)
    sections = [(claim.part, _section(name, claim, plots)) for name, claim in bar]
    parts = [
        Section(part, tuple(section for _, section in group)) for part, group in groupby(sections, lambda each: each[0])
    ]
    return Section(TITLE, (*LEAD, *parts))


def _section(name: str, claim: Claim, plots: Path) -> Section:
    commands = "\n".join((f"cnnbench lecture {name}", *claim.commands))
    return Section(claim.title, (*function(claim.show)(), *_picture(name, claim, plots), Code(commands)))


def _picture(name: str, claim: Claim, plots: Path) -> list[ReportPicture]:
    if claim.picture is None:
        return []
    figure, caption = function(claim.picture)()
    if figure is None:
        return [ReportPicture(name, claim.title, "", None, claim.part, missing=caption)]
    file = plots / f"{name}.png"
    figure.savefig(file, dpi=style.DPI)
    return [ReportPicture(name, claim.title, caption, file, claim.part)]
