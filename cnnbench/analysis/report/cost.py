"""What the runs took: data, size, speed and time."""

from __future__ import annotations

from cnnbench.analysis.report.run import Run
from cnnbench.analysis.tables import Cell, Table
from cnnbench.archs.facts import facts
from cnnbench.config.image_size import input_size
from cnnbench.runs.results import RunResult


def data_table(runs: list[Run]) -> Table:
    """Network and data of each run. Multiply-adds are those of the network at its paper's size, which stands beside."""
    columns = {
        "run": "",
        "network": "",
        "parameters": "",
        "multiply-adds (G)": ".3g",
        "counted at (px)": "d",
        "image side (px)": "d",
        "data": "",
        "classes": "",
        "training images": "",
        "epochs": "",
    }
    notes = [
        "parameters: of the run itself, with its number of classes; empty where the run has not ended",
        "multiply-adds: of the paper's network for one image of the size beside them, with the paper's classes",
    ]
    return Table("What was trained", columns, [_data_row(run) for run in runs], notes)


def cost_table(runs: list[Run]) -> Table:
    """How long each run took, how fast it was, where, and how it stands."""
    columns = {
        "run": "",
        "images/s": ",.0f",
        "training (h:mm:ss)": "",
        "waiting for data %": ".1f",
        "machine": "",
        "state": "",
    }
    notes = ["images/s: training images over the whole run, waiting for data included, evaluation not"]
    return Table("What it took", columns, [_cost_row(run) for run in runs], notes)


def state_of(run: Run) -> str:
    """How the run stands, in words."""
    total, last = run.config.epochs, run.metrics[-1]["epoch"] if run.metrics else 0
    if run.result is not None:
        return f"ended after epoch {run.result.get('epoch', last)} of {total}"
    if run.status is None:
        return f"not ended: {last} of {total} epochs, and no status.json"
    why = f" ({run.status['why']})" if run.status.get("why") else ""
    words = {"preempted": "stopped and saved", "complete": "ended, without a result"}
    state = str(run.status.get("state"))
    state = words.get(state, state)
    return f"{state}{why}: {last} of {total} epochs, last heard of at {run.status.get('time', 'an unknown time')}"


def machine_of(run: Run) -> str:
    """What computed it, of a run that has ended, and the machines of its starts, each once."""
    parts, result = [], run.result
    if result is not None and "processes" in result and "device" in result:
        parts.append(f"{result['processes']} x {result['device']}")
    parts += dict.fromkeys(f"{start.get('host')} ({start.get('platform')})" for start in run.starts)
    return ", ".join(parts) or "not recorded"


def time_table(run: Run) -> Table:
    """Where the time went: of a run that has not ended, that of its epochs so far."""
    training, waiting, evaluation, saving = _seconds(run)
    parts = {
        "computing: steps of training": None if training is None or waiting is None else training - waiting,
        "waiting for data": waiting,
        "evaluation": evaluation,
        "saving at the ends of epochs": saving,
    }
    total = sum(seconds for seconds in parts.values() if seconds is not None)
    rows = [
        (what, seconds, 100 * seconds / total if seconds is not None and total > 0 else None)
        for what, seconds in parts.items()
    ]
    notes = [] if run.result is not None else ["the run has not ended: the sums over its epochs so far"]
    notes += [f"not recorded: {what}" for what, seconds in parts.items() if seconds is None]
    return Table("Where the time went", {"part": "", "seconds": ",.1f", "%": ".1f"}, rows, notes)


def billions(count: int | None) -> float | None:
    """In thousand millions."""
    return None if count is None else count / 1e9


def clock(seconds: float | None) -> str | None:
    """Hours, minutes and seconds."""
    if seconds is None:
        return None
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _data_row(run: Run) -> tuple[Cell, ...]:
    config, network, done = run.config, facts(run.config.arch.name), len(run.metrics)
    params = classes = images = None
    if run.result is not None:
        params, classes = run.result.get("params"), run.result.get("classes")
        images, done = run.result.get("training_images"), run.result.get("epoch", done)
    return (
        *(run.name, config.arch.name, params, billions(network["macs"]), network["input"]["size"]),
        *(input_size(config), config.data.path, classes, images, f"{done} of {config.epochs}"),
    )


def _cost_row(run: Run) -> tuple[Cell, ...]:
    training, waiting, _, _ = _seconds(run)
    share = 100 * waiting / training if training and waiting is not None else None
    speed = None if run.result is None else run.result.get("images_per_second")
    return run.name, speed, clock(training), share, machine_of(run), state_of(run)


def seconds_of(result: RunResult) -> tuple[float | None, float | None, float | None, float | None]:
    """Seconds of training, of these waiting for data, of evaluation and of saving; None where it is not recorded."""
    return (
        result.get("training_seconds"),
        result.get("waiting_seconds"),
        result.get("evaluation_seconds"),
        result.get("saving_seconds"),
    )


def _seconds(run: Run) -> tuple[float | None, float | None, float | None, float | None]:
    """`seconds_of` the run's result, or of its epochs so far."""
    if run.result is not None:
        return seconds_of(run.result)
    if not run.metrics:
        return None, None, None, None
    training = [line.get("training_seconds", 0.0) for line in run.metrics]
    waiting = [line.get("data_wait", 0.0) * seconds for line, seconds in zip(run.metrics, training, strict=True)]
    return sum(training), sum(waiting), sum(line.get("evaluation_seconds", 0.0) for line in run.metrics), None
