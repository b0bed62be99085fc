"""What a run will need of memory, disk and time, in words."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnbench.analysis.dry_run.step_memory import StepMemory
from cnnbench.config.image_size import input_size
from cnnbench.runs.environment import ENVIRONMENT
from cnnbench.runs.paths import CHECKPOINTS, CONFIG
from cnnbench.runs.results import METRICS, RESULT
from cnnbench.runs.status import STATUS
from cnnbench.runtime.backends import CPU
from cnnbench.runtime.files import nearest_existing
from cnnbench.runtime.machine import available_memory
from cnnbench.runtime.shell import counted, counted_bytes
from cnnbench.training.context import TrainContext
from cnnbench.training.splits import Splits
from cnnbench.training.state import TrainState

CLOSE = 0.02  # of a checkpoint that its names and figures take at most beside tensors
MINUTE, HOUR = 60, 3600
WRITTEN = (CONFIG, ENVIRONMENT, STATUS, METRICS, RESULT, f"{CHECKPOINTS}/")


@dataclass(frozen=True)
class Plan:
    """A run that has not been started: what the loop would get, where it stands, its images, and the memory and kind of
    the device of each process."""

    context: TrainContext
    state: TrainState
    splits: Splits
    memory: StepMemory
    device: str


def memory_in_words(plan: Plan) -> str:
    """The most that lives at a time on a process's device, and of what it is made."""
    memory, config, world = plan.memory, plan.context.config, plan.context.process.world
    images = config.images_at_once(world)
    resident = {
        "weights": memory.weights,
        "gradients": memory.gradients,
        "optimiser": memory.optimizer,
        "average": memory.average,
    }
    parts = [f"{name} {counted_bytes(size)}" for name, size in resident.items() if size]
    rest = max(0, memory.step - sum(resident.values()))
    parts.append(f"activations and scratch of {counted(images, 'image')} {counted_bytes(rest)}")
    text = f"{counted_bytes(memory.step)} in a training step ({', '.join(parts)}), {counted_bytes(memory.evaluation)} "
    text += (
        f"in evaluation ({counted(config.eval_batch, 'image')}); without what kernels and the device take themselves"
    )
    text += ", as if not compiled" * config.compile
    free = available_memory() if plan.device == CPU else None
    if free is not None and free < memory.peak * min(world, plan.context.config.processes or 1):
        text += f"; warning: this machine has {counted_bytes(free)} free"
    return text


def checkpoint_bytes(plan: Plan) -> int:
    """Size of a checkpoint: weights, their average and the optimiser's state."""
    memory = plan.memory
    return memory.weights + memory.average + memory.optimizer


def checkpoints_kept(plan: Plan) -> tuple[int, int]:
    """Most checkpoint files at a time, as while the last is written, and those of them that stay for keep_every."""
    every = plan.context.config.keep_every
    kept = 0 if every is None else plan.context.epochs // every
    return 4 + kept, kept  # last, previous, best and the one that is being written


def disk_in_words(plan: Plan) -> str:
    """What checkpoints take, and what is free where they will lie."""
    size, (most, kept) = checkpoint_bytes(plan), checkpoints_kept(plan)
    needed = round(size * most * (1 + CLOSE))
    free = shutil.disk_usage(nearest_existing(plan.context.folder)).free
    stay = f", {kept} of them for keep_every={plan.context.config.keep_every}" if kept else ""
    text = f"{counted_bytes(needed)} at most for {most} checkpoints of {counted_bytes(size)}{stay}"
    return f"{text}; {counted_bytes(free)} free" + ("; warning: that is not enough" if free < needed else "")


def time_in_words(plan: Plan, rows: Sequence[dict[str, Any]]) -> str:
    """How long the rest of the run takes, by what `cnnbench bench` measured on one process of such a machine."""
    context = plan.context
    config, world = context.config, context.process.world
    if not rows:
        return "not told: `cnnbench bench what=all output=bench.json` on such a machine measures it, bench=bench.json"
    training, evaluating = (_speed(rows, config.arch.name, what) for what in ("train", "eval"))
    if training is None:
        return f"not told: the file of bench= has no line of {config.arch.name} end to end: bench what=train makes it"
    done = context.step_at(plan.state.epoch, plan.state.step)
    left = context.step_at(context.epochs) - done
    seconds = left * config.chosen_batch / (training["images_per_second"] * world)
    passes = -(-(context.epochs - plan.state.epoch) // config.evaluate_every)
    held = plan.splits.holdout
    tested = len(plan.splits.val) + (0 if held is None else len(held))
    if evaluating is not None:
        seconds += passes * tested / (evaluating["images_per_second"] * world)
    text = f"{_duration(seconds)} for {counted(left, 'step')}" + " and their evaluations" * (evaluating is not None)
    text += f": {training['images_per_second']:,.0f} images/s of one process in bench=, times {world}"
    size = training.get("image_size")
    return text + (f"; warning: measured at {size} pixels" if size not in (None, input_size(config)) else "")


def files_in_words(plan: Plan) -> str:
    """What the run would write."""
    loggers = ", ".join(plan.context.config.logger)
    return f"{', '.join(WRITTEN)} in its folder" + f", and what {loggers} writes" * bool(loggers)


def _speed(rows: Sequence[dict[str, Any]], arch: str, what: str) -> dict[str, Any] | None:
    """The line of a network's speed, data included."""
    found = [row for row in rows if (row.get("arch"), row.get("what"), row.get("pass")) == (arch, what, "end to end")]
    return found[-1] if found and found[-1].get("images_per_second") else None


def _duration(seconds: float) -> str:
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} minutes" if seconds < 2 * HOUR else f"{seconds / HOUR:,.1f} hours"
