"""What the command tells a user to type means what it says, through the shell and Hydra."""

from __future__ import annotations

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from cnnbench.runtime.shell import typed

NAMES = [
    *("demo", "runs/x-1", "/a/b.c", "./x", "lr=0.1", "it's", 'say "so"', "a b", "<x>", "1e3", "12", "null", "True"),
    *("nan", "~/x", "a\\", "a\\\\", 'a\\"b', "$HOME", "a,b", "[a]", "{a:1}", "é", "", "-x", "`ls`", "a;b", "#1", "!"),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_word_that_is_typed_gives_the_value_again(name):
    (word,) = shlex.split(typed("run", name))
    value = OverridesParser.create().parse_override(word).value()
    assert (getattr(value, "text", value), type(value) in (int, float, bool)) == (name, False)


def test_ordinary_names_stay_as_they_are():
    assert typed("run", "runs/resnet50-20261127") == "run=runs/resnet50-20261127"
