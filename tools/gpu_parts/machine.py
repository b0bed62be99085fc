"""The first part: what it runs on, with the project's own decoder, built where there is a compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from cnnbench.analysis.bench.output import machine
from cnnbench.data.decode.native import library
from cnnbench.runtime.accelerator_facts import accelerator_facts
from cnnbench.runtime.devices import choose_device
from cnnbench.runtime.errors import UserError
from gpu_parts.job import Job
from gpu_parts.record import read

ROOT = Path(__file__).parents[2]
SAME = ("gpu", "toolkit")  # in all results of a page
SECONDS = 60.0  # for the compiler


def describe(job: Job) -> None:
    """Processor, GPU, driver, clocks, versions, commit, decoder. UserError without such a GPU."""
    choose_device(job.sizes.device)
    facts, before = _facts(job), read(job.file).of("machine").get("machine")
    if before is not None and any(before["values"][name] != facts[name] for name in SAME):
        raise UserError(f"{job.file} holds the results of another GPU or torch: give another file by --results")
    job.add("machine", facts)


def _facts(job: Job) -> dict[str, Any]:
    if job.sizes.device != "cpu" and library.load() is None:
        build()
        library.load.cache_clear()
    built = library.load()
    return {
        **machine(),
        "accelerator": accelerator_facts(),
        "native_decoder": None if built is None else built.instructions,
        "device": job.sizes.device,
    }


def build() -> None:
    """Build the decoder in C in its folder; without a compiler the other decoders serve."""
    command = [sys.executable, "setup.py", "build_ext", "--inplace"]
    try:
        subprocess.run(command, cwd=ROOT, capture_output=True, timeout=SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"the decoder in C was not built: {error}")
