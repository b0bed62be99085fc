"""Stops or blocks one part of a small training run, asks the run to stop, and measures how it answers.

    python tools/stopped_parts.py                         # every case, about ten minutes on two cores
    python tools/stopped_parts.py --only worker read      # those whose names begin so

A part is stopped by SIGSTOP, as a debugger or a frozen machine does; to open an image, or to bring a file to the run's
disk, is made to wait. Then SIGTERM goes to the run's first process. Prints a table: how long the answer took, its exit
status, the step that the run had come to and the one that its status says is saved, and how the same command ends once
all works again, compared bitwise with a run left alone. Exit status 1 if an answer took more than 30 seconds, or if a
run did not end in the same bits.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from outcome import outcome

from cnnbench.data.sample.sample import sample_folder

WORDS = ["arch=resnet20", "recipe=quick", "epochs=2", "batch=100", "save_every=5", "log_every=0", "logger=[]"]
WORDS += ["data.prefetch=1", "device=cpu"]
IMAGES = {"train": 120, "val": 20}  # of each class
MOST = 30.0  # seconds: Slurm, torchrun and Kubernetes kill then


# What a run imports at its start: while there is a file "blocked-NAME", the system's call waits for a writer of a pipe.
HOOK = """
import os

def waits(name, applies):
    call = getattr(os, name)
    def waiting(what, *rest, **more):
        if applies(what) and os.path.exists("{root}/blocked-" + name):
            with open("{root}/hook/pipe"):
                pass
        return call(what, *rest, **more)
    setattr(os, name, waiting)

waits("open", lambda what: str(what).endswith(".png"))
waits("fsync", lambda what: True)
"""


@dataclass(frozen=True)
class Case:
    """What is done to a run of `processes` with `workers` each: `act` gets the run, and returns how to make it good."""

    name: str
    processes: int
    workers: int
    act: Callable[[Run], Callable[[], None]]
    asked: bool = True  # by SIGTERM; else it ends by itself


@dataclass(frozen=True)
class Run:
    """A run that is under way: its first process, its folder, and where its data and HOOK lie."""

    process: subprocess.Popen
    folder: Path
    root: Path

    def ranks(self) -> list[int]:
        """Its training processes, rank 0 first."""
        below = [pid for pid in children(self.process.pid) if "spawn_main" in command(pid)]
        return sorted(below) or [self.process.pid]

    def worker(self, rank: int) -> int:
        """A loader worker of the training images: the first that its process has started."""
        return min(pid for pid in children(self.ranks()[rank]) if "resource_tracker" not in command(pid))


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def nothing() -> None:
    """There is nothing to make good."""


def stop(pid: int) -> Callable[[], None]:
    os.kill(pid, signal.SIGSTOP)
    return nothing


def kill(pid: int) -> Callable[[], None]:
    os.kill(pid, signal.SIGKILL)
    return nothing


def block(run: Run, what: str) -> Callable[[], None]:
    """From now on the run waits in `what`, "open" of an image or "fsync": see HOOK."""
    mark = run.root / f"blocked-{what}"
    mark.touch()
    return mark.unlink


CASES = (
    Case("nothing is stopped", 1, 1, lambda run: nothing),
    Case("nothing is stopped", 2, 1, lambda run: nothing),
    Case("worker stopped", 1, 2, lambda run: stop(run.worker(0))),
    Case("worker stopped, of rank 0", 2, 1, lambda run: stop(run.worker(0))),
    Case("worker stopped, of rank 1", 2, 1, lambda run: stop(run.worker(1))),
    Case("read blocked", 1, 2, lambda run: block(run, "open")),
    Case("read blocked, no workers", 1, 0, lambda run: block(run, "open")),
    Case("read blocked", 2, 1, lambda run: block(run, "open")),
    Case("rank 1 stopped", 2, 1, lambda run: stop(run.ranks()[1])),
    Case("rank 0 stopped", 2, 1, lambda run: stop(run.ranks()[0])),
    Case("disk of the run blocked", 1, 1, lambda run: block(run, "fsync")),
    Case("disk of the run blocked", 2, 1, lambda run: block(run, "fsync")),
    Case("killed: a worker", 1, 1, lambda run: kill(run.worker(0)), asked=False),
    Case("killed: a worker of rank 1", 2, 1, lambda run: kill(run.worker(1)), asked=False),
    Case("killed: rank 1", 2, 1, lambda run: kill(run.ranks()[1]), asked=False),
    Case("killed: the front process", 2, 1, lambda run: kill(run.process.pid), asked=False),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], help="beginnings of names of cases")
    options = parser.parse_args()
    cases = [case for case in CASES if case.name.startswith(tuple(options.only))]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        link_images(root / "data")
        (root / "hook").mkdir()
        os.mkfifo(root / "hook/pipe")
        (root / "hook/sitecustomize.py").write_text(HOOK.format(root=str(root)))
        whole = {count: left_alone(root, count) for count in sorted({case.processes for case in cases})}
        print("| case | processes | answered after (s) | exit status | at step | saved | then |", flush=True)
        print("|---|---:|---:|---:|---:|---:|---|")
        fine = [judge(root, number, case, whole[case.processes]) for number, case in enumerate(cases)]
    sys.exit(not all(fine))


def link_images(folder: Path) -> None:
    """The first images of each class of the sample."""
    for split, count in IMAGES.items():
        for source in sorted((sample_folder() / split).iterdir()):
            (folder / split / source.name).mkdir(parents=True)
            for file in sorted(source.iterdir())[:count]:
                os.link(file, folder / split / source.name / file.name)


def left_alone(root: Path, processes: int) -> tuple:
    start(root, f"whole-{processes}", processes, 1).wait()
    return outcome(root / f"runs/whole-{processes}")


def judge(root: Path, number: int, case: Case, whole: tuple) -> bool:
    """Print the row of a case; whether all was well."""
    name = f"case-{number}"
    process = start(root, name, case.processes, case.workers)
    run = Run(process, root / "runs" / name, root)
    while not (run.folder / "checkpoints/last.pt").exists():
        if process.poll() is not None:
            sys.exit(f"{case.name}: the run ended before it had saved; see {root / name}.log")
        time.sleep(0.01)
    running = [process.pid, *run.ranks()]
    make_good = case.act(run)
    if case.asked:
        time.sleep(3)  # until the others wait for it
    begun = time.monotonic()
    if case.asked:
        process.send_signal(signal.SIGTERM)
    status = process.wait()
    wait_until_gone(running)
    seconds = time.monotonic() - begun
    make_good()
    said = json.loads((run.folder / "status.json").read_text())
    at = max([0, *steps(root / f"{name}.log")])
    for _ in range(3):
        if start(root, name, case.processes, 1).wait() == 0:
            break
    same = "the same bits" if outcome(run.folder) == whole else "OTHER BITS"
    row = (case.name, case.processes, f"{seconds:.1f}", status, at, said["step"], same)
    print(f"| {' | '.join(map(str, row))} |", flush=True)
    print(f"    {said['state']}: {said['why']}", file=sys.stderr, flush=True)
    return same == "the same bits" and seconds < MOST


def wait_until_gone(pids: list[int]) -> None:
    """Processes that have lost their parent may take a little longer."""
    while any(Path(f"/proc/{pid}/cwd").exists() for pid in pids):
        time.sleep(0.05)


def steps(log: Path) -> list[int]:
    """The steps of the whole run that its lines of progress tell."""
    found = []
    for line in log.read_text().splitlines():
        if line.startswith("epoch ") and ": step " in line:
            epoch = int(line.split()[1].partition("/")[0])
            step, _, every = line.split(": step ")[1].partition(",")[0].partition("/")
            found.append((epoch - 1) * int(every) + int(step))
    return found


def start(root: Path, name: str, processes: int, workers: int) -> subprocess.Popen:
    words = [*WORDS, f"data={root / 'data'}", f"run={name}", f"processes={processes}", f"data.workers={workers}"]
    command, environment = [sys.executable, "-m", "cnnbench", "train", *words], {"PYTHONPATH": str(root / "hook")}
    with open(root / f"{name}.log", "a") as log:
        return subprocess.Popen(command, cwd=root, env=os.environ | environment, stdout=log, stderr=log)


if __name__ == "__main__":
    main()
