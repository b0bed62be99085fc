"""`cnnbench` in a forked process with limits, so that a file that makes it run wild ends it alone."""

from __future__ import annotations

import io
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

Words = tuple[str, ...]
MEMORY, SECONDS = 4 << 30, 120  # of one command: beyond what the process has, and of the clock


def run_here(folder: Path, *words: str) -> None:
    """`cnnbench WORDS` in `folder`, which has to be done."""
    said, status = run(words, folder)
    if status:
        raise RuntimeError(said)


def run(words: Words, place: Path) -> tuple[str, int]:
    """What `cnnbench WORDS` prints in `place`, as a forked process with limits, and how it ended: as os.wait says."""
    with open(place / "output.txt", "w+b") as output:
        if not (process := os.fork()):
            _child(words, place, output.fileno())
        end = time.monotonic() + SECONDS
        while (ended := os.waitpid(process, os.WNOHANG))[0] == 0:
            if time.monotonic() > end:
                os.kill(process, signal.SIGKILL)
            time.sleep(0.005)
        output.seek(0)
        return output.read().decode(errors="replace"), ended[1]


def _child(words: Words, place: Path, output: int) -> None:
    status = 70
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(os.fdopen(number, "wb"), errors="backslashreplace") for number in (1, 2)
        )
        os.chdir(place)
        os.environ["CNNBENCH_CACHE"] = str(place / "cache")
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        from cnnbench.cli.main import main

        main(list(words))
        status = 0
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
