"""Lists as programs write them: text in any usual encoding, CSV in any usual form, JSON; columns by what they hold.

Excel begins UTF-8 with a byte-order mark, and writes UTF-16 or semicolons in some countries; R quotes every field and
numbers the rows; pandas puts an index in front. Which separator a file has, and which column is which, is decided by
what is looked for in it: the parse with the most names that are known wins.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cnnbench.data.layouts.columns import (
    CLASS_WORDS,
    FILE_WORDS,
    Known,
    Row,
    class_column,
    column_name,
    fields_of,
    is_header,
    named_columns,
    numbers_rows,
    sample_of,
)
from cnnbench.runtime.errors import UserError, reason
from cnnbench.runtime.foreign import parse_json

Score = tuple[int, int]  # known names, and minus the number of rows: of two parses, the one with fewer others

SEPARATORS = "\t;,|"
LONGEST = 60  # characters of a line that a message quotes
NAME_IN_BRACKETS = re.compile(r"\s*\[[^][{}\"]*\][ \t]*[^\s\],]")  # '[Group] 1.jpg' is a name, and no JSON
QUOTED = re.compile(r'"((?:[^"]|"")*)"')
BYTE_ORDER_MARKS = (  # UTF-32's little-endian mark begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)


NO_TEXT = {
    b"PK\x03\x04": "a workbook of Excel or a zip",
    b"\xd0\xcf\x11\xe0": "a workbook of Excel",
    b"\x1f\x8b": "gzipped",
}


@dataclass(frozen=True)
class Table:
    """A list, called `what` in messages. `parses`: its rows by each separator that it may have, without empty ones;
    `lines`: its lines as they stand, [] for JSON. `notes`: what was guessed about it. `answers`: a JSON list of numbers
    or of lists of them."""

    what: str
    parses: tuple[list[Row], ...]
    lines: list[str]
    notes: tuple[str, ...] = ()
    answers: list[Any] | None = None

    def first(self) -> str:
        """The first line, or what there is of one, cut to a length that a message bears."""
        line = self.lines[0] if self.lines else " ".join(next((row for rows in self.parses for row in rows), []))
        return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def read_table(path: Path, what: str) -> Table:
    """The list in the file `path`, called `what` in messages. UserError if it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{what} cannot be read: {reason(error)}") from error
    return parse_table(content, what)


def parse_table(content: bytes, what: str) -> Table:
    """The list in `content`. UserError, which begins with `what`, for bytes that are no text."""
    text, notes = decode(content, what)
    if text.lstrip()[:1] in ("[", "{") and not NAME_IN_BRACKETS.match(text):
        values = _json(text, what)
        return Table(what, _json_parses(values), [], notes, values if _are_answers(values) else None)
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]
    rows = [parsed for separator in SEPARATORS if (parsed := _rows(text, separator))]
    rows.sort(key=lambda parsed: len({len(row) for row in parsed}))  # the most regular one first
    return Table(what, (*rows, [[_unquoted(line.strip())] for line in lines]), lines, notes)


def decode(content: bytes, what: str) -> tuple[str, tuple[str, ...]]:
    """The text of a list, and what was guessed about it. UserError, which begins with `what`, if it is no text."""
    if found := next((form for mark, form in NO_TEXT.items() if content.startswith(mark)), None):
        raise UserError(f"{what} cannot be read: it is {found}, not text: save it as CSV")
    marked = encoding = next((name for mark, name in BYTE_ORDER_MARKS if content.startswith(mark)), None)
    if encoding is None and b"\0" in content:
        encoding = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    try:
        text = content.decode(encoding or "utf-8")
        if "\0" in text:
            raise UserError(f"{what} cannot be read: it is not a text file")
        return text, ()
    except UnicodeDecodeError as error:
        if encoding is not None:
            why = f"it is not whole {marked}" if marked else "it is not a text file"
            raise UserError(f"{what} cannot be read: {why}") from error
    # Bytes that are no UTF-8 stay what the names of files have them as: they compare as Latin-1, see names.plain.
    return content.decode("utf-8", "surrogateescape"), (f"{what} is not UTF-8: read as Latin-1",)


class Pairs(NamedTuple):
    """(name of an image, its class) of each row of a list, and what there is to say of its columns."""

    rows: list[tuple[str, str]]
    notes: tuple[str, ...] = ()


def pairs(table: Table, is_name: Known, is_class: Known) -> Pairs:
    """The names and classes of the parse and the columns that have the most known names; rows without a class, and a
    first line that only says what the columns are, are left out. Nothing if no row of two fields has a known name.

    UserError if several columns could be the class, or contradict each other.
    """
    best: tuple[Score, Row, list[Row], int] = ((-1, 0), [], [], 0)
    for rows in table.parses:
        if max(map(len, rows), default=0) < 2:
            rows = [_two_words(row[0], is_name, is_class) for row in rows]
        header, rows = _header(rows, is_name)
        counts = _counts(rows, is_name)
        if len(counts) < 2:
            continue
        names = _best_column(counts, header, FILE_WORDS)
        score = counts[names], -len(rows)
        if score > best[0]:
            best = score, header, rows, names
        if counts[names] == len(sample_of(rows)):  # no parse has more
            break
    _, header, rows, names = best
    own = [row for row in rows if len(row) > names and is_name(_as(row[names], is_name))]
    if not own:
        return Pairs([])
    classes = class_column(own, names, header, is_class, table.what)
    found = [(row[names], row[classes]) for row in rows if len(row) > max(names, classes)]
    several = max(map(len, rows)) > 2
    notes = (f"classes by {column_name(classes, header)} of {os.path.basename(table.what)}",) if several else ()
    return Pairs([(_as(name, is_name), label.strip()) for name, label in found], notes)


def column(table: Table, is_known: Known) -> list[str]:
    """The names in a list of names: its lines, or the column of it with the most known names; a column that numbers
    the rows otherwise, from 0 or 1, gives the order."""
    hits = sum(is_known(_as(line, is_known)) for line in table.lines)
    best: tuple[Score, list[str]] = ((hits if table.lines else -1, 0), _without_header(table.lines, is_known))
    for rows in table.parses:
        header, rows = _header(rows, is_known)
        counts = _counts(rows, is_known)
        score = max(counts, default=0), -len(rows)
        if counts and score > best[0]:
            chosen = _best_column(counts, header, (*CLASS_WORDS, "x"))  # R calls a column of its own x
            rows = [row for row in _in_order(rows, chosen) if len(row) > chosen]
            best = score, [row[chosen] for row in rows]
    return [_as(name, is_known) for name in best[1]]


def _as(name: str, is_known: Known) -> str:
    """`name` as it is known: blanks around it belong to it only then."""
    return name if is_known(name) else name.strip()


def _unquoted(line: str) -> str:
    return match[1].replace('""', '"') if (match := QUOTED.fullmatch(line)) else line


def _rows(text: str, separator: str) -> list[Row]:
    """The rows of a CSV; [] unless each has two fields or more, but for R's header, which does not name the numbers."""
    blank = re.search(re.escape(separator) + ' +"', text) is not None
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=blank)
        rows = [row for row in reader if any(field.strip() for field in row)]
    except csv.Error:
        return []
    whole = rows[1:] if len(rows) > 1 and is_header(rows[0][0]) else rows
    return rows if whole and min(map(len, whole)) > 1 else []


def _two_words(line: str, is_name: Known, is_class: Known) -> Row:
    """A line 'name class', where the name or the class may have blanks: the longest name that is known, else by the
    class, else by the first blank. Quotes, as R writes them, hold a field together."""
    if '"' in line:
        row = next(csv.reader([line], delimiter=" ", skipinitialspace=True))
        if len(row) > 1:
            return row
    places = [match.span() for match in re.finditer(r"\s+", line)]
    splits = [[line[:start], line[end:]] for start, end in reversed(places)]
    for test in (lambda row: is_name(row[0]), lambda row: is_class(row[1])):
        for row in splits:
            if test(row):
                first = row[1].split()[0]
                return [row[0], first] if first.isdecimal() or (is_class(first) and not is_class(row[1])) else row
    return splits[-1] if splits else [line]


def _header(rows: list[Row], is_known: Known) -> tuple[Row, list[Row]]:
    """The first row, if it only says what the columns are, and the others. R leaves out the name of the numbers."""
    if not rows or any(map(is_known, rows[0])) or not any(is_header(field) for field in rows[0]):
        return [], rows
    width = max(map(len, rows))
    return [""] * (len(rows[0]) == width - 1) + rows[0], rows[1:]


def _without_header(lines: list[str], is_known: Known) -> list[str]:
    return lines[1:] if lines and not is_known(lines[0]) and is_header(lines[0]) else lines


def _counts(rows: list[Row], is_known: Known) -> list[int]:
    """How many known names each column has: in a sample of a long table, if that has any, else in all of it."""
    width, counts = max(map(len, rows), default=0), [0]
    for some in (sample_of(rows), rows):
        if not any(counts):
            columns = [fields_of(some, place) for place in range(width)]
            counts = [sum(is_known(_as(field, is_known)) for field in fields) for fields in columns]
    return counts


def _best_column(counts: Sequence[int], header: Row, words: Sequence[str]) -> int:
    """The column that the header names, if it has known names; else the one with the most, the first of them."""
    named = named_columns(header, words)
    places = [place for place in named if place < len(counts) and 2 * counts[place] > max(counts)]
    return places[0] if places else max(range(len(counts)), key=counts.__getitem__)


def _in_order(rows: list[Row], chosen: int) -> list[Row]:
    """`rows` in the order of a column that numbers them, if there is one beside the `chosen` one."""
    for place in range(max(map(len, rows))):
        if place != chosen and all(len(row) > place for row in rows) and numbers_rows([row[place] for row in rows]):
            return sorted(rows, key=lambda row: int(row[place]))
    return rows


def _json(text: str, what: str) -> Any:
    """What JSON, or a file of lines of JSON, holds."""
    try:
        return parse_json(text)
    except ValueError as error:
        try:
            return [parse_json(line) for line in text.splitlines() if line.strip()]
        except ValueError:
            raise UserError(f"{what} is not JSON: {error}") from error


def _are_answers(content: Any) -> bool:
    """Whether `content` is as ImageNet-ReaL's file: no names, only numbers."""
    items = [one for item in content for one in (item if isinstance(item, list) else [item])]
    return isinstance(content, list) and not any(isinstance(item, str | dict) for item in items)


def _json_parses(content: Any) -> tuple[list[Row], ...]:
    """The rows of a list of names, of lists or of dicts, or of a dict by name or by class."""
    if isinstance(content, dict):
        return _by_key(content)
    if all(isinstance(item, dict) for item in content):
        header = list(dict.fromkeys(key for item in content for key in item))
        return ([header, *([_word(item.get(key, "")) for key in header] for item in content)],)
    return ([[_word(field) for field in (item if isinstance(item, list) else [item])] for item in content],)


def _by_key(content: dict[str, Any]) -> tuple[list[Row], ...]:
    """Rows of {name: class}, {class: [names]}, {number: [WordNet id, name]} and, as of pandas, {column: {...}}."""
    values = list(content.values())
    if values and all(isinstance(value, dict) for value in values):
        return (_with_header(content, [list(value.values()) for value in values]),)
    if not any(isinstance(value, list) for value in values):
        return ([[key, _word(value)] for key, value in content.items()],)
    lists = [(key, value if isinstance(value, list) else [value]) for key, value in content.items()]
    by_class = [[_word(one), key] for key, value in lists for one in value]
    by_number = [[key, *map(_word, value)] for key, value in lists]
    return by_class, by_number, _with_header(content, [value for _, value in lists])


def _with_header(header: Iterable[str], columns: Iterable[list[Any]]) -> list[Row]:
    return [list(header), *(list(map(_word, row)) for row in zip(*columns, strict=False))]


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
