"""What a terminal shows: lines in its width, colour where it is wanted, and what is waited for."""

from __future__ import annotations

import io
import sys

import pytest

from cnnbench.runtime.terminal import BOLD, coloured, columns, row, waiting, wrapped

WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def test_a_row_is_brought_into_the_width_between_words(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    lines = row("name", WORDS, 10, terminal).split("\n")
    assert max(map(len, lines)) <= 40
    assert " ".join(line[10:] for line in lines) == WORDS
    assert lines[0].startswith("  name    one two")
    assert row("name", WORDS, 10, io.StringIO()) == f"  name    {WORDS}", "elsewhere a line stays whole"


def test_a_sentence_is_brought_into_the_width(terminal):
    lines = wrapped(WORDS, terminal).split("\n")
    assert max(map(len, lines)) <= 40
    assert [line.strip() for line in lines] == [line.lstrip() for line in lines]
    assert " ".join(line.strip() for line in lines) == WORDS
    assert wrapped(WORDS, io.StringIO()) == WORDS


def test_a_table_is_as_wide_as_the_terminal_and_no_wider_than_it_needs(terminal, monkeypatch):
    assert (columns(120, terminal), columns(30, terminal), columns(120, io.StringIO())) == (40, 30, 120)
    monkeypatch.setenv("COLUMNS", "10")
    assert columns(120, terminal) == 40


def test_colour_is_for_terminals_whose_user_wants_it(terminal, monkeypatch):
    assert coloured("a", BOLD, terminal) == "\033[1ma\033[0m"
    assert coloured("a", BOLD, io.StringIO()) == "a"
    monkeypatch.setenv("TERM", "dumb")
    assert coloured("a", BOLD, terminal) == "a"
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured("a", BOLD, terminal) == "a"


def test_what_is_waited_for_goes_before_the_first_thing_printed(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", out := io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    with waiting("cnnbench eval: starting"):
        assert terminal.getvalue() == "cnnbench eval: starting ..."
        print("top-1")
    assert terminal.getvalue() == "cnnbench eval: starting ...\r\033[K"
    assert out.getvalue() == "top-1\n"
    assert sys.stdout is out


def test_nothing_is_said_where_there_is_no_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", err := io.StringIO())
    with waiting("cnnbench eval: starting"):
        pass
    assert err.getvalue() == ""
