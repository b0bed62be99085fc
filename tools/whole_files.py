"""Whole files of every kind that cnnbench reads, made small, and the commands that read them; for mutated_files.py."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import whole_data_sets as data
import whole_weights
from limited_command import Words
from whole_data_sets import RUN

from cnnbench.runs import lock


@dataclass(frozen=True)
class Kind:
    """`make` writes whole files into a folder; those that match `files` are mutated, one or, if no
    error in one hides another, `all_at_once`; `commands` read them there."""

    make: Callable[[Path], None]
    files: Words
    commands: tuple[Words, ...]
    all_at_once: bool = False


def command(line: str) -> Words:
    return tuple(line.split())


READS = tuple(map(command, ("data check data=d workers=0", "data index data=d", "data stats data=d workers=0")))
PACKS = (command("data pack data=d output=p workers=0"), command("data show data=d count=2"))
PICTURES = tuple(
    command(f"data pack data=d output=p workers=0 skip_broken=true form={form}") for form in ("jpeg", "raw", "original")
)
TRAINS = (("train", "data=d", "run=new", *RUN),)
EVAL = "eval arch=lenet weights=w data=d data.workers=0 batch=4 device=cpu data.classes=classes.txt"
WEIGHTS = (command("convert w arch=lenet output=c.safetensors"), command(EVAL))
RUNS = (
    command("report ./one output=r"),
    command("eval run=./one data.workers=0 batch=4 device=cpu"),
    ("train", "data=d", "run=./one", *RUN),
    command("verify run=./one"),
    command("export run=./one form=safetensors output=e.safetensors"),
)


def pictures(ending: str, form: str, **options: object) -> Kind:
    def make(folder: Path) -> None:
        data.class_folders(folder, ending, form, **options)

    return Kind(make, (f"d/*/*/*.{ending}",), (*READS, *PACKS, *PICTURES, *TRAINS), all_at_once=True)


def listed(name: str, text: str) -> Kind:
    return Kind(lambda folder: data.flat_val(folder, name, text), (f"d/val/{name}",), (*READS, *TRAINS))


def weights(make: Callable[[Path], None], *files: str) -> Kind:
    return Kind(make, files or ("w",), WEIGHTS)


def of_run(*files: str) -> Kind:
    return Kind(data.a_run, files, RUNS)


KINDS: dict[str, Kind] = {
    "JPEG": pictures("jpeg", "JPEG"),
    "JPEG, progressive": pictures("jpg", "JPEG", progressive=True),
    "PNG": pictures("png", "PNG"),
    "GIF": pictures("gif", "GIF"),
    "BMP": pictures("bmp", "BMP"),
    "WebP": pictures("webp", "WEBP"),
    "TIFF": pictures("tif", "TIFF", compression="tiff_deflate"),
    "PPM": pictures("ppm", "PPM"),
    "AVIF": pictures("avif", "AVIF"),
    "JPEG 2000": pictures("jp2", "JPEG2000"),
    "tar shards": Kind(data.shards, ("d/*.tar", "d/classes.txt"), READS + PACKS),
    "raw tars": Kind(data.raw_tars, ("d/*.tar*",), (*READS, *PACKS, command("data prepare data=d output=p workers=0"))),
    "Parquet": Kind(data.parquet, ("d/data/*.parquet",), READS + PACKS),
    "idx": Kind(data.idx, ("d/*ubyte",), READS + PACKS),
    "idx, gzipped": Kind(lambda folder: data.idx(folder, gzip.compress, ".gz"), ("d/*.gz",), READS + PACKS),
    "CIFAR, binary": Kind(data.cifar_binary, ("d/*",), READS + PACKS),
    "CIFAR, pickled": Kind(data.cifar_python, ("d/*",), READS + PACKS),
    "CIFAR, tar.gz": Kind(data.cifar_tar, ("d/*.tar.gz",), READS + PACKS),
    "list: CSV": listed("val.csv", "image,class\n" + "".join(f"{name},{label}\n" for name, label in data.LISTED)),
    "list: text": listed("val.txt", "".join(f"{name} {label}\n" for name, label in data.LISTED)),
    "list: JSON": listed("labels.json", json.dumps(dict(data.LISTED))),
    "list: JSON lines": listed(
        "metadata.jsonl", "".join(json.dumps({"file_name": name, "label": label}) + "\n" for name, label in data.LISTED)
    ),
    "classes=, labels=, exclude=": Kind(
        whole_weights.other_lists,
        ("classes.txt", "labels.json", "exclude.csv"),
        (command(f"{EVAL} labels=labels.json"), command(f"{EVAL} exclude=exclude.csv"), command(f"{EVAL} details=e")),
    ),
    "packed": Kind(data.packed, ("d/*.cnnbench",), READS + PACKS),
    "index": Kind(data.indexed, ("d/.cnnbench-index-*",), (*READS, *TRAINS)),
    "weights: torch": weights(whole_weights.torch_file),
    "weights: torch, old form": weights(lambda folder: whole_weights.torch_file(folder, zipped=False)),
    "weights: pickle": weights(whole_weights.plain_pickle),
    "weights: safetensors": weights(whole_weights.safetensors),
    "weights: npz": weights(whole_weights.npz),
    "weights: HDF5": weights(whole_weights.hdf5),
    "weights: ONNX": weights(whole_weights.onnx),
    "weights: TensorFlow.js": weights(whole_weights.tensorflow_js, "w", "w.bin"),
    "run: checkpoint": of_run("one/checkpoints/*.pt"),
    "run: config.yaml": of_run("one/config.yaml"),
    "run: metrics.jsonl": of_run("one/metrics.jsonl"),
    "run: result.json": of_run("one/result.json"),
    "run: eval-center.json": of_run("one/eval-center.json"),
    "run: environment.json": of_run("one/environment.json"),
    "run: status.json": of_run("one/status.json"),
    "run: lock": of_run(f"one/{lock.FILE}"),
}
