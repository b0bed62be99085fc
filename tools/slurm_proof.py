"""Submits the batch templates to Slurm, shrunk to LeNet on CPUs: each once left alone and once for every way
in which it is cut short, and compares the results bitwise.

    python tools/slurm_proof.py --folder /shared/proof          # a folder that all nodes see; needs sbatch
    python tools/slurm_proof.py --folder /shared/proof --only sweep elastic
    python tools/slurm_proof.py --folder /shared/proof --kill-slurmd $(cat /run/slurmd.pid) n1 slurmd

The last, as root on node n1 and by itself, ends the node's slurmd while two nodes train, and starts it again.

Options of sbatch that a cluster asks for (partition, account) come after --. MASTER_ADDR in the environment is kept,
for nodes whose names do not resolve. Prints a table; exit status 1 if a run did not end in the same bits.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

from outcome import outcome, starts

BATCH_FILES = Path(__file__).resolve().parents[1] / "cnnbench/cli/templates"
WORDS = ["recipe=quick", "device=cpu", "data.workers=1", "data.train_fraction=0.3"]
LINES = ["arch=lenet seed=0", "arch=lenet seed=1"]  # of the sweep


@dataclass(frozen=True)
class Way:
    """How a run is cut short: by sbatch's `limits`, or by what is done to the job and its run's folder."""

    name: str
    limits: tuple[str, ...] = ()
    act: Callable[[str, Path], None] | None = None


@dataclass(frozen=True)
class Template:
    """One of the batch templates: the request that makes it small, and the ways to cut it short."""

    name: str
    request: tuple[str, ...]
    ways: tuple[Way, ...]
    environment: tuple[tuple[str, str], ...] = ()
    lines: int = 0  # of a job array


def wait_for_save(job: str, run: Path) -> None:
    while not (run / "checkpoints/last.pt").exists():
        if not state(job):
            sys.exit(f"job {job} ended before it had saved; see the logs beside {run.parent}")
        time.sleep(0.5)


def kill_worker(job: str, run: Path) -> None:
    """SIGKILL to rank 0, whose number stands in the run's lock."""
    wait_for_save(job, run)
    pid = json.loads((run / "lock.json").read_text())["pid"]
    step = ["srun", f"--jobid={job}", "--overlap", "--nodes=1", "--ntasks=1"]
    subprocess.run([*step, "bash", "-c", f"kill -KILL {pid}"], check=True)


def kill_slurmd(pid: str, node: str, command: str, job: str, run: Path) -> None:
    """End a node's slurmd, have Slurm notice at once and not after its SlurmdTimeout, and bring the node back."""
    wait_for_save(job, run)
    os.kill(int(pid), signal.SIGKILL)
    update = ["scontrol", "update", f"nodename={node}"]
    subprocess.run([*update, "state=down", "reason=killed by tools/slurm_proof.py"], check=True)
    while state(job) == "RUNNING":
        time.sleep(0.2)
    print(f"job {job}: {node} is down, the job is {state(job)}", flush=True)
    subprocess.run(shlex.split(command), check=True)
    subprocess.run([*update, "state=resume"], check=True)


# Two minutes, and a signal 20 to 80 seconds before their end: saved, requeued, continued, until it is done.
SIGNALLED = Way("signalled before its time was over", ("--time=2", "--signal=USR1@20"))
ASKED = Way("signalled before its time was over", ("--time=2", "--signal=TERM@40"))  # torchrun's 30 seconds fit
KILLED = Way("a worker was killed", act=kill_worker)

SMALL = ("--cpus-per-task=1", "--gpus-per-node=0")
TEMPLATES = (
    Template("one_node", SMALL, (SIGNALLED,)),
    Template("several_nodes", ("--nodes=2", "--ntasks-per-node=1", *SMALL), (SIGNALLED,)),
    Template("sweep", ("--array=1-2", *SMALL), (SIGNALLED,), lines=2),
    Template("elastic", ("--nodes=1", *SMALL), (KILLED, ASKED), (("PROCESSES_PER_NODE", "2"),)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=120, help="enough to take more than two minutes")
    parser.add_argument("--minutes", type=int, default=60, help="how long to wait for the jobs")
    parser.add_argument("--only", nargs="+", choices=[template.name for template in TEMPLATES])
    parser.add_argument("--kill-slurmd", nargs=3, metavar=("PID", "NODE", "COMMAND"), help="only this")
    parser.add_argument("sbatch", nargs="*", help="options for sbatch, after --")
    options = parser.parse_args()
    if shutil.which("sbatch") is None:
        sys.exit("SKIPPED: there is no sbatch here")
    (options.folder / "runs").mkdir(parents=True)
    (options.folder / "sweep.txt").write_text("\n".join(LINES) + "\n")
    templates = [template for template in TEMPLATES if options.only is None or template.name in options.only]
    if options.kill_slurmd:  # and nothing beside it that needs the node
        way = Way("a slurmd was killed", act=partial(kill_slurmd, *options.kill_slurmd))
        templates = [replace(each, ways=(way,)) for each in TEMPLATES if each.name == "several_nodes"]
    deadline = time.monotonic() + 60 * options.minutes
    with ThreadPoolExecutor(len(templates)) as pool:
        rows = list(chain.from_iterable(pool.map(partial(judge, options, deadline), templates)))
    print("\n| template | cut short | starts | outcome |\n|---|---|---:|---|")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    sys.exit(any(result != "the same bits" for *_, result in rows))


def judge(options: argparse.Namespace, deadline: float, template: Template) -> list[tuple[str, str, int, str]]:
    """A row for every run of a template: its starts, and how it compares with the one that was left alone."""
    rows, alone = [], []
    for number, way in enumerate((Way("left alone", (f"--time={options.minutes}",)), *template.ways)):
        job, runs = submit(options, template, number, way)
        alone = alone or runs
        if way.act is not None:
            way.act(job, runs[0])
        wait(job, deadline)
        for run, other in zip(runs, alone, strict=True):
            rows.append((template.name, way.name, starts(run), compare(run, other)))
    return rows


def compare(run: Path, alone: Path) -> str:
    if not all((folder / "result.json").exists() for folder in (run, alone)):
        return "NO RESULT: see the logs"
    if run != alone and starts(run) == 1:
        return "NOT CUT: give more --epochs"
    return "the same bits" if outcome(run) == outcome(alone) else "OTHER BITS"


def submit(options: argparse.Namespace, template: Template, number: int, way: Way) -> tuple[str, list[Path]]:
    """The job, and the folders of its runs."""
    folder, name = options.folder.resolve(), f"{template.name}-{number}"
    log = f"{folder}/{name}{'-%a' if template.lines else ''}.log"
    command = ["sbatch", "--parsable", f"--chdir={folder}", f"--output={log}", *template.request]
    script = str(BATCH_FILES / f"{template.name}.sbatch")
    words = ["sweep.txt"] if template.lines else ["arch=lenet", f"run=runs/{name}"]
    done = subprocess.run(
        [*command, *way.limits, *options.sbatch, script, *words, *WORDS, f"epochs={options.epochs}"],
        env={**os.environ, **dict(template.environment), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        check=True,
        capture_output=True,
        text=True,
    )
    job = done.stdout.strip().partition(";")[0]
    print(f"job {job}: {template.name}, {way.name}", flush=True)
    names = [f"sweep-{job}/{line + 1}" for line in range(template.lines)] or [name]
    return job, [folder / "runs" / name for name in names]


def wait(job: str, deadline: float) -> None:
    """Until the job is over."""
    while state(job) and time.monotonic() < deadline:
        time.sleep(2)
    time.sleep(5)  # a shared file system may show a result late


def state(job: str) -> str:
    """What Slurm's queue says of a job; nothing if it is not in it."""
    return subprocess.run(["squeue", "-h", "-j", job, "-o", "%T"], capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
