"""Mutated files of every kind that cnnbench reads, through the commands that read them: none may end in a traceback.

    python tools/mutated_files.py --count 10000 --seed 0               # evenly over all kinds; prints a table
    python tools/mutated_files.py --count 500 --kind PNG --keep FOLDER # FOLDER gets what failed, with its output

Each trial copies a small folder of whole files (whole_files.py), changes one file, or all pictures of a data set
(bytes, texts and, of JSON, values), and runs one command in a process of its own, which may take 4 GB more memory and
120 seconds. A file is *read* (exit status 0 or 1), or *refused* (2, and one sentence); a *traceback*, a process that is
*killed*, by a signal or for its time, and letters that a terminal would obey are failures, and give exit status 1.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import os
import random
import shutil
import sys
import tempfile
import unicodedata
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from limited_command import Words, run
from whole_files import KINDS, Kind

import cnnbench.cli.main
from cnnbench.data.layouts import index

VERDICTS = ("read", "refused", "traceback", "killed", "raw letters")
FAILURES = VERDICTS[2:]
ODD_TEXTS = (
    *(b"", b"-1", b"0", b"1e999", b"NaN", b"null", b"true", b"9" * 5000, b"[" * 5000, b'{"a":' * 3000, b"\xff\xfe"),
    *("\u202e".encode(), b"\x1b[31m", b"\0", b"\n", b"\r", b"\t", b"'", b'"', b",", b";", b"\\", b"../../x", b"=1+1"),
    *(b"%s", b"a" * 200_000),
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2**31, 2**63, 10**30, 1e999, float("nan"), "", "x", "\x1b[31m", "\u202e", "../x"),
    *([], {}, [[]], {"": 0}),
)
NUMBERS = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\0" * 8,
    b"\xff" * 8,
)


def mutated(content: bytes, draw: random.Random) -> bytes:
    """`content` with one to four changes."""
    if content[:1] in b"{[" and content[:1] and draw.random() < 0.5 and (changed := _other_value(content, draw)):
        return changed
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 4))):
        place = draw.randrange(len(data) + 1)
        kind = draw.randrange(8)
        if kind == 0:
            for _ in range(draw.randrange(1, 9)):
                if data:
                    data[draw.randrange(len(data))] = draw.randrange(256)
        elif kind == 1:
            del data[place:]
        elif kind == 2:
            del data[place : place + draw.randrange(1, 100)]
        elif kind == 3:
            data[place:place] = draw.randbytes(draw.randrange(1, 50))
        elif kind == 4:
            data[place : place + 4] = draw.choice(NUMBERS)
        elif kind == 5:
            data[place:place] = draw.choice(ODD_TEXTS)
        elif kind == 6:
            data[place:place] = data[draw.randrange(len(data) + 1) :][: draw.randrange(1, 400)]
        else:
            end = min(len(data), place + draw.randrange(1, 600))
            data[place:end] = bytes(end - place)
    return bytes(data)


def _other_value(content: bytes, draw: random.Random) -> bytes | None:
    """JSON with one value replaced, or one that is not there any more."""
    lines = content.splitlines()
    number = draw.randrange(len(lines)) if lines[0].strip().endswith((b"}", b"]")) else None
    try:
        tree = json.loads(content if number is None else lines[number])
    except ValueError:
        return None
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key, inner in (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        ):
            places.append((value, key))
            walk(inner)

    walk(tree)
    if not places:
        return None
    holder, key = draw.choice(places)
    if draw.random() < 0.2:
        del holder[key]
    else:
        holder[key] = draw.choice(ODD_VALUES)
    text = json.dumps(tree).encode()
    return text if number is None else b"\n".join([*lines[:number], text, *lines[number + 1 :]]) + b"\n"


def trial(whole: Path, kind: Kind, draw: random.Random, place: Path) -> tuple[str, list[Path], Words, str]:
    """The verdict on mutated files in the folder `place`, a copy of `whole`; the files, the command, its output."""
    shutil.copytree(whole, place)
    files, words = sorted({file for pattern in kind.files for file in place.glob(pattern)}), draw.choice(kind.commands)
    files = files if kind.all_at_once else [draw.choice(files)]
    for file in files:
        file.write_bytes(mutated(file.read_bytes(), draw))
    said, status = run(words, place)
    return verdict(status, said), files, words, said


def verdict(status: int, said: str) -> str:
    if os.WIFSIGNALED(status):
        return "killed"
    if "Traceback (most recent call last)" in said or os.WEXITSTATUS(status) not in (0, 1, 2):
        return "traceback"
    if any(unicodedata.category(letter) in ("Cc", "Cf") and letter not in "\n\r\t" for letter in said):
        return "raw letters"
    return "refused" if os.WEXITSTATUS(status) == 2 else "read"


def trials(name: str, count: int, seed: int, keep: Path | None = None) -> Counter[str]:
    """How many of `count` mutated files of a kind had which verdict; `keep`: a folder for those that failed."""
    kind, verdicts = KINDS[name], Counter()
    with tempfile.TemporaryDirectory(prefix="mutated-") as folder:
        whole = Path(folder) / "whole"
        whole.mkdir()
        kind.make(whole)
        warm_up(kind, whole)
        while verdicts.total() < count:
            place, number = Path(folder) / "trial", verdicts.total()
            found, files, words, said = trial(whole, kind, random.Random(f"{seed} {name} {number}"), place)
            verdicts[found] += len(files)
            if found in FAILURES:
                names = " ".join(str(file.relative_to(place)) for file in files)
                print(f"{name} {number}: {found}: cnnbench {' '.join(words)}: {names}", file=sys.stderr)
                print(*said.strip().splitlines()[-1:], sep="\n    ", file=sys.stderr, flush=True)
                if keep is not None:
                    shutil.copytree(place, keep / f"{name} {number}".replace("/", "-"), dirs_exist_ok=True)
            shutil.rmtree(place)
    return verdicts


def compose_once() -> None:
    """Have Hydra compose each command line once, not in each process anew: no file of a trial has a say in it."""
    composed: dict[str, Any] = {}
    load = ConfigLoaderImpl.load_configuration

    def loaded(self: ConfigLoaderImpl, *arguments: Any, **keys: Any) -> Any:
        words = repr((arguments, keys))
        if words not in composed:
            composed[words] = load(self, *arguments, **keys)
        return copy.deepcopy(composed[words])

    ConfigLoaderImpl.load_configuration = loaded


def warm_up(kind: Kind, whole: Path) -> None:
    """Run each command here on whole files, so that its processes find all imported and composed."""
    here = Path.cwd()
    for words in kind.commands:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(shutil.copytree(whole, Path(folder) / "copy"))
            os.environ["CNNBENCH_CACHE"] = str(Path(folder) / "cache")
            try:
                with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as said:
                    cnnbench.cli.main.main(list(words))
            except SystemExit as left:
                if left.code not in (None, 0, 1):
                    raise RuntimeError(f"{' '.join(words)}: {said.getvalue()}") from left
            finally:
                os.chdir(here)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="mutated files in all")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this kind (again for more)")
    parser.add_argument("--part", default="0/1", help="I/N: of N such commands at a time this one is the I-th, from 0")
    parser.add_argument("--keep", type=Path, help="folder for what failed")
    options = parser.parse_args()

    index.QUIET = 0.0  # files are made just before
    compose_once()
    part, parts = map(int, options.part.split("/"))
    names = (options.kind or list(KINDS))[part::parts]
    all_names, totals = options.kind or list(KINDS), Counter()
    print(f"| kind | files | {' | '.join(VERDICTS)} |\n| --- |{' ---: |' * (len(VERDICTS) + 1)}", flush=True)
    for name in names:
        number = all_names.index(name)
        count = options.count // len(all_names) + (number < options.count % len(all_names))
        found = trials(name, count, options.seed, options.keep)
        totals += found
        print(
            f"| {name} | {found.total():,} | {' | '.join(f'{found[verdict]:,}' for verdict in VERDICTS)} |", flush=True
        )
    print(f"| all | {totals.total():,} | {' | '.join(f'{totals[verdict]:,}' for verdict in VERDICTS)} |")
    return any(totals[verdict] for verdict in FAILURES)


if __name__ == "__main__":
    sys.exit(main())
