"""Runs every `cnnbench` command of README.md and docs/ on small stand-ins:

    python tools/run_docs.py [PAGE.md ...]          # all pages: some minutes
    python tools/run_docs.py --short [PAGE.md ...]  # as the tests do: the first command of each kind runs, of most

With --short the other commands are composed and checked, up to the point where they would begin. The commands run in
one process, in a folder of their own, page by page. `/imagenet`, other folders of the pages and the bundled sample
are a few images of that sample; what would take long is made short by the words of SHORTER, put behind the command's
own, so that every word of the page is read and used too. Exit status 1 if a command failed.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).parents[1]
# What pages speak of, each trained by `arch=NETWORK data=/imagenet run=RUN`.
RUNS = {name: name for name in ("vgg16", "resnet50", "googlenet", "plain56", "resnet56")} | {"demo": "lenet"}
CLASSES = {
    "own": ("bag", "coat"),
    "flowers": ("rose", "tulip"),
    "imagenet-a": ("n01440764", "n01443537", "n01484850"),
    "objectnet-1.0": ("n01440764", "n01443537", "n01484850"),
    "imagenet": ("n01440764", "n01443537", "n01484850"),
    "mnist": ("0", "1"),
    "cifar": ("airplane", "automobile"),
}
WEIGHTS = {
    "resnet50.pth": "resnet50",
    "resnet18.pth": "resnet18",
    "resnet20.th": "resnet20",
    "resnet32.th": "resnet32",
    "resnet44.th": "resnet44",
    "resnet56.th": "resnet56",
    "vgg16.pth": "vgg16",
    "a.pth": "resnet50",
    "b.pth": "resnet50",
    "resnet50.h5": "resnet50_v1",  # what it is, is told by its first bytes
}
PICTURES = ("cat.jpg", "picture.png")
IMAGES, OF_SAMPLE = 4, 1  # of each class and split; those that stand for the bundled sample
# With --short these are composed only: tests of their own run them on as little, and look at what comes of it.
ELSEWHERE = ("recipes", "look", "report", "export", "bench", "corruptions", "compare", "train --multirun")
EXPECTED = {"verify": 1}  # nothing that a page's runs reach here is comparable with a paper
SMALL = {
    "vgg16": ["image_size=32"],
    "plain34": ["image_size=32"],
    "resnet18": ["image_size=32"],
    "resnet50": ["image_size=32"],
    "inception_v2": ["image_size=107"],
    "googlenet": ["image_size=79", "average.start_epoch=0"],
}
QUICK = [
    "epochs=1",
    "schedule.warmup_epochs=0",
    "batch=8",
    "data.workers=0",
    "processes=1",
    "device=cpu",
    "eval_batch=8",
    "compile=false",
]
SHORTER = {
    "train": QUICK,
    "eval": ["batch=8", "data.workers=0", "device=cpu", "processes=1"],
    "average": ["checkpoints=[best,last]", "workers=0", "device=cpu"],
    "predict": ["batch=8", "data.workers=0", "device=cpu"],
    "compare": ["batch=8", "data.workers=0", "device=cpu"],
    "where": ["batch=8", "data.workers=0", "device=cpu"],
    "corruptions": ["batch=8", "data.workers=0", "device=cpu", "images=2"],
    "features": ["batch=8", "data.workers=0", "device=cpu"],
    "bench": ["rounds=1", "batch=2", "images=4", "loader_images=8", "data.workers=0"],
    "probe": ["batch=8", "iterations=3", "data.workers=0", "device=cpu"],
    "data check": ["workers=0"],
    "look": ["images=4", "points=3", "landscape_images=2", "batch=4", "stride=16", "data.workers=0", "device=cpu"],
    "data pack": ["workers=0"],
    "data stats": ["workers=0"],
}


def main(words: list[str]) -> int:
    short, names = "--short" in words, [word for word in words if word != "--short"]
    on = {}  # command -> the first page that it is on
    for page in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))):
        on |= {line: page.name for line in commands_of(page.read_text()) if line not in on}
    elsewhere = tuple(f"cnnbench {words}" for words in ELSEWHERE)
    whole = {line for line in first_of_each_kind(on) if not line.startswith(elsewhere)} if short else set(on)
    on = {line: page for line, page in on.items() if not names or page in names}
    with tempfile.TemporaryDirectory() as folder, short_benchmarks(), narrow_vgg():
        world = Path(folder)
        os.chdir(world)
        make_folders(world)
        make_runs(
            world, " ".join(line for line in on if line in whole or "like=" in line)
        )  # which is read to be composed
        for file in WEIGHTS:
            (world / file).touch()  # the checks of commands that do not run ask for them
        failed = sum(fails(line, page, world, line in whole) for line, page in on.items())
    print(f"{len(on)} commands, {len(whole & set(on))} of them run, {failed} failed")
    return 1 if failed else 0


def fails(line: str, page: str, world: Path, whole: bool) -> bool:
    """Whether a command fails, run, or without `whole` composed and checked; says what became of it."""
    start = time.perf_counter()
    with contextlib.nullcontext() if whole else nothing_runs():
        status, said = run(words_of(line, world))
    if not whole:
        pretend(line, world)
    wrong = status != (EXPECTED.get(line.split()[1], 0) if whole else 0)
    form = "exit status" if whole else "composed, exit status"
    print(f"{page}: {line}: {form} {status}, {time.perf_counter() - start:.1f} s", flush=True)
    if wrong:
        print(said, file=sys.stderr, flush=True)
    return wrong


def first_of_each_kind(lines: Iterable[str]) -> set[str]:
    """Of the commands with the same name and options, the first."""
    first: dict[tuple[str, ...], str] = {}
    for line in lines:
        words = shlex.split(line)[1:]
        name = " ".join(words[:2]) if words[0] == "data" else words[0]
        first.setdefault((name, *sorted(word for word in words if word.startswith("-"))), line)
    return set(first.values())


def pretend(line: str, world: Path) -> None:
    """Leave something where a command would have written, for which the checks of later ones ask."""
    for word in words_of(line, world):
        if word.startswith("output="):
            path = world / word.removeprefix("output=")
            path.mkdir(parents=True, exist_ok=True) if "pack" in line else path.touch()


@contextlib.contextmanager
def nothing_runs() -> Iterator[None]:
    """Commands end where they would begin, and read no weights."""
    from cnnbench.cli import run as cli_run
    from cnnbench.cli.command import Command

    with (
        mock.patch.object(Command, "run", return_value=None),
        mock.patch.object(cli_run, "set_keys_of_weights", return_value=[]),
    ):
        yield


@contextlib.contextmanager
def short_benchmarks() -> Iterator[None]:
    """What `cnnbench bench` repeats for some time is done once."""
    from cnnbench.analysis.bench import model as bench_model
    from cnnbench.analysis.bench import timing as bench_time
    from cnnbench.analysis.bench import training as bench_train

    with (
        mock.patch.object(bench_time.time_rounds, "__defaults__", (0,)),
        mock.patch.object(bench_time, "WARM_UP", 0),
        mock.patch.object(bench_train, "ROUND_SECONDS", 0),
        mock.patch.object(bench_train, "TURNS", 1),
        mock.patch.object(bench_model, "MATRIX", 64),
        mock.patch.object(bench_model, "LECTURE_BATCH", 3),
    ):
        yield


@contextlib.contextmanager
def narrow_vgg() -> Iterator[None]:
    """VGG's hidden layers of 4,096 are a hundredth as wide: their weights took most of the time, to be written."""
    from cnnbench.archs import vgg

    class Narrow(vgg.nn.Linear):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__(40 if inputs == 4096 else inputs, 40 if outputs == 4096 else outputs)

    with mock.patch.object(vgg.nn, "Linear", Narrow):
        yield


def commands_of(text: str) -> list[str]:
    """The commands of a page: lines of its indented blocks that begin with `cnnbench`, without their comments."""
    lines = [re.sub(r"\s+#.*", "", line.strip()) for line in text.splitlines() if line.startswith("    cnnbench ")]
    return list(dict.fromkeys(lines))


def words_of(line: str, world: Path) -> list[str]:
    """The words of a command, with the stand-ins for its folders and what makes it short."""
    words = shlex.split(line)[1:]
    named = dict(word.split("=", 1) for word in words if word.startswith(("arch=", "step=")))
    arch = "inception_v2" if "ladder=inception_v3" in words else named.get("arch", named.get("step", ""))
    words = [re.sub(r"=/(\w)", rf"={world}/\1", word) for word in words]
    if any(word.startswith("archs=") for word in words):
        words.append("image_size=32")
    name = " ".join(words[:2]) if " ".join(words[:2]) in SHORTER else words[0]
    small = SMALL.get(arch, []) if name == "train" else SMALL.get(arch, [])[:1] if name == "bench" else []
    return [*words, *(word for word in SHORTER.get(name, []) if _acts(word, name, words)), *small]


def _acts(word: str, name: str, words: list[str]) -> bool:
    """Whether a word of SHORTER does anything in the command `words`, which else refuses it."""
    key, said = word.partition("=")[0], " ".join(words)
    if name == "bench":
        return key in ("rounds", "batch") or bool(re.search(r"what=(?!model)", said))
    picture = {"points": "landscape", "landscape_images": "landscape", "stride": "occlusion"}.get(key, "")
    return picture in said or "pictures=" not in said


def run(words: list[str]) -> tuple[int, str]:
    """Exit status of a command, and what it printed."""
    from cnnbench.cli.main import main as cnnbench

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            cnnbench(words)
        except SystemExit as leaving:
            return int(leaving.code or 0), said.getvalue()
        except BaseException:
            return 1, said.getvalue() + traceback.format_exc()
    return 0, said.getvalue()


def make_folders(world: Path) -> None:
    """The folders of images that the pages name, and a small sample instead of the bundled one."""
    from cnnbench.data.sample.sample import sample_folder

    sample = sample_folder()
    os.environ["CNNBENCH_CACHE"] = str(world / "cache")
    folders = {f"cache/{sample.name}": sorted(folder.name for folder in (sample / "val").iterdir()), **CLASSES}
    for name, classes in folders.items():
        for split in ("train", "val"):
            for label, source in zip(classes, sorted((sample / split).iterdir()), strict=False):
                target = world / name / split / label
                target.mkdir(parents=True)
                for file in sorted(source.iterdir())[: OF_SAMPLE if name.startswith("cache/") else IMAGES]:
                    shutil.copy(file, target)
    boxes = [f"{file.stem},{file.parent.name} 0 0 20 20" for file in sorted((world / "imagenet/val").glob("*/*"))]
    (world / "imagenet/LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *boxes]) + "\n")
    shutil.copytree(world / "imagenet/val", world / "holiday")
    for name in PICTURES:
        shutil.copy(next((world / "holiday").glob("*/*")), world / name)  # what it is, is told by its first bytes


def make_runs(world: Path, commands: str) -> None:
    """The files of weights and the runs that `commands` name."""
    import torch

    from cnnbench.archs.registry import build

    for file, arch in WEIGHTS.items():
        if file in commands:
            torch.save(build(arch).state_dict(), world / file)
    for name, arch in RUNS.items():
        if name in commands:
            status, said = run(words_of(f"cnnbench train arch={arch} data=/imagenet run={name}", world))
            assert status == 0, said


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
