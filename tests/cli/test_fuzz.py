"""Whatever stands on the command line is answered: by a run, or by one sentence that says what to change."""

from __future__ import annotations

import random
import re
import string
from dataclasses import is_dataclass

import pytest

from cnnbench.cli.command import Command
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.run import run
from cnnbench.config.fields import entries
from cnnbench.runtime.errors import UserError

pytestmark = pytest.mark.slow

VALUES = [
    *("", "null", "true", "-1", "0", "1e9", "1e999", "nan", "inf", "abc", "[1,2]", "[]", "{a:1}", "'quoted'", '"', "'"),
    *("${arch.name}", "${oc.env:HOME}", "${no.such}", "${", "???", "\\", "a=b", "1,2,3", "range(1,3)", "choice(1,2)"),
    *(
        "../../etc/passwd",
        "/dev/null",
        "\x00",
        "é",
        "🙂",
        " ",
        "a b",
        "!!python/object:os.system",
        "*x",
        "&x",
        "#",
        "@",
    ),
    *("resnet50", "sample", "1_000", "0x10", "~", "+", "[[[", "glob(*)", "sweep", "cpu", "=", "==", "null,null"),
]
OTHERS = ["hydra.run.dir", "hydra.launcher", "hydra/launcher", "schema/train", "@arch", "a.b.c"]
PREFIXES = ["", "", "", "+", "++", "~"]


def overrides(draw: random.Random, keys: list[str]) -> list[str]:
    words = []
    for _ in range(draw.randrange(1, 4)):
        key = draw.choice([*keys, *OTHERS])
        if draw.random() < 0.2:  # misspelt
            place = draw.randrange(len(key))
            key = key[:place] + draw.choice(string.printable) + key[place + draw.randrange(2) :]
        words.append(f"{draw.choice(PREFIXES)}{key}{draw.choice(['=', '=', '=', ''])}{draw.choice(VALUES)}")
    return words


def refusal(command: Command, words: list[str]) -> str | None:
    """What is said of `words`, or None if they are run."""
    try:
        run(command, words)
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", ["train", "eval", "bench", "data pack", "export"])
def test_random_overrides_are_composed_or_refused_in_one_line(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    command, draw = COMMANDS[name], random.Random(name)
    ran: list[object] = []
    monkeypatch.setattr(Command, "run", lambda _, config: ran.append(config))
    keys = list(entries(command.schema))
    answered = 0
    for _ in range(30):
        words = overrides(draw, keys)
        if (sentence := refusal(command, words)) is not None:
            assert "\n" not in sentence, words
            assert 5 < len(sentence) < 700, words
            answered += 1
    assert answered > 10
    assert not [path for path in tmp_path.rglob("*") if path.is_file()], "nothing is written"


def test_a_reference_in_the_place_of_a_group_is_refused():
    with pytest.raises(UserError, match=r"augment\.erase=lenet is not possible: it is a group of keys, such as"):
        run(COMMANDS["train"], ["arch=lenet", "augment.erase=${arch.name}"])


@pytest.mark.parametrize("words", ["epochs=2 seed=0,1 -m", "epochs=2 --multirun seed=0,1"])
def test_an_option_stands_anywhere(words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    ran: list[tuple[int, int]] = []
    monkeypatch.setattr(Command, "run", lambda _, config: ran.append((config.epochs, config.seed)))
    run(COMMANDS["train"], words.split())
    assert ran == [(2, 0), (2, 1)]


def test_errors_of_a_sweep_are_told_apart_from_errors_of_its_jobs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def fails(command: Command, config: object) -> None:
        raise TypeError("a mistake of ours")

    monkeypatch.setattr(Command, "run", fails)
    command = COMMANDS["train"]
    with pytest.raises(UserError, match="Hydra cannot compose"):
        run(command, ["-m", "++hydra.launcher=inf"])
    with pytest.raises(TypeError, match="a mistake of ours"):
        run(command, ["-m", "epochs=2"])


FOREIGN = re.compile(
    r"subclass|[A-Z]\w+Config\b|converted|OmegaConf|Hydra|NoneType|iterable|merge|primitive|Traceback|<class"
)


@pytest.mark.parametrize("value", ["true", "[1,2]", "{a:1}"])
def test_a_value_of_another_type_is_answered_in_our_own_words(value, monkeypatch):
    """Each kind of key once: a group of keys, a group of files, and every type that a key has."""
    monkeypatch.setattr(Command, "run", lambda *_: None)
    known = entries(COMMANDS["train"].schema)
    one_of_each = {str(item.type) + name.partition(".")[0] * is_dataclass(item.default_factory): name
                   for name, item in known.items()}  # fmt: skip
    for key in {*one_of_each.values(), "ladder", "debug", "recipe", "augment.flip"}:
        said = refusal(COMMANDS["train"], [f"{key}={value}"])
        assert not FOREIGN.search(said or ""), f"{key}={value}: {said}"
