"""Where the time of a step goes, operator by operator, and its trace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from cnnbench.analysis.tables import Table
from cnnbench.runtime.devices import profiler_activities, synchronize
from cnnbench.runtime.errors import UserError

COSTLIEST = 10

OPERATOR_COLUMNS = {"operator": "", "calls": ",d", "ms": ",.2f", "share (%)": ".1f"}


def profile_table(
    name: str, step: Callable[[], object], device: torch.device, trace: str, several: str | None = None
) -> Table:
    """The COSTLIEST operators of one `step` of the network `name`, by their own time on the device.

    The step's trace is written to the file `trace`, or for one of `several` networks to a file with its name added.
    """
    path = Path(trace).expanduser()
    path = path if several is None else path.with_stem(f"{path.stem}-{several}")
    activities = profiler_activities(device)
    with torch.profiler.profile(activities=activities) as profiler:
        step()
        synchronize(device)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise UserError(f"trace={trace} cannot be written: {error.strerror}") from error
    profiler.export_chrome_trace(str(path))
    on_gpu = len(activities) > 1
    own = "self_device_time_total" if on_gpu else "self_cpu_time_total"  # microseconds
    operators = [(operator.key, operator.count, getattr(operator, own)) for operator in profiler.key_averages()]
    whole = sum(time for _, _, time in operators) or 1.0
    costliest = sorted(operators, key=lambda operator: -operator[2])[:COSTLIEST]
    notes = [
        f"own time on the {'GPU' if on_gpu else 'CPU'}, with the profiler's own cost; the trace: {path}, for "
        "chrome://tracing or ui.perfetto.dev"
    ]
    rows = [(operator, count, time / 1e3, 100 * time / whole) for operator, count, time in costliest]
    return Table(f"{name}: one step, its {len(rows)} costliest operators", OPERATOR_COLUMNS, rows, notes)
