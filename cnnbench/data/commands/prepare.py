"""`cnnbench data prepare`: archives into class folders, SPLIT/CLASS/FILE."""

from __future__ import annotations

import errno
import os
import posixpath
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnbench.config.data_commands import PrepareConfig, output_folder
from cnnbench.data.layouts.ilsvrc import IMAGES, IMAGES_PER_CLASS, official_order
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.data.storage.ranges import Ranges
from cnnbench.runtime.cache import is_own
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import check_free_space, filling
from cnnbench.runtime.parallel import map_images
from cnnbench.runtime.system import IS_WINDOWS, lock_file, sync_all

PARTIAL = ".partial"  # ending of a split's folder until it is whole
SHOWN = 5  # classes that a message lists
FULL = (errno.ENOSPC, errno.EDQUOT)


def prepare(config: PrepareConfig) -> None:
    """Unpack the splits that `config` names, and say what they lack of ILSVRC2012.

    A class folder appears when it is whole, a split's folder when all its classes are; what a kill leaves lies in
    SPLIT.partial, and the same command goes on from there. Nothing that is there is overwritten. UserError for archives
    that cannot be read (before anything is written), a full disk, and a split's folder with other content.
    """
    output = output_folder(config).absolute()
    splits = {name: read_split(config.data, name) for name in config.splits}
    plans = [_plan(name, split, output) for name, split in splits.items()]
    with filling(output):
        output.mkdir(parents=True, exist_ok=True)
        check_free_space(output, sum(_missing_bytes(plan) for plan in plans), "make room, or give another output=")
        for plan in plans:
            _unpack(plan, config.workers)
    for name, split in splits.items():
        print(f"{output / name}: {len(split):,} images of {len(split.classes):,} classes")
        for sentence in shortfalls(name, split):
            print(f"  {sentence}")


@dataclass(frozen=True)
class Plan:
    """What is to become the folder `target`: class c has the images `order[bounds[c]:bounds[c + 1]]` of `split`."""

    target: Path
    split: Split
    storage: Ranges  # of `split`
    order: np.ndarray
    bounds: np.ndarray

    @property
    def partial(self) -> Path:
        return self.target.with_name(self.target.name + PARTIAL)

    def files(self, label: int) -> dict[str, int]:
        """The file names of a class, and the number of each image in the storage."""
        chosen = self.split.numbers[self.order[self.bounds[label] : self.bounds[label + 1]]].tolist()
        names = [posixpath.basename(self.storage.names[number]) for number in chosen]
        return dict(zip(names, chosen, strict=True))

    def has(self, folder: Path, label: int) -> bool:
        """Whether `folder` holds the files of a class, by their names and sizes."""
        try:
            there = {entry.name: entry.stat().st_size for entry in os.scandir(folder / self.split.classes[label])}
        except OSError:
            return False
        return there == {name: int(self.storage.length[number]) for name, number in self.files(label).items()}


def _plan(name: str, split: Split, output: Path) -> Plan:
    if not isinstance(split.storage, Ranges):
        raise UserError(f"the {name} split is not in archives but in {split.storage.form}: there is nothing to unpack")
    labels = np.arange(len(split.classes) + 1)
    order = np.argsort(split.labels, kind="stable")
    plan = Plan(output / name, split, split.storage, order, np.searchsorted(split.labels[order], labels))
    for label, wnid in enumerate(split.classes):
        if wnid != posixpath.basename(wnid) or wnid.startswith("."):
            raise UserError(f"the class '{wnid}' cannot be the name of a folder")
        if len(plan.files(label)) < plan.bounds[label + 1] - plan.bounds[label]:
            raise UserError(f"the class {wnid} has two images of one file name, so they cannot lie in one folder")
    if plan.target.exists() and not all(plan.has(plan.target, label) for label in range(len(split.classes))):
        raise UserError(f"{plan.target} is there with other content, and nothing is overwritten: give another output=")
    return plan


def _missing_bytes(plan: Plan) -> int:
    if plan.target.exists():
        return 0
    length = plan.storage.length[plan.split.numbers]
    missing = [label for label in range(len(plan.split.classes)) if not plan.has(plan.partial, label)]
    return int(sum(length[plan.order[plan.bounds[label] : plan.bounds[label + 1]]].sum() for label in missing))


def _unpack(plan: Plan, workers: int | None) -> None:
    if plan.target.exists():
        return
    plan.partial.mkdir(exist_ok=True)
    if not is_own(plan.partial):
        raise UserError(f"{plan.partial} is not this user's own and is not continued: remove it, or change output=")
    with _alone(plan.partial):
        classes = range(len(plan.split.classes))
        for _ in map_images(lambda label: _unpack_class(plan, label), classes, workers, plan.target.name, "classes"):
            pass
        sync_all()  # the name train is to mean that its images are on the disk
        os.rename(plan.partial, plan.target)


def _unpack_class(plan: Plan, label: int) -> None:
    if plan.has(plan.partial, label):
        return
    folder = plan.partial / plan.split.classes[label]
    scratch = folder.with_name(f".{folder.name}")
    for left in (scratch, folder):
        shutil.rmtree(left, ignore_errors=True)
    scratch.mkdir()
    for name, number in plan.files(label).items():
        with open(scratch / name, "xb", buffering=0) as file:
            content = plan.storage.read(number)
            if file.write(content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file.name)
    os.rename(scratch, folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold `folder` while nobody else does; worker processes hold it too, until the last has ended."""
    if IS_WINDOWS:  # a folder cannot be held there
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            lock_file(handle)
        except BlockingIOError as error:
            raise UserError(f"another process is unpacking into {folder}: wait for it, or end it first") from error
        yield
    finally:
        os.close(handle)


def shortfalls(name: str, split: Split) -> list[str]:
    """In sentences, what the split `name` lacks of ILSVRC2012, or has otherwise."""
    (low, high), total = IMAGES_PER_CLASS[name], IMAGES[name]
    each = f"{low:,} to {high:,}" if low < high else f"{low:,}"
    counts = dict(zip(split.classes, np.bincount(split.labels, minlength=len(split.classes)).tolist(), strict=True))
    known = set(official_order())
    found = {
        f"of ILSVRC's {len(known):,} classes are missing": sorted(known - counts.keys()),
        "classes are not ILSVRC's": sorted(counts.keys() - known),
        f"classes do not have {each} images as in ILSVRC": sorted(
            wnid for wnid, count in counts.items() if not low <= count <= high
        ),
    }
    sentences = [f"{len(wnids):,} {what}: {_few(wnids)}" for what, wnids in found.items() if wnids]
    return sentences + ([f"{len(split):,} images, where ILSVRC has {total:,}"] if len(split) != total else [])


def _few(words: list[str]) -> str:
    return ", ".join(words[:SHOWN]) + (f" and {len(words) - SHOWN:,} more" if len(words) > SHOWN else "")
