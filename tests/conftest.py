"""Real images for the tests, and the real command."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

if TYPE_CHECKING:
    from tests.simulated.device import SimulatedDevice

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")  # pytest-xdist keeps every core busy already

Run = Callable[..., subprocess.CompletedProcess]

LONGEST = ("test_docs.py", "test_train.py", "test_preemption.py")  # some tests of theirs take half a minute


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """For `-n auto`: one more than the cores, since tests also wait, for processes, disks and each other."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs a command is slow; files that build whole networks or compose every config say so themselves.

    The longest begin first, so that at the end no worker is left alone with one.
    """
    items.sort(key=lambda item: item.path.name not in LONGEST)
    for item in items:
        if {"cnnbench", "command"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish(session: pytest.Session) -> None:
    """What torch and the tests' own modules have made stays: not looked through anew by each garbage collection, which
    was a tenth of all time. The first backward pass of a process is a plain one: after one on tensors without values,
    as of a dry run, torch refuses each in the groups that are forked from here."""
    gc.collect()
    gc.freeze()
    if "torch" in sys.modules:
        sys.modules["torch"].ones(1, requires_grad=True).sum().backward()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of this session's own, into which the bundled sample is unpacked anew; once for all workers."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"
    folder.mkdir(exist_ok=True)
    os.environ["CNNBENCH_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def sample(cache: Path) -> Path:
    from cnnbench.data.sample.sample import sample_folder

    return sample_folder()


@pytest.fixture(scope="session")
def small_data(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """61 training and 23 validation images of 3 classes: sizes that no batch and no group of processes divides."""
    root = tmp_path_factory.mktemp("small")
    for split, counts in {"train": (20, 20, 21), "val": (8, 8, 7)}.items():
        for name, count in zip(("bag", "sandal", "trouser"), counts, strict=True):
            (root / split / name).mkdir(parents=True)
            for file in sorted((sample / split / name).iterdir())[:count]:
                shutil.copy(file, root / split / name)
    return root


@pytest.fixture
def small(tmp_path: Path, small_data: Path) -> Path:
    """`small_data`, and w.pt, a LeNet of random weights for its classes, in the folder where commands run."""
    import torch

    from cnnbench.archs.registry import build

    torch.manual_seed(0)
    torch.save(build("lenet", 3).state_dict(), tmp_path / "w.pt")
    return small_data


@pytest.fixture
def cnnbench(tmp_path: Path, cache: Path) -> Run:
    """Run `cnnbench WORDS` in an empty folder, as a user does; returns the finished process with its text output."""

    def run(*words: object, cwd: Path = tmp_path, timeout: float = 300) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "cnnbench", *map(str, words)]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout)

    return run


@pytest.fixture
def command(tmp_path: Path, cache: Path) -> Run:
    """As `cnnbench`, but in this process, which saves the seconds of a start: for what needs no process of its own.

    The processes of a group are forked from it, for the same reason.
    """

    def run(*words: object) -> subprocess.CompletedProcess:
        from cnnbench.cli.main import main

        status = 0
        with _settings_kept(tmp_path), _forked_groups(), _output() as (out, err):
            try:
                main([*map(str, words)])
            except SystemExit as left:
                status = left.code
        return subprocess.CompletedProcess(words, status, out[0], err[0])

    return run


@pytest.fixture
def accelerator() -> Iterator[SimulatedDevice]:
    """This machine has an accelerator, the simulated one of tests/simulated/device.py, while the test runs."""
    from cnnbench.runtime.backends import BACKENDS
    from tests.simulated.device import simulated_device
    from tests.simulated.row import backend_row

    with simulated_device() as device, mock.patch.dict(BACKENDS, {device.name: backend_row(device)}):
        yield device


@pytest.fixture
def disk_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What this process asks of the disk from now on, in its order: ("sync", name of the file or folder), and ("name",
    the name that a file is given). What a power cut leaves depends on that order, which no other test can see."""
    calls: list[tuple[str, str]] = []
    fsync, sync = os.fsync, os.sync

    def record_sync(handle: int) -> None:
        calls.append(("sync", Path(os.readlink(f"/proc/self/fd/{handle}")).name))
        fsync(handle)

    def record_whole_sync() -> None:
        calls.append(("sync", "all"))
        sync()

    def recorded(real: Callable[..., None]) -> Callable[..., None]:
        def record(old: str | Path, new: str | Path) -> None:
            calls.append(("name", Path(new).name))
            real(old, new)

        return record

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "sync", record_whole_sync)
    for name in ("replace", "rename"):
        monkeypatch.setattr(os, name, recorded(getattr(os, name)))
    return calls


@contextmanager
def _settings_kept(folder: Path) -> Iterator[None]:
    """Work in `folder`, with Python's own warnings, and leave nothing changed for the next test."""
    import torch

    from cnnbench.data.decode.region import NOT_WRITABLE

    before, precision = Path.cwd(), torch.get_float32_matmul_precision()
    benchmark, threads = torch.backends.cudnn.benchmark, torch.get_num_threads()
    os.chdir(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            for unseen in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
                warnings.simplefilter("ignore", unseen)
            warnings.filterwarnings("ignore", message=NOT_WRITABLE)  # pytest forgets what an import has set
            warnings.showwarning = lambda *warning: sys.stderr.write(warnings.formatwarning(*warning[:4]))
            yield
    finally:
        os.chdir(before)
        if torch.are_deterministic_algorithms_enabled():
            torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = benchmark
        torch.set_float32_matmul_precision(precision)
        torch.set_num_threads(threads)


@contextmanager
def _forked_groups() -> Iterator[None]:
    """Within this block the launcher forks this process, where it would start new ones that import torch again."""
    import torch._dynamo  # noqa: F401 - which each would import for itself, when it makes its optimiser

    from cnnbench.runtime import launcher
    from cnnbench.training import process  # noqa: F401 - likewise

    with mock.patch.object(launcher, "METHOD", "fork"):
        yield


@contextmanager
def _output() -> Iterator[tuple[list[str], list[str]]]:
    """What is written within the block, also by child processes: its standard output and its standard error, then."""
    texts: tuple[list[str], list[str]] = [], []
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        kept = [(os.dup(number), number) for number in (1, 2)]
        for file, number in ((out, 1), (err, 2)):
            os.dup2(file.fileno(), number)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                yield texts
        finally:
            for copy, number in kept:
                os.dup2(copy, number)
                os.close(copy)
            for file, text in zip((out, err), texts, strict=True):
                file.flush()
                file.seek(0)
                text.append(file.read())
