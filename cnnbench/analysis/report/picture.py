"""A picture of a report: drawn by plots.py, placed by the pages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReportPicture:
    """One picture, or why there is none.

    `name`: of its file, without the ending; `caption`: what it shows, also its text for those who cannot see it;
    `file`: an SVG, or a PNG of a picture made of pixels; None where it cannot be drawn, and `missing` then says why;
    `section`: where the report shows it: FIRST, CURVES, COMPARISONS, or the name of the run it is of.
    """

    name: str
    title: str
    caption: str
    file: Path | None
    section: str
    missing: str | None = None


FIRST, CURVES, COMPARISONS = "first", "curves", "comparisons"
