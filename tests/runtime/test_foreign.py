"""What others wrote: whatever it makes a reader raise is one sentence, and a spreadsheet has nothing to run."""

from __future__ import annotations

import pytest

from cnnbench.runtime.cells import csv_cell
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.foreign import foreign, parse_json


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no number"), "x cannot be read, it is damaged or of another kind: no number"),
        (KeyError("label"), r"of another kind: KeyError in test_foreign.py, line \d+: 'label'"),
        (RecursionError("too deep"), r"RecursionError in test_foreign.py, line \d+: too deep"),
        (MemoryError(), "x cannot be read: there is not enough memory for what it says it holds"),
        (RuntimeError("can't start new thread"), "x cannot be read: this process may start no further thread"),
        (UserError("as it is"), "^as it is$"),
    ],
)
def test_any_exception_is_a_sentence(error, said):
    with pytest.raises(UserError, match=said), foreign("x"):
        raise error


def test_what_is_to_pass_passes_and_so_does_the_end_of_the_process():
    for error, passing in ((OSError("full"), (OSError,)), (KeyboardInterrupt(), ()), (SystemExit(3), ())):
        with pytest.raises(type(error)), foreign("x", passing=passing):
            raise error


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 10_000, "{", "\ud800", b"\xff"])
def test_json_that_is_none_or_too_much_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever words
        parse_json(text)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        *(("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("+cmd", "'+cmd"), ("-2+3", "'-2+3"), ("\tx", r"'\tx")),
        *(("\rx", r"'\rx"), ("-0.5", "-0.5"), ("+1e-3", "+1e-3"), (-3, -3), (0.25, 0.25), (None, None), ("", "")),
        *(("n01440764", "n01440764"), ("a=b", "a=b"), ("\x1b[31m", r"\x1b[31m"), ("\u202egnp", r"\u202egnp")),
        *(("a\nb", r"a\nb"), ("-", "'-"), ("-1 ", "'-1 ")),
    ],
)
def test_cells_that_a_spreadsheet_would_run_are_texts(value, written):
    assert csv_cell(value) == written
