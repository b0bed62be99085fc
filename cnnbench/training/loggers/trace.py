"""trace.json: a few steps of the real loop by torch's profiler, for ui.perfetto.dev or chrome://tracing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnbench.runtime.devices import choose_device, profiler_activities
from cnnbench.runtime.files import replacing
from cnnbench.training.loggers.logger import LoggedRun, Scope

WAIT, WARM_UP, STEPS = 3, 2, 5  # steps before it, in which the profiler only warms up, and in the trace
COSTLIEST = 10  # operators of the printed table


class Trace:
    """Steps WAIT + WARM_UP + 1 ... of this start, of the leader's process: loader workers have processes of their own,
    and are seen where the loop waits for them."""

    def __init__(self, run: LoggedRun) -> None:
        self.file = run.folder / "trace.json"
        activities = profiler_activities(choose_device("auto"))
        steps = torch.profiler.schedule(wait=WAIT, warmup=WARM_UP, active=STEPS, repeat=1)
        self.profiler = torch.profiler.profile(activities=activities, schedule=steps, on_trace_ready=self._write)
        self.running = False

    def scalars(self, scope: Scope, step: int, values: Mapping[str, Any]) -> None:
        if scope != "step":
            return
        if not self.running:
            self.profiler.start()
            self.running = True
        self.profiler.step()

    def images(self, step: int, name: str, picture: np.ndarray) -> None:
        """A trace has no pictures."""

    def hparams(self, values: Mapping[str, str | float | bool], errors: Mapping[str, float]) -> None:
        """config.yaml holds them."""

    def close(self) -> None:
        if self.running:
            self.profiler.stop()
            self.running = False

    def _write(self, profiler: torch.profiler.profile) -> None:
        with replacing(Path(self.file)) as scratch:
            profiler.export_chrome_trace(str(scratch))
        own = f"self_{'device' if len(profiler_activities(choose_device('auto'))) > 1 else 'cpu'}_time_total"
        table = profiler.key_averages().table(sort_by=own, row_limit=COSTLIEST, max_name_column_width=60)
        print(
            f"\ntrace       {self.file}: {STEPS} steps; the costliest operators by their own time:\n{table}",
            flush=True,
        )
