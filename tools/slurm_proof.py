"""Submits docker/several_nodes.sbatch to Slurm: two nodes train LeNet on CPUs, are signalled before their time is over
and requeues the job until it is done, and the result is compared bitwise with a run that was left alone.

    python tools/slurm_proof.py --folder /shared/proof      # a folder that all nodes see; needs sbatch

Options of sbatch that a cluster asks for (partition, account) come after --; so do those that shrink the template's
request. MASTER_ADDR in the environment is kept, for nodes whose names do not resolve.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from cnnbench.training import checkpoint

TEMPLATE = Path(__file__).parents[1] / "docker/several_nodes.sbatch"
ON_CPUS = ["--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=1", "--gpus-per-node=0"]
WORDS = ["arch=lenet", "recipe=quick", "device=cpu", "data.workers=1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=30, help="enough to take more than two minutes")
    parser.add_argument("--minutes", type=int, default=20, help="how long to wait for the jobs")
    parser.add_argument("sbatch", nargs="*", help="options for sbatch, after --")
    options = parser.parse_args()
    if shutil.which("sbatch") is None:
        sys.exit("SKIPPED: there is no sbatch here")
    options.folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + 60 * options.minutes
    whole = finish(options, "whole", deadline, "--time=30")
    # Two minutes, and a signal 20 to 80 seconds before their end: saved, requeued, continued, until it is done.
    cut = finish(options, "cut", deadline, "--time=2", "--signal=USR1@20")
    print(f"left alone: {whole['starts']} start, cut short: {cut['starts']} starts")
    same = whole["weights"] == cut["weights"] and whole["metrics"] == cut["metrics"]
    print("the same bits" if same else "OTHER BITS")
    sys.exit(not same or cut["starts"] < 2)


def finish(options: argparse.Namespace, name: str, deadline: float, *limits: str) -> dict:
    """Submit one run and wait until it has its result: starts, weights and metrics."""
    run = options.folder.resolve() / name
    log = options.folder.resolve() / f"{name}.log"
    command = ["sbatch", "--parsable", *ON_CPUS, *limits, f"--output={log}", *options.sbatch, str(TEMPLATE)]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    job = subprocess.run(
        [*command, *WORDS, f"epochs={options.epochs}", f"run={run}"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    print(f"job {job}: {name}", flush=True)
    while not (run / "result.json").exists():
        if time.monotonic() > deadline:
            sys.exit(f"job {job} did not end in time; see {log}")
        time.sleep(2)
    content = checkpoint.load(run / "checkpoints/last.pt")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {
        "starts": len(json.loads((run / "environment.json").read_text())),
        "weights": {name: tensor.numpy().tobytes() for name, tensor in content["model"].items()},
        "metrics": [(line["train_loss"], line["val_loss"], line["top1_error"]) for line in lines],
    }


if __name__ == "__main__":
    main()
