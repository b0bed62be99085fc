"""Sheets of images in a report: a run's surest mistakes, as `cnnbench eval details=` drew them, and what its
augmentation makes of some training images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from cnnbench.analysis.report.picture import ReportPicture
from cnnbench.analysis.report.run import DETAILS, Run
from cnnbench.config.fields import plain
from cnnbench.config.image_size import input_size
from cnnbench.data.commands.show import drawn_apart, evenly
from cnnbench.data.contact_sheet import draw_contact_sheet, save_contact_sheet
from cnnbench.data.decode.reference import read_image
from cnnbench.data.layouts.read import read_split
from cnnbench.data.loading.transform import TrainingTransform
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.foreign import foreign

IMAGES, DRAWS, SIDE = 4, 6, 96  # of the sheet of an augmentation: images, draws of each, pixels
MOST_MEGAPIXELS = 64.0
MISTAKES = "The surest mistakes"


def draw_sheets(runs: Sequence[Run], names: Sequence[str], folder: Path) -> list[ReportPicture]:
    """Write the sheets into `folder` as PNG; `names`: of their files, one for each run. An augmentation that several
    runs share is drawn once."""
    return [*_mistakes(runs, names, folder), *_augmentations(runs, names, folder)]


def _mistakes(runs: Sequence[Run], names: Sequence[str], folder: Path) -> Iterator[ReportPicture]:
    for run, name in zip(runs, names, strict=True):
        source = run.folder / DETAILS / "mistakes.png"
        if source.exists():
            file = folder / f"mistakes-{name}.png"
            try:
                with foreign(source):
                    sheet = read_image(source.read_bytes(), str(source), MOST_MEGAPIXELS)
            except UserError as error:
                yield ReportPicture(file.stem, MISTAKES, "", None, run.name, str(error))
                continue
            save_contact_sheet(sheet, str(file))
            caption = "The mistakes with the highest probability: what was said, and what is true."
            yield ReportPicture(file.stem, MISTAKES, caption, file, run.name)


def _augmentations(runs: Sequence[Run], names: Sequence[str], folder: Path) -> Iterator[ReportPicture]:
    seen: dict[str, str] = {}
    for run, name in zip(runs, names, strict=True):
        config = run.config
        key = plain([config.data.path, config.augment, input_size(config), config.arch])
        if key in seen:
            continue
        seen[key] = run.name
        title, file = "What augmentation makes of training images", folder / f"augmentation-{name}.png"
        try:
            sheet = _augmented(run)
        except UserError as error:
            yield ReportPicture(file.stem, title, "", None, run.name, str(error))
            continue
        save_contact_sheet(sheet, str(file))
        caption = f"Each row is an image and {DRAWS} draws of its augmentation, of the first epochs."
        yield ReportPicture(file.stem, title, caption, file, run.name)


def _augmented(run: Run) -> Image.Image:
    """Raises UserError where the images are not there (any more)."""
    config = run.config
    path = config.data.path or ""
    if "://" in path or "{" in path:
        raise UserError(f"{path} is not here")  # a report fetches nothing
    split = read_split(config.data, "train")
    transform = TrainingTransform(config.arch, config.augment, input_size(config), config.seed)
    rows = list(drawn_apart(split, evenly(len(split), IMAGES), transform, DRAWS, 1))
    return draw_contact_sheet(rows, SIDE)
