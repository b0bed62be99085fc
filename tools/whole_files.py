"""Whole files of every kind that cnnbench reads, made small, and the commands that read them; for mutated_files.py."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import resource
import shutil
import signal
import sys
import tarfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cnnbench.runs import lock
from cnnbench.runs.owner import identity

Words = tuple[str, ...]
MEMORY, SECONDS = 4 << 30, 120  # of one command: beyond what the process has, and of the clock
CLASSES = ("n01440764", "n01443537")
RUN = ("arch=lenet", "recipe=quick", "epochs=1", "batch=4", "data.workers=0", "logger=[]", "device=cpu")


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
WEIGHTS = (
    command("convert w arch=lenet output=c.safetensors"),
    command("eval arch=lenet weights=w data=d data.workers=0 batch=4 device=cpu data.classes=classes.txt"),
)
RUNS = (
    command("report ./one output=r"),
    command("eval run=./one data.workers=0 batch=4 device=cpu"),
    ("train", "data=d", "run=./one", *RUN),
    command("verify run=./one"),
    command("export run=./one form=safetensors output=e.safetensors"),
)


def picture(seed: int, side: int = 40) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    return Image.fromarray(noise).resize((side, side - 8), Image.Resampling.BICUBIC)


def encoded(seed: int, form: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    picture(seed).save(content, form, **options)
    return content.getvalue()


def class_folders(folder: Path, ending: str = "png", form: str = "PNG", **options: object) -> None:
    """d/{train,val}/CLASS/N.png, and classes.txt"""
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    for split, count in (("train", 4), ("val", 2)):
        for number, name in enumerate(CLASSES):
            (folder / "d" / split / name).mkdir(parents=True)
            for image in range(count):
                file = folder / "d" / split / name / f"{image}.{ending}"
                file.write_bytes(encoded(number * 100 + image + 10 * count, form, **options))


def pictures(ending: str, form: str, **options: object) -> Kind:
    def make(folder: Path) -> None:
        class_folders(folder, ending, form, **options)

    return Kind(make, (f"d/*/*/*.{ending}",), (*READS, *PACKS, *PICTURES, *TRAINS), all_at_once=True)


def tar_of(contents: dict[str, bytes], path: Path, mode: str = "w") -> None:
    with tarfile.open(path, mode) as tar:
        for name, content in contents.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))


def shards(folder: Path) -> None:
    (folder / "d").mkdir()
    for split in ("train", "val"):
        contents: dict[str, bytes] = {}
        for number in range(4):
            contents |= {f"{number}.png": encoded(number), f"{number}.json": json.dumps({"label": number % 2}).encode()}
        tar_of(contents, folder / f"d/{split}-000000.tar")
    (folder / "d/classes.txt").write_text("\n".join(CLASSES))


def raw_tars(folder: Path) -> None:
    (folder / "d").mkdir()
    for name in CLASSES:
        tar_of({f"{name}_{number}.JPEG": encoded(number) for number in range(3)}, folder / f"{name}.tar")
    tar_of(
        {f"{name}.tar": (folder / f"{name}.tar").read_bytes() for name in CLASSES},
        folder / "d/ILSVRC2012_img_train.tar",
    )
    images = {f"ILSVRC2012_val_{number + 1:08}.JPEG": encoded(number) for number in range(3)}
    tar_of(images, folder / "d/ILSVRC2012_img_val.tar")
    truth = {"ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": b"449\n450\n449\n"}
    tar_of(truth, folder / "d/ILSVRC2012_devkit_t12.tar.gz", "w:gz")


def parquet(folder: Path) -> None:
    import pyarrow
    from pyarrow import parquet as files

    (folder / "d/data").mkdir(parents=True)
    features = {"info": {"features": {"label": {"names": list(CLASSES), "_type": "ClassLabel"}}}}
    for split in ("train", "validation"):
        images = [{"bytes": encoded(number), "path": f"{number}.png"} for number in range(4)]
        table = pyarrow.table({"image": images, "label": [0, 1, 0, 1]})
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
        files.write_table(table, folder / f"d/data/{split}-00000-of-00001.parquet", row_group_size=2)


def idx(folder: Path, pack: Callable[[bytes], bytes] = bytes, ending: str = "") -> None:
    (folder / "d").mkdir()
    for stem, count in (("train", 8), ("t10k", 4)):
        pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)
        images = b"\0\0\x08\x03" + np.array(pixels.shape, ">u4").tobytes() + pixels.tobytes()
        labels = b"\0\0\x08\x01" + np.array([count], ">u4").tobytes() + bytes(number % 2 for number in range(count))
        (folder / f"d/{stem}-images-idx3-ubyte{ending}").write_bytes(pack(images))
        (folder / f"d/{stem}-labels-idx1-ubyte{ending}").write_bytes(pack(labels))


def cifar_binary(folder: Path) -> None:
    (folder / "d").mkdir()
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (folder / f"d/{name}.bin").write_bytes(b"".join(bytes([n % 2]) + bytes(range(256)) * 12 for n in range(4)))
    (folder / "d/batches.meta.txt").write_text("cat\ndog\n")


def cifar_python(folder: Path) -> None:
    contents = {"batches.meta": pickle.dumps({b"label_names": [b"cat", b"dog"]}, 2)}
    data = np.random.default_rng(0).integers(0, 256, (4, 3072), np.uint8)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        contents[name] = pickle.dumps({b"data": data, b"labels": [0, 1, 0, 1]}, 2)
    (folder / "d").mkdir()
    for name, content in contents.items():
        (folder / "d" / name).write_bytes(content)


def cifar_tar(folder: Path) -> None:
    cifar_python(folder)
    contents = {f"cifar-10-batches-py/{file.name}": file.read_bytes() for file in (folder / "d").iterdir()}
    shutil.rmtree(folder / "d")
    (folder / "d").mkdir()
    tar_of(contents, folder / "d/cifar-10-python.tar.gz", "w:gz")


def flat_val(folder: Path, name: str, text: str) -> None:
    """Class folders of train, and val as a flat folder with a list."""
    class_folders(folder)
    images = sorted((folder / "d/val").rglob("*.png"))
    for number, image in enumerate(images):
        image.rename(folder / f"d/val/ILSVRC2012_val_{number + 1:08}.png")
    for other in CLASSES:
        (folder / "d/val" / other).rmdir()
    (folder / "d/val" / name).write_text(text)


NAMES = [f"ILSVRC2012_val_{number + 1:08}.png" for number in range(4)]
LISTED = [(name, CLASSES[number // 2]) for number, name in enumerate(NAMES)]


def listed(name: str, text: str) -> Kind:
    return Kind(lambda folder: flat_val(folder, name, text), (f"d/val/{name}",), (*READS, *TRAINS))


def other_lists(folder: Path) -> None:
    """data.classes=, labels= and exclude=, and weights to evaluate with."""
    torch_file(folder)
    (folder / "classes.txt").write_text("\n".join(f"{name} a fish" for name in CLASSES))
    (folder / "labels.json").write_text(json.dumps({f"val/{name}/{n}.png": name for name in CLASSES for n in range(2)}))
    (folder / "exclude.csv").write_text(f"file,why\nval/{CLASSES[0]}/0.png,blurred\n")


EVAL = "eval arch=lenet weights=w data=d data.workers=0 batch=4 device=cpu data.classes=classes.txt"


def packed(folder: Path) -> None:
    class_folders(folder)
    run_here(folder, "data", "pack", "data=d", "output=p", "workers=0")
    shutil.rmtree(folder / "d")
    (folder / "p").rename(folder / "d")


def indexed(folder: Path) -> None:
    class_folders(folder)
    run_here(folder, "data", "index", "data=d", "beside=true")


def a_run(folder: Path) -> None:
    class_folders(folder)
    run_here(folder, "train", "data=d", "run=./one", *RUN)
    run_here(folder, "eval", "run=./one", "data.workers=0", "batch=4", "device=cpu")
    gone = identity() | {"pid": 1, "started": 0}
    (folder / "one" / lock.FILE).write_text(json.dumps(gone))


def run_here(folder: Path, *words: str) -> None:
    """`cnnbench WORDS` in `folder`, which has to be done."""
    said, status = run(words, folder)
    if status:
        raise RuntimeError(said)


def run(words: Words, place: Path) -> tuple[str, int]:
    """What `cnnbench WORDS` prints in `place`, as a forked process with limits, and how it ended: as os.wait says."""
    with open(place / "output.txt", "w+b") as output:
        if not (process := os.fork()):
            _child(words, place, output.fileno())
        end = time.monotonic() + SECONDS
        while (ended := os.waitpid(process, os.WNOHANG))[0] == 0:
            if time.monotonic() > end:
                os.kill(process, signal.SIGKILL)
            time.sleep(0.005)
        output.seek(0)
        return output.read().decode(errors="replace"), ended[1]


def _child(words: Words, place: Path, output: int) -> None:
    status = 70
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(os.fdopen(number, "wb"), errors="backslashreplace") for number in (1, 2)
        )
        os.chdir(place)
        os.environ["CNNBENCH_CACHE"] = str(place / "cache")
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        from cnnbench.cli.main import main

        main(list(words))
        status = 0
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def state() -> dict[str, torch.Tensor]:
    from cnnbench.archs.registry import build

    return build("lenet", len(CLASSES)).state_dict()


def torch_file(folder: Path, zipped: bool = True) -> None:
    class_folders(folder)
    torch.save(state(), folder / "w", _use_new_zipfile_serialization=zipped)


def plain_pickle(folder: Path) -> None:
    class_folders(folder)
    content = {"epoch": 3, "state_dict": {name: value.numpy() for name, value in state().items()}}
    (folder / "w").write_bytes(pickle.dumps(content, 4))


def safetensors(folder: Path) -> None:
    from safetensors.torch import save_file

    class_folders(folder)
    save_file(state(), folder / "w", {"arch": "lenet"})


def npz(folder: Path) -> None:
    class_folders(folder)
    np.savez(folder / "w.npz", **{name: value.numpy() for name, value in state().items()})
    (folder / "w.npz").rename(folder / "w")


def hdf5(folder: Path) -> None:
    import h5py

    class_folders(folder)
    with h5py.File(folder / "w", "w") as file:
        layers = sorted({name.rpartition(".")[0] for name in state()})
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer in layers:
            names = [f"{layer}/kernel:0", f"{layer}/bias:0"]
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in names]
            kernel = state()[f"{layer}.weight"].numpy()
            group[names[0]] = kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T
            group[names[1]] = state()[f"{layer}.bias"].numpy()


def onnx(folder: Path) -> None:
    import onnx

    class_folders(folder)
    tensors = [onnx.numpy_helper.from_array(value.numpy(), name) for name, value in state().items()]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], tensors)), folder / "w")


def tensorflow_js(folder: Path) -> None:
    class_folders(folder)
    weights, content = [], b""
    for name, value in state().items():
        layer, _, part = name.rpartition(".")
        array = value.numpy()
        array = array if part == "bias" else array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
        name = f"{layer}/{'bias' if part == 'bias' else 'kernel'}"
        weights.append({"name": name, "shape": list(array.shape), "dtype": "float32"})
        content += np.ascontiguousarray(array).tobytes()
    (folder / "w.bin").write_bytes(content)
    manifest = {"paths": ["w.bin"], "weights": weights}
    (folder / "w").write_text(json.dumps({"format": "layers-model", "weightsManifest": [manifest]}))


def weights(make: Callable[[Path], None], *files: str) -> Kind:
    return Kind(make, files or ("w",), WEIGHTS)


def of_run(*files: str) -> Kind:
    return Kind(a_run, files, RUNS)


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
    "tar shards": Kind(shards, ("d/*.tar", "d/classes.txt"), READS + PACKS),
    "raw tars": Kind(raw_tars, ("d/*.tar*",), (*READS, *PACKS, command("data prepare data=d output=p workers=0"))),
    "Parquet": Kind(parquet, ("d/data/*.parquet",), READS + PACKS),
    "idx": Kind(idx, ("d/*ubyte",), READS + PACKS),
    "idx, gzipped": Kind(lambda folder: idx(folder, gzip.compress, ".gz"), ("d/*.gz",), READS + PACKS),
    "CIFAR, binary": Kind(cifar_binary, ("d/*",), READS + PACKS),
    "CIFAR, pickled": Kind(cifar_python, ("d/*",), READS + PACKS),
    "CIFAR, tar.gz": Kind(cifar_tar, ("d/*.tar.gz",), READS + PACKS),
    "list: CSV": listed("val.csv", "image,class\n" + "".join(f"{name},{label}\n" for name, label in LISTED)),
    "list: text": listed("val.txt", "".join(f"{name} {label}\n" for name, label in LISTED)),
    "list: JSON": listed("labels.json", json.dumps(dict(LISTED))),
    "list: JSON lines": listed(
        "metadata.jsonl", "".join(json.dumps({"file_name": name, "label": label}) + "\n" for name, label in LISTED)
    ),
    "classes=, labels=, exclude=": Kind(
        other_lists,
        ("classes.txt", "labels.json", "exclude.csv"),
        (command(f"{EVAL} labels=labels.json"), command(f"{EVAL} exclude=exclude.csv"), command(f"{EVAL} details=e")),
    ),
    "packed": Kind(packed, ("d/*.cnnbench",), READS + PACKS),
    "index": Kind(indexed, ("d/.cnnbench-index-*",), (*READS, *TRAINS)),
    "weights: torch": weights(torch_file),
    "weights: torch, old form": weights(lambda folder: torch_file(folder, zipped=False)),
    "weights: pickle": weights(plain_pickle),
    "weights: safetensors": weights(safetensors),
    "weights: npz": weights(npz),
    "weights: HDF5": weights(hdf5),
    "weights: ONNX": weights(onnx),
    "weights: TensorFlow.js": weights(tensorflow_js, "w", "w.bin"),
    "run: checkpoint": of_run("one/checkpoints/*.pt"),
    "run: config.yaml": of_run("one/config.yaml"),
    "run: metrics.jsonl": of_run("one/metrics.jsonl"),
    "run: result.json": of_run("one/result.json"),
    "run: eval-center.json": of_run("one/eval-center.json"),
    "run: environment.json": of_run("one/environment.json"),
    "run: status.json": of_run("one/status.json"),
    "run: lock": of_run(f"one/{lock.FILE}"),
}
