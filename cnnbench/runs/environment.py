"""environment.json: every start of a run: when, where, by which command, versions and git commit, and the machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from cnnbench.runs import checkpoint
from cnnbench.runs.paths import CHECKPOINTS
from cnnbench.runtime.files import read_json, write_json
from cnnbench.runtime.machine import processor, usable_cores
from cnnbench.runtime.provenance import provenance

ENVIRONMENT = "environment.json"


def record_start(folder: Path) -> None:
    """Add this start to those before, which the newest checkpoint has too if the file is damaged. Raises OSError."""
    before = load_starts(folder)
    if not before and (content := checkpoint.newest(folder / CHECKPOINTS)) is not None:
        before = content["starts"]
    write_json(folder / ENVIRONMENT, [*before, {"command": sys.argv, **provenance(), **_machine()}])


def _machine() -> dict[str, Any]:
    """Processor, cores, accelerators, and what decodes images: what the speed of a run depends on."""
    # here: who only reads what is recorded does without torch
    from cnnbench.data.decode.engines import ENGINES
    from cnnbench.data.decode.native.library import load
    from cnnbench.runtime.accelerator_facts import accelerator_facts

    library = load()
    return {
        "processor": processor(),
        "cores": usable_cores(),
        "accelerator": accelerator_facts(),
        "decoders": [name for name, kind in ENGINES.items() if kind.is_here()],
        "native_code": None if library is None else library.instructions,
    }


def load_starts(folder: Path) -> list[dict[str, Any]]:
    """The starts of the run in `folder`, the first one first; [] if there is no file that can be read."""
    starts = read_json(folder / ENVIRONMENT)
    return [start for start in starts if isinstance(start, dict)] if isinstance(starts, list) else []
