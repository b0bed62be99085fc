"""ILSVRC2012 as it is downloaded: ILSVRC2012_img_train.tar (a tar per class within), ILSVRC2012_img_val.tar, and the
devkit with the validation labels. Images are read where they lie; nothing is unpacked."""

from __future__ import annotations

import re
from pathlib import Path

from cnnbench.data.layouts.archived import Image, at_once, listing, unpacked
from cnnbench.data.layouts.devkit import find_devkit, validation_wnids
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.scan import IMAGE_ENDINGS
from cnnbench.data.storage.tars import TarMember, tar_members
from cnnbench.runtime.errors import UserError

ARCHIVES = {"train": "ILSVRC2012_img_train.tar", "val": "ILSVRC2012_img_val.tar"}
FORM = "raw tars"


def recognises(root: Path) -> bool:
    return any((root / name).is_file() and not unpacked(root, split) for split, name in ARCHIVES.items())


def list_images(root: Path, split: str) -> Listing:
    """The images of `split`, in the order that they have as class folders."""
    archive = root / ARCHIVES[split]
    if not archive.is_file():
        there = ", ".join(name for name in ARCHIVES.values() if (root / name).is_file())
        raise UserError(f"{root} has no {archive.name} (it has {there}): put it there for the {split} split")
    images = _train(str(archive)) if split == "train" else _val(str(archive), find_devkit(root))
    return listing(str(archive), images, FORM)


def _train(archive: str) -> list[Image]:
    inner = list(tar_members(archive))
    for member in inner:
        if not re.fullmatch(r"(.*/)?n\d{8}\.tar", member.name):
            raise UserError(
                f"{archive} has '{member.name}', where it should have only a tar per class, as n01440764.tar"
            )

    def look(member: TarMember) -> list[Image]:
        wnid = Path(member.name).stem
        return [
            Image(wnid, image.name, archive, image.offset, image.length)
            for image in tar_members(archive, member.offset, member.length)
            if image.name.lower().endswith(IMAGE_ENDINGS)
        ]

    return [image for found in at_once("reading the headers of the archive", look, inner) for image in found]


def _val(archive: str, devkit: Path) -> list[Image]:
    images = sorted(image for image in tar_members(archive) if image.name.lower().endswith(IMAGE_ENDINGS))
    wnids = validation_wnids(devkit)
    if len(wnids) != len(images):
        raise UserError(
            f"{archive} has {len(images):,} images, but the ground truth of {devkit} has {len(wnids):,} lines"
        )
    return [
        Image(wnid, image.name, archive, image.offset, image.length) for wnid, image in zip(wnids, images, strict=True)
    ]
