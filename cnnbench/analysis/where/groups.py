"""Groups of classes: of ILSVRC's by WordNet's kinds, or by a file of the user's."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from cnnbench.data.layouts.ilsvrc import class_names, first_of_groups, only_ilsvrc
from cnnbench.runtime.errors import UserError, nearest
from cnnbench.runtime.files import read_text

NO_GROUPS = "class groups are known of ILSVRC's classes alone: give class_groups=FILE for these"


def class_groups(classes: Sequence[str], file: str | None) -> tuple[list[str], str | None]:
    """The group of each of `classes`; none, and why, where nothing says it. Raises UserError for a file that lacks
    one."""
    if file is not None:
        return _of_file(classes, file), None
    if not only_ilsvrc(classes):
        return [], NO_GROUPS
    number = {name: place for place, name in enumerate(class_names())}
    first = first_of_groups()
    starts = list(first)
    return [first[starts[bisect_right(starts, number[name]) - 1]] for name in classes], None


def _of_file(classes: Sequence[str], file: str) -> list[str]:
    lines = [line.split("\t") for line in (read_text(Path(file).expanduser()) or "").splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if len(line) != 2:
            raise UserError(f"class_groups={file}, line {number + 1}: it needs a class, a tab and its group")
    known = {name.strip(): group.strip() for name, group in lines}
    for name in classes:
        if name not in known:
            raise UserError(f"class_groups={file} has no group for the class {name}{nearest(name, known)}")
    return [known[name] for name in classes]
