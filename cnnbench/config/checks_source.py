"""Checks of where images and files come from: each raises UserError if there is nothing. Does not import torch."""

from __future__ import annotations

from pathlib import Path

from cnnbench.config.schema import SYNTHETIC, SourceConfig, is_synthetic
from cnnbench.config.values import check_range, require
from cnnbench.runtime.errors import UserError, nearest


def check_source(data: SourceConfig) -> None:
    """Raise UserError for data that are missing or not there, or a share of them that is none."""
    require(data.path is not None, "data is missing: give data=PATH, or data=sample for the bundled images")
    check_range("data.train_fraction", data.train_fraction, 0, 1, open_low=True)
    check_data_path(data.path)
    check_file("data.classes", data.classes)


def check_data_path(data: str | None) -> None:
    """Raise UserError unless there is such a data set, as far as that is seen at once."""
    if data in (None, "sample") or "://" in data or "{" in data:  # shards are looked at when they are read
        return
    if is_synthetic(data):
        require(SYNTHETIC.fullmatch(data) is not None, f"data={data}: write it as synthetic:CLASSESxIMAGES")
        return
    path = Path(data).expanduser()
    try:
        exists = path.exists()
    except OSError as error:
        raise UserError(f"data={data} cannot be read: {error.strerror}") from error
    require(exists, f"data={data}: there is no such folder{_sibling(path)}")


def check_file(key: str, name: str | None) -> None:
    """Raise UserError unless there is such a file, or none is asked for."""
    if name is not None:
        path = Path(name).expanduser()
        require(path.is_file(), f"{key}={name}: there is no such file{_sibling(path)}")


def _sibling(path: Path) -> str:
    try:
        return nearest(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return ""
