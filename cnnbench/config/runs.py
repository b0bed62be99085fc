"""What a run may be called: run= and runs=, of every command."""

from __future__ import annotations

import os
from pathlib import Path

from cnnbench.config.fields import require

LONGEST = 255  # bytes of one name that file systems take
LONGEST_PATH = 4095 - 64  # bytes of a path, less those of the files in a run


def check_runs(config: object) -> None:
    """Raise UserError for a run of `config`, of its keys run and runs, that cannot be called so."""
    if (one := getattr(config, "run", None)) is not None:
        check_run("run", one)
    for name in getattr(config, "runs", []):
        check_run("runs", name)


def check_run(key: str, name: str) -> None:
    """Raise UserError for a `name`, given as `key`, that is no name of a folder."""
    require(name.strip(), f"{key}= is empty: give {key}=NAME")
    shown = name if len(name) <= 80 else f"{name[:60]}..."
    cure = f"give another {key}=NAME"
    require(name.isprintable(), f"{key}={shown} has letters that cannot be shown, or is no UTF-8: {cure}")
    require(os.path.basename(name.rstrip("/")) != "..", f"{key}={shown} is the folder above another: {cure}")
    home = name.partition("/")[0]
    require(not home.startswith("~") or os.path.expanduser(home) != home, f"{key}={shown}: there is no user {home}")
    longest, whole = max(map(_bytes, Path(name).parts), default=0), _bytes(os.path.abspath(name))
    too_long = f"{longest:,} bytes" if longest > LONGEST else f"{whole:,} bytes as a path"
    require(
        longest <= LONGEST and whole <= LONGEST_PATH,
        f"{key}={shown} is too long a name for a file system ({too_long}): {cure}",
    )


def _bytes(name: str) -> int:
    return len(os.fsencode(name))
