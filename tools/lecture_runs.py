"""Train the lecture's claims at the size that two cores finish, and keep what came of them for `cnnbench lecture`.

    python tools/lecture_runs.py --folder runs/lecture               # what is not kept yet; goes on where it stopped
    python tools/lecture_runs.py --folder runs/lecture activation    # one study
    python tools/lecture_runs.py --folder runs/lecture --again       # all of them anew: three hours on one core

Each study is one command of `cnnbench train` in several forms, each over several seeds, on the bundled sample. Writes
cnnbench/analysis/lecture/trained.json, which docs/lecture.md is made from as well. Runs kept from another machine or
version of torch are trained anew, so that a table is of one machine.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnbench.analysis.bench.output import machine_line
from cnnbench.analysis.lecture.densenet import reuse_of
from cnnbench.analysis.lecture.studies import STUDIES, TRAINED, Study
from cnnbench.runs.results import load_metrics, load_result
from cnnbench.runtime.files import write_text

NEXT = ",\n"
DIVERGED = "was not finite"  # a rate that is too high: a result as well
FIXED = ("data.workers=0", "processes=1", "device=cpu", "precision=float32", "log_every=600")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--again", action="store_true", help="train also what is kept")
    parser.add_argument("studies", nargs="*", default=list(STUDIES))
    given = parser.parse_args()
    torch.set_num_threads(1)  # as the runs have it: machine_line() says it
    for name in given.studies:
        runs = {} if given.again else kept_runs(name)
        missing = [key for key in product(STUDIES[name].seeds, STUDIES[name].forms) if key not in runs]
        for seed, form in missing:
            runs[seed, form] = one(STUDIES[name], form, seed, given.folder / name)
            keep(name, {"machine": machine_line(), "runs": in_order(name, runs)})
        if name == "feature_reuse" and missing:
            (form,) = STUDIES[name].forms
            blocks = reuse_of(str((given.folder / name / f"{form.replace(' ', '-')}-0").resolve()))
            keep(name, {"machine": machine_line(), "runs": in_order(name, runs), "blocks": rounded(blocks)})


def kept_runs(name: str) -> dict[tuple[int, str], dict[str, Any]]:
    """By seed and form, the runs of a study that are kept from this machine."""
    kept = all_kept().get(name, {})
    if kept.get("machine") != machine_line():
        return {}
    return {(run["seed"], run["form"]): run for run in kept["runs"] if run["form"] in STUDIES[name].forms}


def in_order(name: str, runs: dict[tuple[int, str], dict[str, Any]]) -> list[dict[str, Any]]:
    """`runs` by seed, and of one seed as the study has its forms."""
    forms = list(STUDIES[name].forms)
    return [runs[key] for key in sorted(runs, key=lambda key: (key[0], forms.index(key[1])))]


def all_kept() -> dict[str, Any]:
    return json.loads(TRAINED.read_text(encoding="utf-8")) if TRAINED.exists() else {}


def one(study: Study, form: str, seed: int, folder: Path) -> dict[str, Any]:
    """Train one form with one seed by the command itself, unless it has been; what is kept of it."""
    run = folder / f"{form.replace(' ', '-')}-{seed}"
    words = [*study.words, *study.forms[form], f"seed={seed}", *FIXED, f"run={run}"]
    if not (run / "result.json").exists() and not (run / "nonfinite.jsonl").exists():
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "cnnbench", "train", *words]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode and DIVERGED not in done.stderr:
            sys.exit(f"cnnbench train {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    result, metrics = load_result(run), load_metrics(run)
    keys = ("train_loss", "train_top1_error", "top1_error")
    return {
        "form": form,
        "seed": seed,
        "wrong": result["wrong_top1"] if result else None,
        "n": result["n"] if result else None,
        **({"confidence": confidence(run)} if "label_smoothing" in run.parts else {}),
        **{key: [round(epoch[key], 4) if key in epoch else None for epoch in metrics] for key in keys},
    }


def confidence(run: Path) -> dict[str, float]:
    """Mean confidence and accuracy, percent; calibration error, points, over 15 bins; mean margin of the first "
    "logit."""
    details = run / "details"
    if not (details / "predictions.csv").exists():
        words = [
            sys.executable,
            "-m",
            "cnnbench",
            "eval",
            f"run={run}",
            f"details={details}",
            "processes=1",
            "device=cpu",
        ]
        subprocess.run(words, check=True, capture_output=True)
    with (details / "predictions.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    first, second = (np.array([float(line[f"probability{k}"]) for line in lines]) for k in (1, 2))
    right = np.array([line["rank"] == "0" for line in lines])
    bins = np.minimum((first * 15).astype(int), 14)
    gaps = [abs(first[bins == k].mean() - right[bins == k].mean()) * (bins == k).mean() for k in np.unique(bins)]
    margin = float(np.log(first / np.maximum(second, 1e-12)).mean())
    figures = {"confidence": 100 * first.mean(), "accuracy": 100 * right.mean(), "calibration": 100 * sum(gaps)}
    return {**{key: round(float(value), 3) for key, value in figures.items()}, "margin": round(margin, 4)}


def rounded(values: Any) -> Any:
    return [rounded(value) for value in values] if isinstance(values, list) else round(values, 4)


def keep(name: str, study: dict[str, Any]) -> None:
    """Put one study into the file, whose other studies stay."""
    kept = all_kept()
    kept[name] = study
    studies = [f"{json.dumps(key)}: {{\n{lines(value)}\n}}" for key, value in sorted(kept.items())]
    write_text(TRAINED, f"{{\n{NEXT.join(studies)}\n}}\n")


def lines(study: dict[str, Any]) -> str:
    """The content of a study, a run on each line."""
    found = []
    for key, value in study.items():
        inner = NEXT.join(json.dumps(each) for each in value) if isinstance(value, list) else None
        found.append(f"{json.dumps(key)}: {json.dumps(value) if inner is None else f'[{chr(10)}{inner}{chr(10)}]'}")
    return NEXT.join(found)


if __name__ == "__main__":
    main()
