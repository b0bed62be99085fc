"""Which test executes which line of the package: measured with `coverage`, one context for each test, also in the
processes that a test starts; mutants.py asks it for the tests that can see a mutant.
"""

from __future__ import annotations

import ast
import itertools
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from mutations import Mutant

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "build/mutants"
MAP = RESULTS / "map.json"
LEFT_OUT = {".venv", "build", "dist", "runs", "outputs", "multirun"}  # of the checkout's own folder
OPTIONS = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--tb=line"]
# Measuring loops until it is certain, which a tracer keeps it from; a loader's workers end before they are counted.
BY_HAND = {
    "cnnbench/analysis/bench/": {"tests/analysis/bench/test_bench.py": 30, "tests/analysis/bench/test_training.py": 10},
    "cnnbench/runtime/workers.py": {"tests/data/loading/test_loader.py": 30},
}
IN_CHILDREN = "import coverage\ncoverage.process_startup()\n"  # a sitecustomize.py


@contextmanager
def copied_tree() -> Iterator[Path]:
    """A copy of the checkout, as it is now, in which `import cnnbench` finds the copy's own package and configs."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=lambda where, names: LEFT_OUT & {*names} if where == str(ROOT) else ())
        (tree / "cnnbench/conf").symlink_to("../conf")  # where the editable install of the checkout maps it
        (tree / ".git/info/exclude").write_text("/cnnbench/conf\n")
        yield tree


def forked(function: Callable[[], int], tree: Path, output: Path, limit: float) -> int | None:
    """The exit status of `function`, run in a process of its own in `tree`; None if it was not done within `limit`.

    A fork saves each trial the seconds of importing torch.
    """
    child = os.fork()
    if child == 0:
        status = 70
        try:
            os.setsid()
            handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            os.chdir(tree)
            os.environ["PYTHONPATH"] = str(tree)
            sys.path.insert(0, str(tree))
            status = function()
        finally:
            sys.stdout.flush()
            os._exit(status)
    until = time.monotonic() + limit
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def measure(tests: list[str]) -> None:
    """Run `tests` under coverage, with a context for each; the map takes what they execute and their seconds."""
    with copied_tree() as tree:
        (tree.parent / "site").mkdir()
        (tree.parent / "site/sitecustomize.py").write_text(IN_CHILDREN)
        settings = tree.parent / "coveragerc"
        settings.write_text(
            f"[run]\nsource = {tree}/cnnbench\ndata_file = {tree.parent}/data\nparallel = true\n"
            "concurrency = thread,multiprocessing\ncontext = ${CNNBENCH_TEST-}\n"
            "disable_warnings = no-data-collected,module-not-imported,module-not-measured,already-imported\n"
        )
        status = forked(lambda: _measured(tree, settings, tests), tree, tree.parent / "output.txt", limit=7200)
        print((tree.parent / "output.txt").read_text()[-3000:], f"exit status {status}", sep="\n")
        MAP.write_text(json.dumps(merged(known_map(), json.loads((tree.parent / "map.json").read_text()))))
    print(f"written: {MAP}")


def _measured(tree: Path, settings: Path, tests: list[str]) -> int:
    import coverage

    os.environ["COVERAGE_PROCESS_START"] = str(settings)
    os.environ["PYTHONPATH"] += f"{os.pathsep}{tree.parent}/site"
    recorder = Recorder(coverage.Coverage(config_file=str(settings)))
    recorder.coverage.start()
    status = pytest.main([*OPTIONS, *tests], plugins=[recorder])
    recorder.coverage.stop()
    recorder.coverage.save()
    recorder.coverage.combine()
    data = recorder.coverage.get_data()
    lines: dict[str, dict[str, list[int]]] = {}
    statements: dict[str, list[int]] = {}
    for file in data.measured_files():
        name = str(Path(file).relative_to(tree))
        statements[name] = recorder.coverage.analysis2(file)[1]
        executed: dict[str, list[int]] = defaultdict(list)
        for line, contexts in data.contexts_by_lineno(file).items():
            for context in contexts:
                executed[context].append(line)
        lines[name] = executed
    found = {"seconds": recorder.seconds, "failed": sorted(recorder.failed), "lines": lines, "statements": statements}
    (tree.parent / "map.json").write_text(json.dumps(found))
    return int(status)


class Recorder:
    """A pytest plugin: tells coverage which test runs, also in the processes that it starts, and keeps the seconds."""

    def __init__(self, coverage: Any) -> None:
        self.coverage = coverage
        self.seconds: Counter[str] = Counter()
        self.failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        os.environ["CNNBENCH_TEST"] = item.nodeid
        self.coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self.coverage.switch_context("")
            os.environ["CNNBENCH_TEST"] = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.outcome != "passed":
            self.failed.add(report.nodeid)


def known_map() -> dict[str, Any]:
    return json.loads(MAP.read_text()) if MAP.exists() else {"seconds": {}, "failed": [], "lines": {}, "statements": {}}


def merged(before: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The map `before`, where the tests that `new` knows are as `new` has them."""
    lines: dict[str, dict[str, list[int]]] = {}
    for file in {*before["lines"], *new["lines"]}:
        old = before["lines"].get(file, {})
        lines[file] = {test: numbers for test, numbers in old.items() if test not in new["seconds"]}
        lines[file].update(new["lines"].get(file, {}))
        lines[file][""] = sorted({*old.get("", ()), *lines[file].get("", ())})  # what an import executes
    failed = {*new["failed"], *(test for test in before["failed"] if test not in new["seconds"])}
    return {
        "seconds": {**before["seconds"], **new["seconds"]},
        "failed": sorted(failed),
        "lines": lines,
        "statements": {**before["statements"], **new["statements"]},
    }


def tests_of(mutant: Mutant, executed: dict[str, Any]) -> list[tuple[str, float]]:
    """The tests that can see a mutant, with their seconds: the mirrored file first, then its folder, the fast in front.

    They are those that execute its statement; outside of functions, and for a default, also those that execute the
    function, or functions of the module, or the lines of other modules that name what the statement defines, and those
    of test files that name it.
    """
    lines, inside = executed["lines"], mutant.function is not None
    hit = _executing(lines, mutant.file, [mutant.lines])
    if inside and mutant.lines[0] == mutant.function[0]:  # a default
        hit |= _executing(lines, mutant.file, [mutant.function])
    if not inside:
        hit |= _executing(lines, mutant.file, functions_of(mutant.file))
        for file in lines:
            hit |= _executing(lines, file, [(n, n) for n in naming(file, mutant.name)]) if mutant.name else set()
        hit |= {test for test in executed["seconds"] if mutant.name in words_of(test.split("::")[0])}
    mirrored, stem = Path("tests", *Path(mutant.file).parts[1:-1]), Path(mutant.file).stem
    seconds = {test: executed["seconds"][test] for test in hit & {*executed["seconds"]} - {*executed["failed"]}}

    def far(test: str) -> tuple[bool, bool, float]:
        path = Path(test.split("::")[0])
        return path.parent != mirrored, stem not in path.name, seconds[test]

    by_hand = [its.items() for start, its in BY_HAND.items() if mutant.file.startswith(start)]
    return [*itertools.chain(*by_hand), *((test, seconds[test]) for test in sorted(seconds, key=far))]


def _executing(lines: dict[str, Any], file: str, ranges: Iterable[tuple[int, int]]) -> set[str]:
    wanted = {number for first, last in ranges for number in range(first, last + 1)}
    return {test for test, numbers in lines.get(file, {}).items() if not wanted.isdisjoint(numbers)}


@cache
def functions_of(file: str) -> tuple[tuple[int, int], ...]:
    """The first and the last line of the body of each function."""
    nodes = ast.walk(ast.parse((ROOT / file).read_bytes()))
    return tuple((node.body[0].lineno, node.end_lineno) for node in nodes if isinstance(node, ast.FunctionDef))


@cache
def words_of(file: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", (ROOT / file).read_text()))


@cache
def naming(file: str, name: str) -> tuple[int, ...]:
    """The lines within functions of `file` in which `name` stands."""
    inside = {number for first, last in functions_of(file) for number in range(first, last + 1)}
    found = re.compile(rf"\b{re.escape(name)}\b")
    text = (ROOT / file).read_text().splitlines()
    return tuple(number for number in inside if found.search(text[number - 1]))


def executed_of(executed: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """How many lines of each module the measured tests execute, and how many it has."""
    ran = {file: {*itertools.chain(*its.values())} for file, its in executed["lines"].items()}
    return {file: (len(ran[file] & {*lines}), len(lines)) for file, lines in executed["statements"].items() if lines}
