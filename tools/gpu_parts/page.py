"""docs/gpu.md, made of the results; what stands above them is head.md. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpu_parts.parts import PARTS
from gpu_parts.record import Line, Results

Row = tuple[Any, ...]

HEAD = Path(__file__).with_name("head.md").read_text()
NONE = """
## Results

No run was made yet: none of the figures above is known.
"""


def page(results: Results) -> str:
    """The whole page."""
    machine = results.of("machine").get("machine", {}).get("values")
    if machine is None:
        return HEAD + NONE
    tables = (OTHERS[part](results) if part in OTHERS else _values(results, part) for part in TABLES)
    return "".join([HEAD, _machine(machine), _ends(results), *tables])


def _machine(facts: dict[str, Any]) -> str:
    """Where and when, and that a rehearsal is none of the results."""
    title = "## Results" if facts["device"] != "cpu" else "## Rehearsal on the CPU: these are no results"
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    devices = (facts.get("accelerator") or {}).get("devices") or [{}]
    told = ", ".join(f"{name} {value}" for name, value in devices[0].items() if name != "name" and value is not None)
    git = facts.get("git") or {}
    commit = f"commit {git['commit'][:12]}{', with changes' * git['modified']}" if git else "no commit known"
    rows = [
        ("date", facts["time"]),
        ("GPU", facts.get("gpu") or "none"),
        ("driver", told or "not told"),
        ("toolkit", f"{facts.get('toolkit') or 'none'}, cuDNN {facts.get('cudnn')}"),
        ("processor", f"{facts['processor']}, {facts['cores']} cores"),
        (
            "decoder",
            f"own, {facts['native_decoder']}" if facts["native_decoder"] else "own one not built",
        ),
        ("versions", f"Python {facts['python']}, {versions}"),
        ("code", commit),
    ]
    return f"\n{title}\n\n{_table(('', ''), rows)}"


def _ends(results: Results) -> str:
    """How each part ended."""
    rows = []
    for part, about in PARTS.items():
        end, lines = results.end(part), results.of(part)
        errors = sum("error" in line for line in lines.values())
        bad = sum(line.get("values", {}).get("ok") is False for line in lines.values())
        said = "was not reached" if end is None else end["end"]
        count = f"{len(lines)}" + f", {errors} with an error" * bool(errors) + f", {bad} out of bounds" * bool(bad)
        rows.append((about.stage, part, said, count, None if end is None else end.get("seconds")))
    return "\n" + _table(("stage", "part", "ended", "results", "seconds"), rows)


def _ok(values: dict[str, Any]) -> str:
    return "yes" if values["ok"] else "NO"


def _speeds(*names: str) -> dict[str, Callable[[Line], Any]]:
    """A column for each of several works."""
    return {name: lambda values, name=name: _speed(values["images_per_second"][name]) for name in names}


def _speed(found: dict[str, float]) -> str:
    return f"{found['median']:,.1f} ({found['low']:,.1f} - {found['high']:,.1f})"


def _ratio(found: dict[str, float] | None) -> str | None:
    return None if found is None else f"{found['median']:.3f} ({found['low']:.3f} - {found['high']:.3f})"


def _percent(found: dict[str, float]) -> str:
    return f"{found['median']:+.2f} ({found['low']:+.2f} .. {found['high']:+.2f})"


Columns = dict[str, Callable[[Line], Any]]  # title -> what stands there, of a result's values

STEPS: Columns = {
    "losses": lambda v: ", ".join(f"{loss:.4f}" for loss in v["losses"]),
    "the CPU's": lambda v: ", ".join(f"{loss:.4f}" for loss in v["cpu_losses"]),
    "difference (%)": lambda v: f"{100 * v['loss_difference']:.3f}",
    "of the weights' way (%)": lambda v: f"{100 * v['moved_difference']:.1f}",
    "ok": _ok,
}
BATCH: Columns = {"batch": lambda v: v["batch"]}
WAITING: Columns = {"waiting for data (%)": lambda v: f"{100 * v['waiting']:.1f}"}
VALUES: dict[str, tuple[str, Columns]] = {  # part -> the title of its table, and its columns
    "resume": (
        "Stopped and continued",
        {
            "tensors": lambda v: v["tensors"],
            "different": lambda v: ", ".join(v["different"]) or "none",
            "wrong at top 1": lambda v: " and ".join(map(str, v["wrong"])),
            "ok": _ok,
        },
    ),
    "group": (
        "A group of one process",
        {"by": lambda v: v["backend"], "weights as alone": lambda v: v["weights_equal"], "ok": _ok},
    ),
    "pictures": (
        "Images of the loader: the largest difference of a level (of 255)",
        {
            "pinned": lambda v: "yes" if v["pinned"] else "no",
            "batches": lambda v: v["batches"],
            "from torch on the CPU": lambda v: f"{v['levels_from_torch_on_the_cpu']:.3f}",
            "from the workers": lambda v: f"{v['levels_from_the_workers']:.3f}",
            "ok": _ok,
        },
    ),
    "precisions": ("Two steps in each precision", STEPS),
    "networks": ("Two steps of every network", STEPS),
    "loop": (
        "The loop beside a bare one: images/s",
        {
            **BATCH,
            **_speeds("bare loop", "cnnbench train"),
            "time over bare (%)": lambda v: _percent(v["percent_over_bare"]),
        },
    ),
    "end to end": (
        "End to end from JPEG files: images/s",
        {
            **BATCH,
            **_speeds("loader alone", "network alone", "end to end"),
            "of the slower half (%)": lambda v: f"{100 * v['of_the_slower_half']:.1f}",
            **WAITING,
        },
    ),
    "alone": (
        "Networks alone, not compiled: a step",
        {
            **BATCH,
            "images/s": lambda v: _speed(v["images_per_second"]),
            "utilisation of a matrix product (%)": lambda v: f"{100 * v['utilisation']:.1f}",
            "its TFLOP/s": lambda v: f"{v['product_tflops']:.1f}",
            "peak memory (GiB)": lambda v: None if v["peak_memory"] is None else f"{v['peak_memory'] / 2**30:.2f}",
        },
    ),
    "cifar": (
        "CIFAR-10, the paper's recipe of 164 epochs; the published error is 8.75 %",
        {
            "epochs": lambda v: f"{v['epochs']}{'' if v['complete'] else ', not the end'}",
            "top-1 error (%)": lambda v: f"{v['top1_error']:.2f}",
            "images": lambda v: v["n"],
            "seconds per epoch": lambda v: f"{v['seconds_per_epoch']:.1f}",
            **WAITING,
        },
    ),
}


def _values(results: Results, part: str) -> str:
    """A table with a row for each key of a part; one that failed says why."""
    (title, columns), lines = VALUES[part], results.of(part)
    if not lines:
        return ""
    rows = []
    for key, line in lines.items():
        if "error" in line:
            rows.append((key, line["error"], *[None] * (len(columns) - 1)))
        else:
            rows.append((key, *(make(line["values"]) for make in columns.values())))
    return f"\n### {title}\n\n{_table(('', *columns), rows)}"


def _recipe(results: Results) -> str:
    """The loops beside each other: a row for each."""
    texts = []
    for key, line in results.of("recipe").items():
        if "error" in line:
            texts.append(f"\n### Beside torchvision's recipe: {key}\n\n{line['error']}\n")
            continue
        values = line["values"]
        rows = [
            (name, _speed(speed), _ratio(values["over"].get(name)), f"{values['seconds_before'][name]:.0f}")
            for name, speed in values["images_per_second"].items()
        ]
        told = [f"batch {values['batch']}", "compiled" if values["compiled"] else "nothing is compiled"]
        if (peak := values["peak_memory_of_all"]) is not None:
            told.append(f"peak memory of all three {peak / 2**30:.1f} GiB")
        if (busy := values.get("device_utilisation")) is not None:
            told.append(f"a kernel ran in {100 * busy:.0f} % of the time")
        if (joules := values.get("joules_per_image")) is not None:
            told.append(f"{joules:.3f} J per image")
        table = _table(("", "images/s (interval)", "cnnbench over it", "seconds before the first round"), rows)
        texts.append(f"\n### Beside torchvision's recipe: {key}\n\n{table}\n{'; '.join(told)}.\n")
    return "".join(texts)


def _cifar(results: Results) -> str:
    """As of any part, or why it was left out."""
    for line in results.of("cifar").values():
        if why := line.get("values", {}).get("why"):
            return f"\n### CIFAR-10\n\nLeft out: {why}.\n"
    return _values(results, "cifar")


TABLES = (  # parts, stage by stage
    *("resume", "group", "pictures", "precisions", "networks"),
    *("recipe", "loop", "end to end", "alone", "cifar"),
)
OTHERS: dict[str, Callable[[Results], str]] = {"recipe": _recipe, "cifar": _cifar}


def _table(columns: Row, rows: list[Row]) -> str:
    """Markdown."""
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join("| " + " | ".join(_cell(value) for value in line) + " |\n" for line in lines)


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
