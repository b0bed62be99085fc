"""`cnnbench` in a process that lacks what another system lacks: python other_systems.py windows|macos WORDS...

All that the commands import of others is imported first, as on Linux; then what the system lacks is taken away, and
this package is imported anew, each of its modules. So it is shown that nothing asks for what is not there, not that
what is there works: the file system, the processes and the numbers are Linux's.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pkgutil
import signal
import sys
from collections.abc import Iterator

LACKING = {
    "windows": {
        "os": "fork forkpty register_at_fork memfd_create sched_getaffinity getuid geteuid getgid getegid pread preadv "
        "pwrite posix_fadvise sync statvfs killpg getpgid setsid fchmod fchown chown O_NONBLOCK O_CLOEXEC O_DIRECTORY "
        "O_NOFOLLOW mkfifo uname sysconf getloadavg nice sendfile pipe2 wait waitid WNOHANG",
        "signal": "SIGUSR1 SIGUSR2 SIGKILL SIGBUS SIGPROF SIGTRAP SIGHUP SIGALRM SIGSTOP SIGCONT SIGPIPE SIGCHLD "
        "setitimer ITIMER_PROF alarm pthread_kill pthread_sigmask sigwait",
        "modules": "fcntl resource pwd grp termios tty pty",
    },
    "macos": {
        "os": "memfd_create sched_getaffinity posix_fadvise",
        "signal": "",
        "modules": "",
    },
}
PLATFORM = {"windows": "win32", "macos": "darwin"}


def modules() -> Iterator[str]:
    """The names of all modules of the package that are Python."""
    import cnnbench

    names = (found.name for found in pkgutil.walk_packages(cnnbench.__path__, "cnnbench."))
    return (name for name in names if not name.endswith(("__main__", "._library")))


def hide(system: str) -> None:
    """Take away what `system` lacks, once all others are imported."""
    for name in list(modules()):
        importlib.import_module(name)
    import torch._dynamo  # noqa: F401 - which the first optimiser imports

    for name in [name for name in sys.modules if name.partition(".")[0] == "cnnbench"]:
        del sys.modules[name]
    lacking = LACKING[system]
    for module, names in ((os, lacking["os"]), (signal, lacking["signal"])):
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    for name in lacking["modules"].split():
        sys.modules[name] = None  # type: ignore[assignment]
    if system == "windows":
        multiprocessing.get_context = _without_fork  # type: ignore[assignment]
    sys.platform = PLATFORM[system]


def _without_fork(method: str | None = None) -> object:
    if method == "fork":
        raise ValueError("cannot find context for 'fork'")
    return multiprocessing.context._default_context.get_context(method)


if __name__ == "__main__":
    hide(sys.argv[1])
    for name in list(modules()):
        importlib.import_module(name)
    from cnnbench.cli.main import main

    commands = " ".join(sys.argv[2:]).split(" then ")
    for words in commands:
        try:
            main(words.split())
        except SystemExit as left:
            if left.code:
                raise
