"""The end of a run: result.json, and a small table on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, cast

from cnnbench.evaluation.counts import Counts
from cnnbench.evaluation.error_table import error_table
from cnnbench.runs.paths import run_name
from cnnbench.runs.results import RESULT, RunResult
from cnnbench.runtime.devices import device_name
from cnnbench.runtime.files import write_json
from cnnbench.runtime.shell import counted, typed
from cnnbench.training.context import TrainContext
from cnnbench.training.state import TrainState
from cnnbench.training.trial import trial_of

FIGURES = {  # a line of the summary -> the keys of result.json that it needs
    "best        top-1 error {best_top1_error:.2f} % after epoch {best_epoch}, {chosen_on}\n": (
        "best_top1_error",
        "best_epoch",
    ),
    "speed       {images_per_second:,.0f} training images per second, {training_seconds:,.0f} s of training\n": (
        "images_per_second",
        "training_seconds",
    ),
}

TOLD: dict[str, Callable[[Sequence[float]], float]] = {  # of each process -> of the group
    "peak_memory": max,
    "peak_resident": max,
    "device_joules": lambda values: round(sum(values), 1),
    "device_utilisation": lambda values: round(fmean(values), 4),
}


def over_group(measured: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of the group, what all its processes tell of themselves: the most memory that one took, all energy, and the mean
    utilisation; {} of nothing."""
    told = [name for name in TOLD if measured and all(name in each for each in measured)]
    return {name: TOLD[name]([each[name] for each in measured]) for name in told}


def save_result(context: TrainContext, state: TrainState, device: Mapping[str, Any]) -> None:
    """Write result.json, the errors of the network after the last epoch and what is told of the `device`, and print its
    table."""
    config, counts, about = context.config, state.last_counts(), context.data.about
    result: RunResult = {
        "arch": config.arch.name,
        "top1_error": counts.top1_error,
        "top5_error": counts.top5_error,
        "wrong_top1": counts.wrong1,
        "wrong_top5": counts.wrong5,
        "n": counts.n,
        "protocol": "center",
        "epoch": state.epoch,
        "best_top1_error": counts.top1_error if state.best_top1_error is None else state.best_top1_error,
        "best_epoch": state.epoch if state.best_epoch is None else state.best_epoch,
        "params": sum(parameter.numel() for parameter in context.model.parameters()),
        "images_per_second": round(state.steps_timed * config.chosen_batch / state.seconds, 1),
        "training_seconds": round(state.seconds, 1),
        "waiting_seconds": round(state.waiting_seconds, 1),
        "evaluation_seconds": round(state.evaluation_seconds, 1),
        "saving_seconds": round(state.saving_seconds, 1),
        "processes": context.process.world,
        "device": device_name(context.device),
        "precision": context.precision.name,
        "recipe": config.recipe,
        "recipe_protocol": config.protocol,
        "data": config.data.given_path,
        "data_form": about["form"],
        "data_engine": about["engine"],
        "data_pixels": about["pixels"],
        "classes": len(context.data.classes),
        "training_images": context.data.images,
        "seed": config.seed,
    }
    result |= cast(RunResult, {"time_shares": time_shares(state), **device})
    if (trial := trial_of(config, context.steps_per_epoch)) is not None:
        result["trial"] = trial
    if state.averaged_counts is not None:
        averaged = Counts(*state.averaged_counts)
        result["averaged_top1_error"] = averaged.top1_error
        result["averaged_top5_error"] = averaged.top5_error
        result["averaged_wrong_top1"] = averaged.wrong1
        result["averaged_wrong_top5"] = averaged.wrong5
    if state.holdout_counts is not None:
        result["holdout_wrong_top1"], result["holdout_wrong_top5"], result["holdout_n"] = state.holdout_counts
    write_json(context.folder / RESULT, result)
    print(result_text(context.folder, result))


def choosing_error(result: RunResult) -> float:
    """The top-1 error, percent, by which a sweep chooses: of the images held out, if there are any."""
    if "holdout_wrong_top1" in result:
        return 100 * result["holdout_wrong_top1"] / result["holdout_n"]
    return result["top1_error"]


def time_shares(state: TrainState) -> dict[str, float]:
    """Of the run's time in training, evaluation and saves at the ends of epochs the share of each; their sum is 1."""
    spent = {
        "computing": state.seconds - state.waiting_seconds,
        "waiting": state.waiting_seconds,
        "evaluation": state.evaluation_seconds,
        "saving": state.saving_seconds,
    }
    whole = sum(spent.values()) or 1.0
    return {phase: round(seconds / whole, 4) for phase, seconds in spent.items()}


def result_text(folder: Path, result: RunResult) -> str:
    """What is printed of a run's result: the errors, and where its files are; a line whose figures nobody wrote is left
    out."""
    counts = Counts(result["wrong_top1"], result["wrong_top5"], result["n"])
    averaged = ""
    if "averaged_wrong_top1" in result:
        with_average = Counts(result["averaged_wrong_top1"], result["averaged_wrong_top5"], result["n"])
        averaged = f"\nwith the averaged weights:\n{error_table(with_average)}\n"
    again = f"cnnbench eval {typed('run', run_name(folder))}"
    epochs = f" after {counted(result['epoch'], 'epoch')}" if "epoch" in result else ""
    held = result.get("holdout_n")
    chosen_on = "chosen on these same images" if held is None else f"of the {held:,} images held out, which chose it"
    figures = "".join(
        line.format(**result, chosen_on=chosen_on)
        for line, keys in FIGURES.items()
        if all(key in result for key in keys)
    )
    curves = f"curves      tensorboard --logdir {folder}\n" * (folder / "tensorboard").is_dir()
    by_heart = "one_batch" in result.get("trial", "")
    images = "images that it was trained on" if by_heart else "validation images"
    trial = f"\nA TRIAL, no run of its recipe: {result['trial']}\n" if "trial" in result else ""
    if by_heart:
        trial += f"{'NOT ' * (counts.wrong1 > 0)}learned by heart: {counts.wrong1:,} of {counts.n:,} images are wrong\n"
    return f"""{trial}
{result.get("arch", "the network")}{epochs}, {counts.n:,} {images}, one centre crop:
{error_table(counts)}
{averaged}
{figures}result      {folder}/result.json
weights     {folder}/checkpoints/last.pt, best.pt
{curves}again       {again}{_papers_protocol(result, again)}"""


def _papers_protocol(result: RunResult, again: str) -> str:
    """A line on how the recipe's paper tested, or "" where that is what training does."""
    protocol = result.get("recipe_protocol", "center")
    if protocol == "center":
        return ""
    averaged = " weights_kind=averaged" * ("averaged_wrong_top1" in result)
    return f"\npaper       tested by {protocol}: {again} protocol={protocol}{averaged}"
