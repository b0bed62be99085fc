"""The source of a value is the comment behind it."""

import pytest

from cnnbench.config.sources import sources


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epochs: 90 # section 5\nbatch: 2\n", {"epochs": "section 5"}),
        ("# of the whole file\nepochs: 90\n", {}),
        ("colour: 'a # b' # section 2\n", {"colour": "section 2"}),
        ("values: [1, 2] # section 2\n", {"values": "section 2"}),
        ("a: 1 # section 2\n  # and 3\nb: 2\n", {"a": "section 2 and 3"}),
        ("a: 1 # section 2\n# of what follows\nb: 2\n", {"a": "section 2"}),
        ("g: {a: 1, b: 2} # both\n", {"g": "both", "g.a": "both", "g.b": "both"}),
        ("g: # all\n  a: 1\n  b: 2 # its own\n", {"g": "all", "g.a": "all", "g.b": "its own"}),
        ("g: # the group's\n  {a: 1, b: 2}\n", {"g": "the group's", "g.a": "the group's", "g.b": "the group's"}),
        ("g:\n  {a: 1,\n   b: 2} # closing\n", {"g": "closing", "g.a": "closing", "g.b": "closing"}),
        ("g: # outer\n  h: {a: 1}\n", {"g": "outer", "g.h": "outer", "g.h.a": "outer"}),
        ("[1, 2] # a list\n", {}),
        ("", {}),
    ],
)
def test_a_source_is_the_comment_behind_a_value(text, expected):
    assert sources(text) == expected
