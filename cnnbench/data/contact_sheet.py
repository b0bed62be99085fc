"""Sheets of images with captions, in rows with titles: a look at a data set, or at what became of its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from cnnbench.runtime.files import replacing, writing

MARGIN = 8  # pixels between tiles and around the sheet
TITLE, CAPTION = 15, 11  # heights of the letters, pixels
PAPER, INK, FAINT = (255, 255, 255), (20, 20, 20), (110, 110, 110)


@dataclass(frozen=True)
class Tile:
    """`image` of any size and mode, None where there is none to show; lines of `caption` are cut to its width."""

    image: Image.Image | None
    caption: str = ""


@dataclass(frozen=True)
class Row:
    title: str
    tiles: Sequence[Tile]


def draw_contact_sheet(rows: Sequence[Row], side: int) -> Image.Image:
    """All rows below each other; each image is scaled, its shape kept, to fit a square of `side` pixels."""
    title_font, caption_font = ImageFont.load_default(TITLE), ImageFont.load_default(CAPTION)
    columns = max(len(row.tiles) for row in rows)
    lines = max(tile.caption.count("\n") + 1 for row in rows for tile in row.tiles)
    row_height = TITLE + 6 + side + lines * (CAPTION + 3) + 3 + MARGIN
    width, height = MARGIN + columns * (side + MARGIN), MARGIN + len(rows) * row_height
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        top = MARGIN + number * row_height
        draw.text((MARGIN, top), _fitting(row.title, title_font, width - 2 * MARGIN), INK, title_font)
        for column, tile in enumerate(row.tiles):
            left, upper = MARGIN + column * (side + MARGIN), top + TITLE + 6
            if tile.image is not None:
                image = _scaled(tile.image, side)
                sheet.paste(image, (left + (side - image.width) // 2, upper + (side - image.height) // 2))
            else:
                draw.rectangle((left, upper, left + side - 1, upper + side - 1), outline=FAINT)
            for line, text in enumerate(tile.caption.split("\n")):
                below = upper + side + 2 + line * (CAPTION + 3)
                draw.text((left, below), _fitting(text, caption_font, side), FAINT, caption_font)
    return sheet


def save_contact_sheet(sheet: Image.Image, output: str) -> None:
    """Write the sheet as a PNG file, whole or not at all; UserError if that cannot be done."""
    with writing(output), replacing(Path(output).expanduser()) as scratch:
        sheet.save(scratch, "png")


def _scaled(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    # Small images keep their pixels visible; large ones are antialiased.
    return image.convert("RGB").resize(size, Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS)


def _fitting(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """`text`, or as much of its beginning as `width` pixels hold."""
    if font.getlength(text) <= width:
        return text
    kept = next((n for n in range(len(text), 0, -1) if font.getlength(f"{text[:n]}…") <= width), 0)
    return f"{text[:kept]}…"
