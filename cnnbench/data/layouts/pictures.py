"""Pictures without classes: files and folders as a person names them."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnbench.config.data import MOST_MEGAPIXELS
from cnnbench.data.layouts.account import Account, account_of
from cnnbench.data.layouts.scan import ENDING, IMAGE_ENDINGS, images_below, look
from cnnbench.data.layouts.split import Split
from cnnbench.data.storage.files import Files, pack_names
from cnnbench.runtime.errors import UserError, nearest


def pictures(names: Sequence[str], classes: Sequence[str], max_megapixels: float = MOST_MEGAPIXELS) -> Split:
    """The pictures at `names` as a split whose labels mean nothing, 0 each: files in their order, of a folder all
    images in it at any depth, sorted by path. A file counts whatever its ending.

    Raises UserError for a name that is not there or no file, and for a folder without an image.
    """
    files: list[str] = []
    account = Account()
    for name in names:
        path = os.path.expanduser(name)
        if os.path.isdir(path):
            inside, left_out = _in_folder(path)
            files, account = files + inside, account + left_out
        else:
            _check_file(name, path)
            files.append(path)
    count = len(files)
    storage = Files("", pack_names(files))
    return Split(tuple(classes), np.zeros(count, np.int64), np.arange(count), storage, account, max_megapixels)


def _in_folder(folder: str) -> tuple[list[str], Account]:
    """Paths of the images below `folder`, and what of the folder itself was left out."""
    try:
        here = look(folder)
        names = sorted([*here.images, *images_below(folder)])
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}") from error
    if not names:
        other = f", and {len(here.left_out[ENDING]):,} files of other endings" if here.left_out.get(ENDING) else ""
        raise UserError(f"{folder} has no pictures in it or below it{other}: {_endings()} are taken")
    return [os.path.join(folder, name) for name in names], account_of([here.left_out])


def _check_file(name: str, path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError as error:
        beside = Path(path).parent
        near = nearest(Path(path).name, os.listdir(beside)) if beside.is_dir() else ""
        raise UserError(f"there is no picture or folder {name}{near}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(mode):
        raise UserError(f"{name} is neither a picture nor a folder: name files, or a folder of them")


def _endings() -> str:
    return f"{', '.join(IMAGE_ENDINGS[:9])} and the like"
