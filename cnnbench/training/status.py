"""status.json: how a run stands, written by the leader at the start and at every end."""

from __future__ import annotations

import errno
from pathlib import Path
from types import TracebackType

from cnnbench.runs.paths import run_name
from cnnbench.runs.status import COMPLETE, RUNNING, write_status
from cnnbench.runtime import distributed
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import Stopped, UserError
from cnnbench.runtime.files import FULL
from cnnbench.runtime.shell import typed
from cnnbench.training.context import TrainContext

DISK = (*FULL, errno.EROFS, errno.EIO)  # errors of a disk, which only the user can solve


class Status:
    """A block during which the run in `folder` is running; its end records how the run ended."""

    def __init__(self, folder: Path, process: Process) -> None:
        self.folder, self.process = folder, process
        self.context: TrainContext | None = None  # once it is made

    def __enter__(self) -> Status:
        self._write(RUNNING)
        return self

    def __exit__(self, _: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self._write(COMPLETE)
        elif isinstance(error, Stopped):
            self._write("preempted", str(error))
            if self.process.leads:
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
            write_status(self.folder, state, why, epoch, step)

    def _saved(self) -> tuple[int, int]:
        """Epochs done and steps of the whole run in the last save; 0 before the first."""
        return self.context.checkpointer.saved if self.context is not None else (0, 0)


def _for_the_user(error: BaseException, folder: Path) -> BaseException:
    """`error`, or a UserError in its place where a disk cannot be written."""
    if not isinstance(error, OSError) or error.errno not in DISK:
        return error
    name = error.filename if isinstance(error.filename, str) else str(folder)
    within = Path(name).absolute().is_relative_to(folder.absolute())
    what = f"cannot write to {folder}" if within else f"cannot read or write {name}"
    return UserError(f"{what}: {error.strerror}; the last checkpoint is untouched")
