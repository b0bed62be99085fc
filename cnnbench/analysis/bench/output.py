"""What `cnnbench bench` says of the machine, and the files that it writes."""

from __future__ import annotations

import dataclasses
import json
import platform
from pathlib import Path
from typing import Any

import torch

from cnnbench.analysis.tables import Table, as_csv, render
from cnnbench.config.bench import BenchConfig
from cnnbench.runtime.accelerator_facts import toolkit
from cnnbench.runtime.backends import accelerator
from cnnbench.runtime.devices import device_name
from cnnbench.runtime.files import write_json, write_text, writing
from cnnbench.runtime.machine import processor, usable_cores
from cnnbench.runtime.provenance import provenance


def machine() -> dict[str, Any]:
    """Processor, cores, threads, GPU, versions and git commit: all that a measurement depends on."""
    return {
        **provenance(),
        "processor": processor(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "gpu": _accelerator_name(),
        "toolkit": toolkit(),
        "cudnn": torch.backends.cudnn.version() if accelerator() else None,
    }


def machine_line() -> str:
    """The machine in one line, for the notes below a table."""
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    gpu = "".join(f"{part}, " for part in (_accelerator_name(), toolkit()) if part)
    cores, threads = usable_cores(), torch.get_num_threads()
    return f"{gpu}{processor()}, {cores} cores, {threads} threads, {versions}"


def _accelerator_name() -> str | None:
    kind = accelerator()
    return None if kind is None else device_name(torch.device(kind))


def write(config: BenchConfig, output: str, tables: list[Table]) -> None:
    """Write `output` (a JSON file, or a folder for bench.json) and the CSV file beside it."""
    given = Path(output).expanduser()
    path = given if given.suffix == ".json" else given / "bench.json"
    rows = [dict(record) for table in tables for record in table.records]
    shown = [json.loads(render(table, "json")) for table in tables]
    content = {"machine": machine(), "config": dataclasses.asdict(config), "tables": shown, "rows": rows}
    flat = [{name: value for name, value in row.items() if not isinstance(value, dict)} for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = as_csv(names, [[row.get(name) for name in names] for row in flat])
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content)
        write_text(path.with_suffix(".csv"), text + "\n")
