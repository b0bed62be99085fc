"""The front process of several training processes on one machine: starts them, passes on signals, waits."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from cnnbench.runtime.errors import INTERRUPTED, TO_BE_CONTINUED, Stopped

# What our processes answer by saving; torch's launcher, which ends them, is left with signals that they do not know.
PASSED_ON = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
LEFT_TO_TORCH = "SIGHUP,SIGQUIT"


def launch(function: Callable[..., Any], processes: int, *arguments: Any) -> Any:
    """What `function(*arguments)` returns on rank 0, run in `processes` new processes of one group by torch's elastic
    launcher.

    If one of them fails, or all were asked to stop, this process leaves with the exit status of the first that left;
    they have said why themselves.
    """
    for name in ("torch.distributed.elastic", "torch.multiprocessing"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # our own sentence is enough
    signals: dict[str, Any] = {"signals_to_handle": LEFT_TO_TORCH}
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        run_id=f"cnnbench-{os.getpid()}",
        max_restarts=0,
        monitor_interval=0.1,
        **(signals if "signals_to_handle" in LaunchConfig.__dataclass_fields__ else {}),
    )
    try:
        with _passing_on_signals() as asked:
            return elastic_launch(config, function)(*arguments)[0]
    except SignalException as error:  # a torch that cannot leave signals to us passes them on itself, and waits
        raise _stopped(error.sigval) from error
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if asked and failure.exitcode in (-signal.SIGTERM, -signal.SIGKILL):  # before it could answer by saving
            raise _stopped(asked[0]) from error
        if failure.exitcode < 0:
            name = signal.Signals(-failure.exitcode).name
            print(f"cnnbench: process {rank} of {processes} was ended by {name}", file=sys.stderr)
        sys.exit(max(1, failure.exitcode))


@contextmanager
def _passing_on_signals() -> Iterator[list[int]]:
    """Within this block a signal to this process asks its children to stop, and is noted in the list; a second Ctrl-C
    ends them at once."""
    asked: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        asked.append(number)
        for child in multiprocessing.active_children():
            if child.pid is None:  # not started yet
                continue
            # A terminal sends Ctrl-C to the children too, and counts there: here it is passed on as another signal.
            os.kill(child.pid, signal.SIGKILL if asked.count(signal.SIGINT) > 1 else signal.SIGTERM)

    before = {number: signal.signal(number, pass_on) for number in PASSED_ON}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stopped(number: int) -> Stopped:
    """What a run does that was asked to stop by signal `number`: leave with the status that says so."""
    return Stopped(
        f"stopped by {signal.Signals(number).name}", INTERRUPTED if number == signal.SIGINT else TO_BE_CONTINUED
    )
