"""Runs every `cnnbench` command of README.md and docs/ on small stand-ins:

    python tools/run_docs.py [PAGE.md ...]      # all pages: some minutes
    python tools/run_docs.py --quick            # as in the tests: what would compute with networks is only checked

The commands run in one process, in a folder of their own, page by page. `/imagenet` and other folders of the pages are
made of images of the bundled sample; what would take long is made short by the words of SHORTER, put behind the
command's own, so that every word of the page is read and checked too. Exit status 1 if a command failed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).parents[1]
RUNS = ("vgg16", "resnet50", "googlenet")  # what pages speak of, each trained by `arch=RUN data=/imagenet run=RUN`
CLASSES = {"flowers": ("rose", "tulip"), "imagenet": ("n01440764", "n01443537", "n01484850")}
FILES = ("resnet50.pth", "resnet18.pth", "a.pth", "b.pth", "bench.json")
IMAGES = 8  # of each class and split
EXPECTED = {"verify": 1}  # nothing that a page's runs reach here is comparable with a paper
SMALL = {
    "vgg16": ["image_size=32"],
    "resnet18": ["image_size=32"],
    "resnet50": ["image_size=32"],
    "inception_v2": ["image_size=107"],
    "googlenet": ["image_size=79", "average.start_epoch=0"],
}
COMPUTING = ("train", "eval", "bench", "verify", "export", "report")
QUICK = ["epochs=1", "batch=8", "data.workers=0", "processes=1", "device=cpu", "eval_batch=8", "compile=false"]
SHORTER = {
    "train": QUICK,
    "eval": ["batch=8", "data.workers=0", "device=cpu", "processes=1"],
    "bench": ["rounds=1", "batch=2", "images=4", "loader_images=8", "data.workers=0"],
    "data check": ["workers=0"],
    "data pack": ["workers=0"],
    "data stats": ["workers=0"],
}


def main(names: list[str], quick: bool) -> int:
    pages = [page for page in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))) if not names or page.name in names]
    failed = count = 0
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder)
        os.chdir(world)
        make_folders(world)
        if not quick:
            make_runs(world)
        for page in pages:
            for line in commands_of(page.read_text()):
                start = time.perf_counter()
                words = words_of(line, world)
                status, said = run(words, check_only=quick and words[0] in COMPUTING)
                wrong = status != (0 if quick else EXPECTED.get(line.split()[1], 0))
                count, failed = count + 1, failed + wrong
                print(f"{page.name}: {line}: exit status {status}, {time.perf_counter() - start:.1f} s", flush=True)
                if wrong:
                    print(said, file=sys.stderr, flush=True)
    print(f"{count} commands, {failed} failed")
    return 1 if failed else 0


def commands_of(text: str) -> list[str]:
    """The commands of a page: lines of its indented blocks that begin with `cnnbench`, without their comments."""
    lines = [re.sub(r"\s+#.*", "", line.strip()) for line in text.splitlines() if line.startswith("    cnnbench ")]
    return list(dict.fromkeys(lines))


def words_of(line: str, world: Path) -> list[str]:
    """The words of a command, with the stand-ins for its folders and what makes it short."""
    words = shlex.split(line)[1:]
    arch = next((word.partition("=")[2] for word in words if word.startswith("arch=")), "")
    arch = "inception_v2" if "ladder=inception_v3" in words else arch
    words = [re.sub(r"=/(\w)", rf"={world}/\1", word) for word in words]
    if any(word.startswith("archs=") for word in words):
        words.append("image_size=64")
    name = " ".join(words[:2]) if " ".join(words[:2]) in SHORTER else words[0]
    small = SMALL.get(arch, []) if name == "train" else SMALL.get(arch, [])[:1] if name == "bench" else []
    on_sample = name == "train" and not any(word.startswith("data=") for word in words)
    few = ["data.train_fraction=0.01"] if on_sample else []
    return [*words, *SHORTER.get(name, []), *small, *few]


def run(words: list[str], check_only: bool = False) -> tuple[int, str]:
    """Exit status of a command, and what it printed; `check_only`: its config is composed and checked, and no more."""
    from cnnbench.cli import main as cnnbench
    from cnnbench.commands import COMMANDS

    command = COMMANDS.get(words[0])
    checked = {words[0]: dataclasses.replace(command, run=lambda config: None)} if check_only else {}

    said = io.StringIO()
    with mock.patch.dict(COMMANDS, checked), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            cnnbench(words)
        except SystemExit as leaving:
            return int(leaving.code or 0), said.getvalue()
        except BaseException:
            return 1, said.getvalue() + traceback.format_exc()
    return 0, said.getvalue()


def make_folders(world: Path) -> None:
    """The folders of images that the pages name, and empty files."""
    for name in FILES:
        (world / name).touch()
    from cnnbench.data.sample import sample_folder

    for name, classes in CLASSES.items():
        for split in ("train", "val"):
            for label, source in zip(classes, sorted((sample_folder() / split).iterdir()), strict=False):
                target = world / name / split / label
                target.mkdir(parents=True)
                for file in sorted(source.iterdir())[:IMAGES]:
                    shutil.copy(file, target)


def make_runs(world: Path) -> None:
    """The files of weights and the runs that the pages name."""
    import torch

    from cnnbench.archs import build

    for file, arch in {"resnet50.pth": "resnet50", "resnet18.pth": "resnet18"}.items():
        torch.save(build(arch).state_dict(), world / file)
    for file in ("a.pth", "b.pth"):
        shutil.copy(world / "resnet50.pth", world / file)
    for name in RUNS:
        status, said = run(words_of(f"cnnbench train arch={name} data=/imagenet run={name}", world))
        assert status == 0, said


if __name__ == "__main__":
    sys.exit(main([word for word in sys.argv[1:] if word != "--quick"], "--quick" in sys.argv))
