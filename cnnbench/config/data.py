"""Where images come from and how they are read, `data.*`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnbench.config.fields import AUTO, MAY_CHANGE, Range, given, key, require
from cnnbench.runtime.errors import UserError, nearest

SYNTHETIC = re.compile(r"synthetic(:(?P<classes>[1-9]\d*)x(?P<images>[1-9]\d*))?")  # data without files
SECRETS = re.compile(r"://[^/\s]*@|(?<=\S)\?[^\s'\")]+")
MISSING = "data is missing: give data=PATH, or data=sample for the bundled images"

MOST_SECONDS = 60.0
MOST_MEGAPIXELS = 64.0  # ILSVRC's largest image, 9331 x 6530, has 60.9


class NoData(UserError):
    """The data set is not on this machine."""


@dataclass(frozen=True)
class SourceConfig:
    path: str | None = key(
        "the data set: a folder, its layout recognised by a look at it; or tar shards by URL, or by names with braces; "
        "or `sample`, the bundled images; or `synthetic`, noise without files (`synthetic:CLASSESxIMAGES`)",
        None,
        note=MAY_CHANGE,
    )
    classes: str | None = key("file with the class names (WordNet ids) to use, one per line; null: all", None)
    train_fraction: float = key(
        "share of each class's training images that is used, in (0, 1]",
        1.0,
        range=Range(above=0, at_most=1),
    )
    max_megapixels: float = key(
        "millions of pixels above which an image counts as broken, by its header, before it is decoded; decoding takes "
        "10 bytes of memory for each, of formats that need more fewer pixels are taken",
        MOST_MEGAPIXELS,
        range=Range(above=0),
    )

    @property
    def given_path(self) -> str:
        """`path`; UserError where it is null."""
        return given(self.path, MISSING)


@dataclass(frozen=True)
class DataConfig(SourceConfig):
    engine: str = key(
        "decoder of JPEG files; auto: the fastest here, measured once on files of the data (all give the same pixels)",
        "auto",
        choices=("auto", "native", "simplejpeg", "pillow"),
        note=MAY_CHANGE,
    )
    decoder_index: bool = key(
        "true: find where decoding can begin in JPEG files that no side index knows, as they are met, and keep it in "
        "the cache folder: the first epoch decodes each of them whole, twice; all later ones, of any run, are faster",
        False,
        note=MAY_CHANGE,
    )
    pixels: str = key(
        "exact: antialiased, as the field's reference evaluations; loose: faster, not antialiased",
        "exact",
        choices=("exact", "loose"),
    )
    workers: Any = key(
        "loader workers per training process; 0: none beside it; null: one per core; auto: the fewest that supply the "
        "most images here, measured once on the data (train, and bench what=loader; elsewhere one per core)",
        None,
        note=MAY_CHANGE,
        range=Range(at_least=0),
        words=(AUTO,),
    )
    worker_kind: str = key(
        "what a worker is; auto: a process on Linux, else a thread",
        "auto",
        choices=("auto", "process", "thread"),
        note=MAY_CHANGE,
    )
    prefetch: int = key("batches that are prepared ahead", 4, note=MAY_CHANGE, range=Range(at_least=1))
    max_bad: int = key(
        "broken training images that each process tolerates, each replaced by the next whole one; evaluation counts "
        "broken images as wrong",
        10,
        note=MAY_CHANGE,
        range=Range(at_least=0),
    )
    max_seconds: float = key(
        "seconds of processor time that decoding an image may take; longer, or an end of the process that decodes it: "
        "the image counts as broken in training, and ends an evaluation",
        MOST_SECONDS,
        note=MAY_CHANGE,
        range=Range(above=0),
    )


@dataclass(frozen=True)
class TrainingDataConfig(DataConfig):
    holdout: float = key(
        "share of each class's training images, in [0, 1), that are not trained on, and by whose error the best "
        "weights, the plateau schedule and a sweep choose: then the validation images choose nothing; 0: they do",
        0.0,
        range=Range(at_least=0, below=1),
    )


def check_source(data: SourceConfig) -> None:
    """Raise UserError for a data set, or a file of class names, that is missing or does not exist."""
    check_data_path(data.given_path)
    check_file("data.classes", data.classes)


def check_data_path(data: str) -> None:
    """Raise UserError unless there is such a data set, as far as that is seen at once."""
    if "://" in data:
        refuse_secrets("data", data)
    if data == "sample" or "://" in data or "{" in data:  # shards are looked at when they are read
        return
    if is_synthetic(data):
        require(SYNTHETIC.fullmatch(data) is not None, f"data={data}: write it as synthetic:CLASSESxIMAGES")
        return
    require(data.strip() != "", MISSING)
    path = Path(data).expanduser()
    try:
        exists = path.exists()
        special = exists and not path.is_dir() and not path.is_file()
    except OSError as error:
        raise UserError(f"data={data} cannot be read: {error.strerror}") from error
    if not exists:
        raise NoData(f"data={data}: there is no such folder{_sibling(path)}")
    require(not special, f"data={data} is neither a folder nor a file: give the folder that holds train/ and val/")


def refuse_secrets(key: str, url: str) -> None:
    """Raise UserError for an address with a password, or with a query, which may hold a token: a run writes down where
    its images are from, and every start of it needs them again."""
    require(
        url == without_secrets(url),
        f"{key}={without_secrets(url)}: a password or a token would be written into the folder of a run: put name and "
        "password into ~/.netrc, and what comes behind a question mark into the environment as CNNBENCH_URL_QUERY",
    )


def without_secrets(text: str) -> str:
    """`text` with *** for the user and password, and for the query, of each address in it."""
    return SECRETS.sub(lambda found: "://***@" if found[0].startswith("://") else "?***", text)


def check_file(key: str, name: str | None) -> None:
    """Raise UserError unless there is such a file, or none is asked for."""
    if name is not None:
        path = Path(name).expanduser()
        require(not path.is_dir(), f"{key}={name} is a folder: give the file in it")
        require(path.is_file() or not path.exists(), f"{key}={name} is not a file that can be read")
        require(path.is_file(), f"{key}={name}: there is no such file{_sibling(path)}")


def _sibling(path: Path) -> str:
    try:
        return nearest(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return ""


def is_synthetic(path: str) -> bool:
    """Whether `path` means noise without files, not a folder."""
    return path.partition(":")[0] == "synthetic"
