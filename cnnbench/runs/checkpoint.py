"""Checkpoint files: tensors and plain values only, written whole or not at all, and checked when they are read.

A file is what torch.save writes, which torch.load also reads as it is, followed by the SHA-256 of all that. Its items:

format, version   of this file, and of the cnnbench that wrote it
model, averaged   state dicts of the bare network, and of its averaged weights if there are any
optimizer, scaler their state dicts
state             where the run stands, with its metrics.jsonl: training/state.py
shares            in mid-epoch, what each process knows alone: training/snapshot.py
arch, config      the network's key, and the whole config
config_text       config.yaml, and
starts            what environment.json says: each is made anew from here if it is damaged
classes, images   names of the classes in the order of the logits; number of training images
data              form, decoder and pixels of the images
mean_of           of a mean alone: the names of the checkpoints that it is of
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cnnbench import __version__
from cnnbench.runtime.errors import UserError, reason
from cnnbench.runtime.files import open_plain, sync
from cnnbench.runtime.sealed import FORMAT, SealedFile, check_seal, other_format

LAST, PREVIOUS, BEST, DAMAGED = "last.pt", "previous.pt", "best.pt", "damaged.pt"


class OtherFormat(UserError):
    """A whole checkpoint that another version wrote."""


def of_epoch(epoch: int) -> str:
    """Name of a checkpoint that is kept: the network after `epoch` epochs."""
    return f"epoch-{epoch:04d}.pt"


def save(folder: Path, content: dict[str, Any], also: tuple[str, ...] = ()) -> None:
    """Write `content` as folder/last.pt, whose predecessor becomes previous.pt, and under the names `also`.

    It goes to a temporary file, to the disk, and only then under its names. Raises UserError, with the checkpoints
    before untouched, if the disk is full or cannot be written.
    """
    path = folder / LAST
    with _written(path, content) as scratch:
        for name in also:  # before `last`: what comes after `last` is lost if the run is killed
            _put_beside(scratch, folder / name)
        if path.exists():
            os.replace(path, folder / PREVIOUS)


def write(path: Path, content: dict[str, Any]) -> None:
    """Write `content` as the checkpoint file `path`, whole or not at all. Raises UserError as `save` does."""
    with _written(path, content):
        pass


@contextmanager
def _written(path: Path, content: dict[str, Any]) -> Iterator[Path]:
    """`content` in a temporary file, on the disk, that is called `path` after this block."""
    import torch  # here and in `load`: who only asks what a run has reached does without

    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with SealedFile(scratch) as file:
            torch.save({"format": FORMAT, "version": __version__, **content}, file)
            file.seal()
            os.fsync(file.fileno())
        yield scratch
        os.replace(scratch, path)
        sync(path.parent)
    except (OSError, RuntimeError) as error:  # torch turns a failed write into a RuntimeError of its own
        cause = error if isinstance(error, OSError) else error.__context__
        why = cause.strerror if isinstance(cause, OSError) else reason(error)
        kept = "; the checkpoint before it is untouched" if path.exists() else ""
        raise UserError(f"cannot write {path}: {why}{kept}") from error
    finally:
        _remove(scratch)


def in_full(name: str) -> str:
    """`name` as files have it: last, best, or epoch-0060, which 60 and epoch-60 mean too."""
    epoch = re.fullmatch(r"(?:epoch-)?0*(\d+)", name)
    return of_epoch(int(epoch[1])).removesuffix(".pt") if epoch else name


def kept(folder: Path) -> list[Path]:
    """The checkpoints in `folder` that keep_every kept, by their epoch."""
    return sorted(folder.glob("epoch-*.pt"), key=lambda file: int(file.stem.removeprefix("epoch-")))


def asked_for(folder: Path, name: str) -> Path:
    """The file in `folder` that `name` means. UserError with those that are there if it is not."""
    file = folder / f"{in_full(name)}.pt"
    if not file.exists():
        there = sorted(path.stem for path in folder.glob("*.pt") if path.name not in (PREVIOUS, DAMAGED))
        why = f"it has {', '.join(there)}" if there else "nothing was saved yet: train on"
        raise UserError(f"{folder.parent} has no checkpoint={name}; {why}")
    return file


def find_last(folder: Path) -> Path | None:
    """The newest whole checkpoint of a run, or None if it has none yet. For the one process that may write there:
    what a killed save left behind is removed, and a damaged `last` is put aside, with a warning.

    Raises UserError if there are checkpoints and none is whole.
    """
    for scratch in folder.glob(".*.pt.*"):
        _remove(scratch)
    damaged = []
    for path in (folder / LAST, folder / PREVIOUS):
        if not path.exists():
            continue
        try:
            load(path)
        except OtherFormat:
            raise
        except UserError as error:
            damaged.append(str(error))
            continue
        if damaged:
            os.replace(folder / LAST, folder / DAMAGED)  # or the next save would make it the previous one
            print(f"warning: {damaged[0]}; continuing from {path}, the damaged one is now {DAMAGED}", flush=True)
        return path
    if damaged:
        raise UserError("; ".join(damaged))
    return None


def newest(folder: Path) -> dict[str, Any] | None:
    """The newest checkpoint in `folder` that is whole, for those who only read; None without one."""
    for name in (LAST, PREVIOUS, BEST):
        with suppress(UserError):
            return load(folder / name)
    return None


def is_of(content: dict[str, Any], images: int, classes: Sequence[str]) -> bool:
    """Whether the run of this checkpoint was trained on so many images of these classes."""
    return (content["images"], content["classes"]) == (images, list(classes))


def saved(folder: Path) -> tuple[int, int]:
    """Epochs, and steps of the whole run, that the newest whole checkpoint in `folder` holds; (0, 0) without one."""
    content = newest(folder)
    if content is None:
        return 0, 0
    state = content["state"]
    return state["epoch"], state["step"] + (state["metrics"][-1]["step"] if state["metrics"] else 0)


def load(path: Path) -> dict[str, Any]:
    """A checkpoint of cnnbench on the CPU. Only tensors and plain values are read: a pickle cannot run code.

    Raises UserError if there is none, if a byte of it has changed, or if it is something else; OtherFormat if another
    version wrote it.
    """
    import torch

    try:
        with open_plain(path) as file:
            check_seal(file, path)
            content = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"there is no checkpoint {path}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except UserError:
        raise
    except Exception as error:  # torch.load has no common type for what a foreign file makes it raise
        raise UserError(f"{path} is damaged: {reason(error)}") from error
    if not isinstance(content, dict) or "model" not in content:
        raise UserError(f"{path} is not a checkpoint of a run")
    if problem := other_format(content):
        raise OtherFormat(f"{path} {problem}: continue the run with the version that wrote it")
    return content


def _put_beside(scratch: Path, path: Path) -> None:
    """Give the file `scratch` the name `path` too, in one step."""
    second = scratch.with_name(f"{scratch.name}.2")
    try:
        _remove(second)
        try:
            os.link(scratch, second)
        except OSError:  # a file system without hard links
            shutil.copyfile(scratch, second)
        os.replace(second, path)
    finally:
        _remove(second)


def _remove(path: Path) -> None:
    with suppress(OSError):  # on a disk that has become read-only; the next start removes it
        path.unlink(missing_ok=True)
