"""status.json: how a run stands, written by the leader at the start and at every end."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

from cnnbench.runs.paths import run_name
from cnnbench.runs.status import COMPLETE, RUNNING, load_status, write_status
from cnnbench.runtime import distributed
from cnnbench.runtime.denied import denial
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import FAILED, TO_BE_CONTINUED, Lost, Stopped, UserError
from cnnbench.runtime.files import DISK
from cnnbench.runtime.shell import typed
from cnnbench.training.context import TrainContext

LOST = "lost"  # key of status.json: the step at which a process was lost for the last time; null: never


class Status:
    """A block during which the run in `folder` is running; its end records how the run ended."""

    def __init__(self, folder: Path, process: Process) -> None:
        self.folder, self.process = folder, process
        self.context: TrainContext | None = None  # once it is made
        self.lost = (load_status(folder) or {}).get(LOST)

    def __enter__(self) -> Status:
        self._write(RUNNING)
        return self

    def continues(self, context: TrainContext) -> None:
        """Say where the run stands, now that its last save has been read."""
        self.context = context
        if self._saved() != (0, 0):
            self._write(RUNNING)

    def __exit__(self, _: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self._write(COMPLETE)
        elif isinstance(error, Stopped):
            self.lost = self.lost if error.lost is None else error.lost
            self._write("failed" if error.status == FAILED else "preempted", str(error))
            if self.process.leads and error.status == FAILED:
                print(f"cnnbench: {error}", file=sys.stderr, flush=True)
            elif self.process.leads:
                epoch, step = self._saved()
                print(
                    f"{error}, saved after step {step} (epoch {epoch} done): the same command with "
                    f"{typed('run', run_name(self.folder))} continues",
                    flush=True,
                )
        else:
            shown = _for_the_user(error, self.folder)
            self._write("failed", distributed.announce(shown, self.process))
            if shown is not error:
                raise shown from error

    def _write(self, state: str, why: str | None = None) -> None:
        if self.process.leads:
            epoch, step = self._saved()
            write_status(self.folder, state, why, epoch, step, self.lost)

    def leaves(self, why: str) -> None:
        """Called, in a thread of its own, when the run leaves at once, without its save."""
        print(f"cnnbench: {why}", file=sys.stderr, flush=True)
        self._write("preempted", why)

    def _saved(self) -> tuple[int, int]:
        """Epochs done and steps of the whole run in the last save; 0 before the first."""
        return self.context.checkpointer.saved if self.context is not None else (0, 0)


def after_loss(folder: Path, loss: Lost, step: int) -> Stopped:
    """What the run in `folder`, at `step`, does after the `loss` of a process: it is to be continued, unless one was
    lost before and there has been no step since."""
    before = (load_status(folder) or {}).get(LOST)
    if before is None or before < step:
        return Stopped(str(loss), TO_BE_CONTINUED, step)
    return Stopped(f"{loss}, the second time at step {step}: give it more memory, or fewer data.workers", FAILED, step)


def _for_the_user(error: BaseException, folder: Path) -> BaseException:
    """`error`, or a UserError in its place where the system denies memory or threads, a disk cannot be written, the
    run's folder has gone, or what lies in it is in the way, as a folder with the name of a file."""
    if (denied := denial(error)) is not None:
        return UserError(denied)
    if not isinstance(error, OSError):
        return error
    if not folder.is_dir():
        return UserError(f"{folder} is no longer there: it was removed or renamed while it was being trained")
    names = [name for name in (error.filename2, error.filename) if isinstance(name, str | os.PathLike)]
    name = str(names[0]) if names else str(folder)
    within = Path(name).absolute().is_relative_to(folder.absolute())
    if error.errno not in DISK and not (names and within):
        return error
    place = folder if error.errno in DISK else name
    what = f"cannot write to {place}" if within else f"cannot read or write {name}"
    return UserError(f"{what}: {error.strerror}; the last checkpoint is untouched")
