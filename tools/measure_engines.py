"""Whether the decoders agree: which files are broken to each, and which pixels they give.

    python tools/measure_engines.py                # the odd pictures of the tests, whole and damaged
    python tools/measure_engines.py FOLDER         # and the JPEG files below FOLDER, whole and damaged

With `cjpeg` on the path (Debian's libjpeg-turbo-progs) also files of its making, arithmetic ones among them. Pillow is
the measure. Of each file the whole and two random regions are asked for.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))

import odd_pictures

from cnnbench.analysis.bench.output import machine_line
from cnnbench.analysis.tables import Table, render
from cnnbench.data.decode.engines import make_engine
from cnnbench.data.decode.picture import Engine, open_picture
from cnnbench.runtime.errors import UserError

FAST = ("native", "simplejpeg")
GROUPS = {
    "JPEG, every sampling": odd_pictures.samplings,
    "JPEG, as programs write them": odd_pictures.kinds_of_jpeg,
    "other containers and modes": odd_pictures.containers,
    "sizes from 1 x 1": odd_pictures.sizes,
    "other JPEG frames": odd_pictures.frames,
    "no pictures": odd_pictures.not_pictures,
}
SAMPLINGS = ("1x1", "2x1", "1x2", "2x2", "4x1", "1x4", "4x2", "2x4", "3x1", "1x3", "3x2", "1x1,2x2,2x2", "2x2,2x1,1x2")
CJPEG = {"baseline": (), "progressive": ("-progressive",), "arithmetic": ("-arithmetic",), "RGB": ("-rgb",)}
EACH = 20  # damaged files of each kind of damage are made of each of the odd pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    options = parser.parse_args()
    engines = {name: make_engine(name) for name in (*FAST, "pillow")}
    groups = {title: list(make().values()) for title, make in GROUPS.items()}
    if shutil.which("cjpeg"):
        groups["JPEG by cjpeg, 13 samplings"] = by_cjpeg()
    rows = [row(title, files, engines) for title, files in groups.items()]
    whole = [content for files in list(groups.values())[:4] for content in files] * EACH
    rows += damaged_rows("odd", whole, engines)
    notes = ["broken: to Pillow; two random regions and the whole of each file", machine_line()]
    if options.folder is not None:
        real = [
            path.read_bytes() for path in sorted(options.folder.rglob("*")) if path.suffix.lower() in (".jpeg", ".jpg")
        ]
        rows += [row("real", real, engines), *damaged_rows("real", real * 5, engines)]
        notes.insert(0, f"real: {len(real)} JPEG files, each damaged five times in each way")
    columns = {"files": "", "number": ",", "broken": ",", **{f"{name} {what}": "," for name in FAST for what in WHAT}}
    print(render(Table("where other decoders differ from Pillow", columns, rows, notes)))


WHAT = ("verdicts", "pixels")  # that differ from Pillow's


def by_cjpeg() -> list[bytes]:
    file = io.BytesIO()
    odd_pictures.picture(203, 157).save(file, "PPM")
    made = (
        subprocess.run(["cjpeg", "-sample", sampling, *how], input=file.getvalue(), stdout=subprocess.PIPE, check=True)
        for sampling in SAMPLINGS
        for how in CJPEG.values()
    )
    return [done.stdout for done in made]


def damaged_rows(title: str, files: list[bytes], engines: dict[str, Engine]) -> list[tuple]:
    """One row for each kind of damage."""
    random = Random(0)
    return [
        row(f"{title}, {damage}", (spoil(content, random) for content in files), engines)
        for damage, spoil in odd_pictures.DAMAGES.items()
    ]


def row(title: str, files: Iterable[bytes], engines: dict[str, Engine]) -> tuple:
    """Title, files, those broken to Pillow, and for each of FAST the verdicts and the pixels that are not Pillow's."""
    number, broken, other, random = 0, 0, {name: [0, 0] for name in FAST}, Random(0)
    for content in files:
        boxes = [(0.0, 0.0, 1.0, 1.0), *([random.random() for _ in range(4)] for _ in range(2))]
        expected = seen(engines["pillow"], content, boxes)
        number, broken = number + 1, broken + (expected is None)
        for name in FAST:
            found = seen(engines[name], content, boxes)
            if (found is None) != (expected is None):
                other[name][0] += 1
            elif found is not None and not all(map(np.array_equal, found, expected or [])):
                other[name][1] += 1
    return title, number, broken, *other["native"], *other["simplejpeg"]


def seen(engine: Engine, content: bytes, boxes: list) -> list[np.ndarray] | None:
    """The pixels of `boxes`, each in shares of width and height; None of a broken file."""
    found = []
    try:
        for box in boxes:  # opened for each, as training does
            picture = open_picture(content, "x", engine)
            left, top = int(box[0] * picture.width), int(box[1] * picture.height)
            wide, high = max(1, int(box[2] * (picture.width - left))), max(1, int(box[3] * (picture.height - top)))
            found.append(np.asarray(picture.region(left, top, wide, high)))
    except UserError:
        return None
    return found


if __name__ == "__main__":
    main()
