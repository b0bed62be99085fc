"""ILSVRC2012 as it is downloaded: ILSVRC2012_img_train.tar (a tar per class within), ILSVRC2012_img_val.tar, and the
devkit with the validation labels. Images are read where they lie; nothing is unpacked."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path

from cnnbench.data.layouts.account import account_of
from cnnbench.data.layouts.archived import Image, at_once, listing, unpacked
from cnnbench.data.layouts.devkit import find_devkit, validation_wnids
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.scan import ENDING, HIDDEN, is_image, name_is_hidden
from cnnbench.data.storage.tars import TarMember, tar_members
from cnnbench.runtime.errors import UserError

ARCHIVES = {"train": "ILSVRC2012_img_train.tar", "val": "ILSVRC2012_img_val.tar"}
FORM = "raw tars"
REASONS = ((ENDING, False), (HIDDEN, True))


def recognises(root: Path) -> bool:
    return any((root / name).is_file() and not unpacked(root, split) for split, name in ARCHIVES.items())


def list_images(root: Path, split: str) -> Listing:
    """The images of `split`, in the order that they have as class folders."""
    archive = root / ARCHIVES[split]
    if not archive.is_file():
        there = ", ".join(name for name in ARCHIVES.values() if (root / name).is_file())
        raise UserError(f"{root} has no {archive.name} (it has {there}): put it there for the {split} split")
    images, others = _train(str(archive)) if split == "train" else _val(str(archive), find_devkit(root))
    left_out = {reason: [name for name in others if name_is_hidden(name) == hidden] for reason, hidden in REASONS}
    return listing(str(archive), images, FORM, account_of([left_out]))


def _train(archive: str) -> tuple[list[Image], list[str]]:
    """The images, and the names of what is none."""
    inner = list(tar_members(archive))
    for member in inner:
        if not re.fullmatch(r"(.*/)?n\d{8}\.tar", member.name):
            raise UserError(
                f"{archive} has '{member.name}', where it should have only a tar per class, as n01440764.tar"
            )

    def look(member: TarMember) -> tuple[list[Image], list[str]]:
        wnid = Path(member.name).stem
        images, others = _sorted_out(tar_members(archive, member.offset, member.length))
        return [Image(wnid, image.name, archive, image.offset, image.length) for image in images], others

    found = at_once("reading the headers of the archive", look, inner)
    return [image for images, _ in found for image in images], [name for _, others in found for name in others]


def _val(archive: str, devkit: Path) -> tuple[list[Image], list[str]]:
    """The images, and the names of what is none."""
    images, others = _sorted_out(tar_members(archive))
    wnids = validation_wnids(devkit)
    if len(wnids) != len(images):
        raise UserError(
            f"{archive} has {len(images):,} images, but the ground truth of {devkit} has {len(wnids):,} lines"
        )
    pairs = zip(wnids, sorted(images), strict=True)
    return [Image(wnid, image.name, archive, image.offset, image.length) for wnid, image in pairs], others


def _sorted_out(members: Iterable[TarMember]) -> tuple[list[TarMember], list[str]]:
    """Those of `members` that are images, and the names of the others."""
    images, others = [], []
    for member in members:
        if is_image(posixpath.basename(member.name)):
            images.append(member)
        else:
            others.append(member.name)
    return images, others
