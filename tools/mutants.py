"""Measures how well the tests bite: draws mutations of the package with a seed, and runs the tests that execute each.

    python tools/mutants.py --map                     # which test executes which line: the whole suite, once
    python tools/mutants.py --seed 0 --count 200      # prints the share found and what survives; continues
    python tools/mutants.py --map tests/runs          # measures again the tests that were changed,
    python tools/mutants.py --seed 0 --again          # and then tries again what survived

Needs the package `coverage`. The checkout is never changed: a copy of it is, in a temporary folder. mutations.py lists
the mutations, executed_lines.py finds the tests. The results are in build/mutants, one line of JSON for each trial; the
last of a mutant counts.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from executed_lines import OPTIONS, RESULTS, ROOT, copied_tree, executed_of, forked, known_map, measure, tests_of
from mutations import Mutant, candidates, drawn

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as tests/conftest.py, before torch is imported
os.environ["OMP_NUM_THREADS"] = "1"

TRIALS = RESULTS / "trials.jsonl"
LIMITS = {"first": (40, 60), "again": (250, 400)}  # seconds of tests for a mutant, as the map has them; of a trial
VERDICTS = {None: "timed out", 0: "survived"}  # by exit status; timed out counts as found: an endless loop
UNFOUND = ("survived", "not executed")
BROKEN = (3, 4, 5, 70)  # pytest's own troubles, no test collected, and an error in this file
LOW = 0.8  # modules of which the tests execute less are named
BIG = ("torch", "torchvision", "hydra", "cv2", "PIL.Image", "yaml", "torch.utils.tensorboard", "matplotlib")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--map", nargs="*", metavar="TEST", help="measure which lines tests execute (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--count", type=int, default=200, help="how many mutants")
    parser.add_argument("--again", action="store_true", help="try again what was not found, with every test")
    parser.add_argument("--part", default="0/1", help="I/N: of N such commands at a time this one is the I-th, from 0")
    options = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    if options.map is not None:
        measure(options.map or ["tests"])
        return
    mutants = drawn(candidates(ROOT / "cnnbench"), options.count, options.seed)
    last = {trial["key"]: trial["verdict"] for trial in trials()}
    wanted = (*UNFOUND, "timed out") if options.again else (None,)
    part, parts = map(int, options.part.split("/"))
    to_try = [mutant for mutant in mutants if last.get(mutant.key) in wanted][part::parts]
    try_all(to_try, LIMITS["again" if options.again else "first"])
    tell(mutants)


def trials() -> list[dict[str, Any]]:
    return [json.loads(line) for line in TRIALS.read_text().splitlines()] if TRIALS.exists() else []


def try_all(mutants: list[Mutant], limits: tuple[float, float]) -> None:
    for name in BIG:
        importlib.import_module(name)
    executed = known_map()
    with copied_tree() as tree:
        for mutant in mutants:
            trial = tried(mutant, tree, tests_of(mutant, executed), limits)
            with TRIALS.open("a") as file:
                file.write(json.dumps(trial) + "\n")
            print(f"{trial['verdict']}, {trial['seconds']:.0f} s: {described(trial)}", flush=True)


def tried(mutant: Mutant, tree: Path, tests: list[tuple[str, float]], limits: tuple[float, float]) -> dict[str, Any]:
    """What the first `tests`, given with their seconds, say of a mutant: as many as fit in limits[0], at least one."""
    sums = itertools.accumulate(seconds for _, seconds in tests)
    within = sum(total <= limits[0] for total in sums)
    chosen = [test for test, _ in tests[: max(within, 1)]]
    begun, found_by = time.monotonic(), tree.parent / "found_by"
    found_by.write_text("")
    status: int | None = 0
    with in_place(mutant, tree / mutant.file):
        for some in in_two(chosen):
            if status == 0:
                rest = limits[1] - (time.monotonic() - begun)
                status = forked(lambda some=some: _told(some, found_by, tree), tree, tree.parent / "output.txt", rest)
    if status in BROKEN:
        raise RuntimeError((tree.parent / "output.txt").read_text())
    return {
        "key": mutant.key,
        "verdict": VERDICTS.get(status, "found") if chosen else "not executed",
        "seconds": time.monotonic() - begun,
        "tests": len(chosen),
        "left_out": len(tests) - len(chosen),
        "found_by": found_by.read_text(),
        **{"file": mutant.file, "line": mutant.line, "before": mutant.before, "after": mutant.text},
    }


def in_two(tests: list[str]) -> list[list[str]]:
    """`tests` of the first two files, and of the others: to collect many files takes longer than most tests."""
    files = [*dict.fromkeys(test.split("::")[0] for test in tests)][:2]
    near = [test for test in tests if test.split("::")[0] in files]
    return [part for part in (near, [test for test in tests if test not in {*near}]) if part]


@contextmanager
def in_place(mutant: Mutant, file: Path) -> Iterator[None]:
    """A block in which `file` is as the mutant has it."""
    before, times = file.read_bytes(), file.stat()
    file.write_bytes(mutant.applied(before))
    try:
        yield
    finally:
        file.write_bytes(before)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # so that its compiled form stays valid


def _told(tests: list[str], found_by: Path, tree: Path) -> int:
    os.environ["PYTHONDONTWRITEBYTECODE"], sys.dont_write_bytecode = "1", True
    files = sorted({test.split("::")[0] for test in tests})
    return int(
        pytest.main(["-x", *OPTIONS, f"--basetemp={tree.parent}/tmp", *files], plugins=[Chosen(tests, found_by)])
    )


class Chosen:
    """A pytest plugin: runs the tests (or whole files) that are named, in that order; writes down which one fails."""

    def __init__(self, tests: list[str], found_by: Path) -> None:
        self.order = {test: number for number, test in enumerate(tests)}
        self.found_by = found_by

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        places = {item: self.order.get(item.nodeid, self.order.get(item.nodeid.split("::")[0])) for item in items}
        items[:] = sorted((item for item in items if places[item] is not None), key=places.get)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.found_by.write_text(report.nodeid)


def tell(mutants: list[Mutant]) -> None:
    """Print the share found, at first and by now, and what survives."""
    keys = {mutant.key for mutant in mutants}
    own = [trial for trial in trials() if trial["key"] in keys]
    first = {trial["key"]: trial for trial in reversed(own)}
    last = {trial["key"]: trial for trial in own}
    for name, rows in (("first", first), ("last", last)):
        verdicts = Counter(trial["verdict"] for trial in rows.values())
        found = verdicts["found"] + verdicts["timed out"]
        share = found / max(len(rows), 1)
        print(f"{name} trials: {len(rows)} of {len(mutants)}, {found} found, {share:.1%}  {dict(verdicts)}")
    for trial in sorted(last.values(), key=lambda trial: (trial["file"], trial["line"])):
        if trial["verdict"] in UNFOUND:
            print(f"{described(trial)}  ({trial['verdict']}, {trial['tests']} tests)")
    tell_coverage()


def described(trial: dict[str, Any]) -> str:
    before, after = (" ".join(trial[side].split())[:90] for side in ("before", "after"))
    return f"{trial['file']}:{trial['line']}: {before} -> {after}"


def tell_coverage() -> None:
    """Print the share of the package's lines that the measured tests execute, and the modules below LOW."""
    rows = executed_of(known_map())
    print(f"lines executed: {sum(some for some, _ in rows.values()) / sum(lines for _, lines in rows.values()):.1%}")
    for file, (some, lines) in sorted(rows.items(), key=lambda row: row[1][0] / row[1][1]):
        if some < LOW * lines:
            print(f"  {file}: {some} of {lines}, {some / lines:.0%}")


if __name__ == "__main__":
    main()
