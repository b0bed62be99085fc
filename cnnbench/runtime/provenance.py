"""Where a result comes from: the time, the versions and the commit of the code."""

from __future__ import annotations

import platform
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cnnbench import __version__

PACKAGES = ("torch", "torchvision", "hydra-core", "numpy", "pillow")


def now() -> str:
    """The local time with its offset, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def provenance() -> dict[str, Any]:
    """Time, host, platform, versions and git commit, as plain values."""
    return {
        "time": now(),
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {"cnnbench": __version__, **{name: version(name) for name in PACKAGES}},
        "git": git_state(),
    }


def git_state() -> dict[str, Any] | None:
    """Commit and cleanliness of the checkout that cnnbench runs from, or None if it does not run from one."""
    here = Path(__file__)

    def git(*words: str) -> str:
        command = ["git", *words]
        return subprocess.run(command, cwd=here.parent, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)
        return {"commit": git("rev-parse", "HEAD"), "modified": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None
