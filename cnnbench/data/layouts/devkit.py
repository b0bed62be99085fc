"""The labels of ILSVRC's validation images, from the official development kit (ILSVRC2012_devkit_t12.tar.gz).

The kit numbers the classes by an order of its own (ILSVRC2012_ID, from 1), which its data/meta.mat states. The kit is
one published file that does not change, so that order is kept in ilsvrc.py: reading MATLAB's binary form would take
SciPy (more than 100 MB installed), or a reader of our own, for the same 1000 names.
"""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path

from cnnbench.data.layouts import ilsvrc
from cnnbench.runtime.errors import UserError

KIT = "ILSVRC2012_devkit_t12"
LARGEST = 1 << 24  # bytes of the ground truth, which has 200,000
GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"


def find_devkit(root: Path) -> Path:
    """The devkit in the folder `root`: its archive, or the folder that it unpacks to; UserError if there is none."""
    for name in (f"{KIT}.tar.gz", f"{KIT}.tar", KIT):
        if (root / name).is_file() or (root / name).is_dir():
            return root / name
    raise UserError(
        f"{root} has no {KIT}.tar.gz, which says the classes of the validation images: put it beside their archive"
    )


def validation_wnids(devkit: Path) -> list[str]:
    """The WordNet id of every validation image, in the order of their names.

    `devkit` is the kit's archive, the folder that it unpacks to, or the ground-truth file itself: a line with an
    ILSVRC2012_ID per image. Raises UserError for a kit without it, and for a line that is not such a number.
    """
    classes = ilsvrc.official_order()
    wnids = []
    for line, word in enumerate(read_ground_truth(devkit).split(), 1):
        if not word.isdecimal() or not 1 <= int(word) <= len(classes):
            raise UserError(f"{devkit}: line {line} of the ground truth is '{word[:20]}', not a number from 1 to 1000")
        wnids.append(classes[int(word) - 1])
    return wnids


def read_ground_truth(devkit: Path) -> str:
    """The text of the ground truth, of a devkit in one of the three forms; UserError if there is none."""
    try:
        if devkit.is_dir():
            found = next(
                (file for file in (devkit / "data" / GROUND_TRUTH, devkit / GROUND_TRUTH) if file.is_file()), None
            )
            if found is None:
                raise UserError(f"{devkit} has no data/{GROUND_TRUTH}: unpack {KIT}.tar.gz anew")
            return found.read_text(errors="replace")
        if ".tar" not in devkit.suffixes and not tarfile.is_tarfile(devkit):
            return devkit.read_text(errors="replace")
        with tarfile.open(devkit) as tar:
            for member in tar:
                if Path(member.name).name == GROUND_TRUTH and member.size > LARGEST:
                    raise UserError(f"{devkit}: its {GROUND_TRUTH} is of {member.size:,} bytes: download it again")
                if Path(member.name).name == GROUND_TRUTH and (file := tar.extractfile(member)) is not None:
                    return file.read().decode(errors="replace")
        raise UserError(f"{devkit} has no {GROUND_TRUTH}: it is not the devkit of ILSVRC 2012")
    except OSError as error:
        raise UserError(f"{devkit} cannot be read: {error.strerror or error}") from error
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(f"{devkit} cannot be read, it is cut short or damaged: download it again") from error
