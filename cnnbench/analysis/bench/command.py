"""`cnnbench bench`: measured speed, as tables, and as JSON and CSV for what comes after.

The JSON file holds "machine" (processor, cores, GPU, versions, git commit), "config" (the command's keys), "tables"
(what is printed) and "rows": one dict per measurement, with at least "arch", "what", and "images_per_second" (the
median of the rounds; null where there is none), and "seconds" with the time of every round. The CSV file holds the rows
without the rounds.
"""

from __future__ import annotations

from collections.abc import Callable

from cnnbench.analysis.bench.output import write
from cnnbench.analysis.tables import Table, render
from cnnbench.config.bench import WHATS, BenchConfig


def bench_command(config: BenchConfig) -> None:
    """Measure what `config` names, print it, and write it where `output` says so."""
    tables = [table for what in WHATS if config.what in (what, "all") for table in TABLES[what](config)]
    print(render(tables, config.format))
    if config.output is not None:
        write(config, config.output, tables)


def _loader(config: BenchConfig) -> list[Table]:
    from cnnbench.analysis.bench.loader import loader_tables

    return loader_tables(config)


def _model(config: BenchConfig) -> list[Table]:
    from cnnbench.analysis.bench.model import model_tables

    return model_tables(config)


def _train(config: BenchConfig) -> list[Table]:
    from cnnbench.analysis.bench.training import train_tables

    return train_tables(config)


def _eval(config: BenchConfig) -> list[Table]:
    from cnnbench.analysis.bench.evaluation import eval_tables

    return eval_tables(config)


# Each takes the whole config, of one network or several; the `records` of the tables that it returns are the rows of
# the JSON file.
TABLES: dict[str, Callable[[BenchConfig], list[Table]]] = {
    "loader": _loader,
    "model": _model,
    "train": _train,
    "eval": _eval,
}
