"""What `auto` chooses for the decoder and the loader's workers here, and what the others would give."""

from __future__ import annotations

from cnnbench.analysis.bench.output import machine_line
from cnnbench.analysis.bench.stages import Bench
from cnnbench.analysis.tables import Table
from cnnbench.data.loading.fastest import IMAGES, engine_times, some_jpegs
from cnnbench.data.loading.knee import PREFETCH, SECONDS, fewest, rate
from cnnbench.runtime.machine import usable_cores

CHOSEN = "chosen"
PREFETCHES = (1, 4, 8)  # beside that by which workers are measured


def choice_tables(bench: Bench) -> list[Table]:
    """The decoders, where there are JPEG files, and what numbers of workers supply."""
    return [table for table in (_engines(bench), _workers(bench)) if table.rows]


def _engines(bench: Bench) -> Table:
    times = engine_times(bench.split) if some_jpegs(bench.split) else {}  # what is remembered is of JPEG files
    best = min(times, key=lambda name: times[name], default="")
    rows = [(name, milliseconds, CHOSEN * (name == best)) for name, milliseconds in times.items()]
    notes = [f"the central crop of {IMAGES} files, without a side index, as measured once for data.engine=auto"]
    records = [{"what": "engine", "name": name, "cpu_milliseconds_per_image": time} for name, time in times.items()]
    return Table("decoders", {"data.engine": "", "CPU ms per image": ".3f", "auto": ""}, rows, notes, records)


def _workers(bench: Bench) -> Table:
    transform = bench.training()

    def supply(count: int, prefetch: int = PREFETCH) -> float:
        return rate(bench.split, transform, bench.data, count, prefetch)

    most = usable_cores()
    rates = {count: supply(count) for count in sorted({most >> halves for halves in range(most.bit_length())})}
    best = fewest(rates)
    rows = [(str(count), PREFETCH, value, CHOSEN * (count == best)) for count, value in rates.items()]
    rows += [(str(best), prefetch, supply(best, prefetch), "") for prefetch in PREFETCHES]
    notes = [f"from the first batch on, {SECONDS:g} seconds each, on the wall; {machine_line()}"]
    records = [
        {"what": "workers", "name": f"{count} workers", "prefetch": prefetch, "images_per_second": value}
        for count, prefetch, value, _ in rows
    ]
    columns = {"data.workers": "", "data.prefetch": "", "images/s": ",.0f", "auto": ""}
    return Table("images that workers supply", columns, rows, notes, records)
