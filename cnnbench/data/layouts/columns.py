"""Which column of a list is which: by what the first line says, else by what the columns hold; never by a guess between
several that could be the class."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from cnnbench.data.layouts.names import plain
from cnnbench.runtime.errors import UserError

Row = list[str]
Known = Callable[[str], bool]

SAMPLED = 500  # rows, at least, of a longer table that show which column is which
SHOWN = 4  # columns that a message names
# Words of a first line that says what the columns are, without case, blanks and signs; the first that occurs counts.
NUMBER_WORDS = ("classid", "labelid", "classindex")
CLASS_WORDS = (
    *("wnid", "wordnetid", "synset", "class", "classname", "label", "labelname", "predictionstring", "category"),
    *("target", *NUMBER_WORDS, "classlabel", "species", "breed", "name"),
)
FILE_WORDS = ("file", "filename", "image", "imagename", "imageid", "path", "filepath", "imagepath", "img", "id", "name")
HEADER_WORDS = frozenset((*CLASS_WORDS, *FILE_WORDS, "x", "index", "number", "classes", "labels", "files", "images"))


def is_header(word: str) -> bool:
    """Whether `word` says what a column holds."""
    return _letters(word) in HEADER_WORDS


def named_columns(header: Row, words: Sequence[str]) -> list[int]:
    """The columns that the `header` calls by one of `words`, in the order of these."""
    said = [_letters(field) for field in header]
    return [said.index(word) for word in words if word in said]


def fields_of(rows: Iterable[Row], place: int) -> list[str]:
    """What column `place` holds, in the rows that have it."""
    return [row[place] for row in rows if len(row) > place]


def sample_of(rows: list[Row]) -> list[Row]:
    """Some of many `rows`, evenly over them."""
    return rows[:: max(1, len(rows) // SAMPLED)]


def numbers_rows(fields: Sequence[str]) -> bool:
    """Whether `fields` count 0, 1, 2 ... or 1, 2, 3 ..., in whatever order."""
    if not all(field.strip().isdecimal() for field in fields):
        return False
    numbers = sorted(map(int, fields))
    return numbers in (list(range(len(numbers))), list(range(1, len(numbers) + 1)))


def number_of(word: str) -> str:
    """`word`, without the fraction of a whole number, as pandas writes those of a column with gaps: 3.0 is 3."""
    return re.sub(r"(?<=\d)\.0+$", "", word) if re.fullmatch(r"\d+\.0+", word) else word


def column_name(place: int, header: Row) -> str:
    """What messages call a column: "column 3 ('label')", counted from 1."""
    said = header[place].strip() if place < len(header) else ""
    return f"column {place + 1}" + (f" ('{said}')" if said else "")


def class_column(rows: list[Row], name_column: int, header: Row, is_class: Known, what: str) -> int:
    """The column of the classes: as the header says, else that with the most known ones, else the only one, but for a
    first one that numbers the rows. UserError, which begins with `what`, if that leaves several, or if two contradict
    each other.
    """
    others = [place for place in range(max(map(len, rows))) if place != name_column]
    if named := [place for place in named_columns(header, CLASS_WORDS) if place in others]:
        _check_numbers(rows, named, header, what)
        return named[0]
    fields = {place: [field.strip() for field in fields_of(sample_of(rows), place)] for place in others}
    known = {place: sum(map(is_class, fields[place])) for place in others}
    most = max(known.values())
    if most:
        fitting = [place for place in others if known[place] == most]
    else:
        index = 0 if others[0] == 0 and numbers_rows(fields_of(rows, 0)) else None  # as pandas and R put in front
        fitting = [place for place in others if any(fields[place]) and place != index]
    if len({tuple(fields[place]) for place in fitting}) > 1:
        raise UserError(_several(fitting, [fields[place] for place in fitting], header, what))
    return fitting[0] if fitting else others[0]


def _several(places: list[int], fields: list[list[str]], header: Row, what: str) -> str:
    """The sentence on columns any of which could be the class."""
    names = [column_name(place, header) for place in places]
    shown = f"{', '.join(names[:SHOWN])}{' ...' if len(names) > SHOWN else ''}"
    if all(sorted(map(_number, row)) == [0] * (len(row) - 1) + [1] for row in zip(*fields, strict=False)):
        return f"{what} has a column of 0 and 1 for each class ({shown}): write it as a list of FILE,CLASS"
    return f"{what} has several columns that could be the class ({shown}): call the right one 'class' in a first line"


def _number(field: str) -> int:
    """0 or 1 as a list may write them; else -1."""
    return {"0": 0, "1": 1, "0.0": 0, "1.0": 1}.get(field, -1)


def _check_numbers(rows: list[Row], named: list[int], header: Row, what: str) -> None:
    """Raise UserError if a column of class numbers beside that of the classes mixes them up."""
    first, numbers = named[0], [place for place in named if _letters(header[place]) in NUMBER_WORDS]
    for place in numbers:
        pairs = {(row[first].strip(), row[place].strip()) for row in rows if len(row) > max(first, place)}
        mixed = [len({pair[side] for pair in pairs}) < len(pairs) for side in (0, 1)]
        if all(mixed):  # several names of one number alone are the finer classes
            both = f"{column_name(first, header)} and {column_name(place, header)}"
            raise UserError(f"{what} contradicts itself: {both} do not say the same classes; remove the wrong one")


def _letters(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", plain(word).casefold())
