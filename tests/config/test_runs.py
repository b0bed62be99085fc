"""What a run may be called."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from composing import composed

from cnnbench.config.runs import check_run, check_runs
from cnnbench.runtime.errors import UserError


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "run= is empty: give run=NAME"),
        ("  ", "run= is empty"),
        ("..", "is the folder above another"),
        ("a/../", "is the folder above another"),
        ("a\tb", "has letters that cannot be shown"),
        ("a\x00", "has letters that cannot be shown"),
        ("\x1b[31m", "has letters that cannot be shown"),
        (os.fsdecode(b"\xff"), "is no UTF-8"),
        ("x" * 256, r"is too long a name for a file system \(256 bytes\)"),
        ("\u00fc" * 128, r"\(256 bytes\)"),
        ("/".join(["y" * 200] * 22), r"is too long a name for a file system \(4,\d+ bytes as a path\)"),
        ("~nobody-of-this-name/x", "there is no user ~nobody-of-this-name"),
    ],
)
def test_a_name_that_is_none_is_one_sentence(name, said):
    for config in (SimpleNamespace(run=name), SimpleNamespace(run=None, runs=["good", name])):
        with pytest.raises(UserError, match=said.replace("run=", "runs?=")) as refusal:
            check_runs(config)
        assert str(refusal.value).isprintable()
        assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(
    "name", ["a", "a b", "../x", "./x", ".", "~/x", "/x/y/", "gr\u00fcn", "x" * 255, "a..b", "..."]
)
def test_any_other_name_is_one(name):
    check_run("run", name)


def test_a_seed_has_64_bits():
    assert composed("arch=lenet", "recipe=quick", f"seed={2**64 - 1}").seed == 2**64 - 1
    for seed in (-1, 2**64, 10**40):
        with pytest.raises(UserError, match=r"out of range: it must be at least 0 and at most 18446744073709551615"):
            composed("arch=lenet", "recipe=quick", f"seed={seed}")
