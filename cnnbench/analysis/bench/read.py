"""What `cnnbench bench output=FILE` wrote, read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnnbench.runtime.errors import UserError, reason
from cnnbench.runtime.foreign import parse_json


def read_bench(name: str | None) -> dict[str, list[dict[str, Any]]]:
    """`tables` as they were printed, and a line of figures for each of `rows`; both empty for None. UserError for a
    file that is something else."""
    if name is None:
        return {"tables": [], "rows": []}
    try:
        content = parse_json(Path(name).expanduser().read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"bench={name} cannot be read: {reason(error)}") from error
    if not isinstance(content, dict) or not {"tables", "rows"} <= set(content):
        raise UserError(f"bench={name} is not a file that `cnnbench bench output=FILE` wrote")
    return content
