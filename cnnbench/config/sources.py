"""Where the values of a file in conf/ are from: the comment at the end of a value's line."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml
from yaml.nodes import MappingNode


def sources(text: str) -> dict[str, str]:
    """The source of each key in the YAML file `text`, by its dotted name, for those that have one.

    It is the comment behind the value, on its line, and on lines after it that hold only an indented comment. A
    group's, behind its name or its closing brace, is that of every key in it that has none of its own.
    """
    root = yaml.compose(text, yaml.SafeLoader)
    return dict(_sources(root, "", "", _comments(text))) if isinstance(root, MappingNode) else {}


def _sources(group: MappingNode, prefix: str, inherited: str, comments: dict[int, str]) -> Iterator[tuple[str, str]]:
    for key, value in group.value:
        name = f"{prefix}{key.value}"
        own = comments.get(key.start_mark.line, "")
        if isinstance(value, MappingNode):
            closing = comments.get(value.end_mark.line, "") if value.flow_style else ""
            said = own or closing or inherited
            if said:
                yield name, said
            yield from _sources(value, f"{name}.", said, comments)
        elif said := comments.get(value.end_mark.line, "") or own or inherited:
            yield name, said


def _comments(text: str) -> dict[int, str]:
    """The comment that ends each line, by the number of the line, with the lines that continue it."""
    ends: dict[int, int] = {}  # line -> column after the last token on it
    for token in yaml.scan(text, yaml.SafeLoader):
        if token.end_mark.index > token.start_mark.index:
            ends[token.end_mark.line] = token.end_mark.column
    found: dict[int, str] = {}
    last: int | None = None  # the line whose comment a line of comment alone continues
    for number, line in enumerate(text.splitlines()):
        if number in ends:
            comment = re.match(r"\s+#\s*(.*)", line[ends[number] :])
            last = number if comment else None
            if comment:
                found[number] = comment[1].rstrip()
        elif last is not None and (more := re.match(r"\s+#\s*(.*)", line)):
            found[last] += f" {more[1].rstrip()}"
        else:
            last = None
    return found
