"""Words of other harnesses on our command line, answered by what says the same here, with the user's value in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, is_dataclass, replace
from functools import cache
from shlex import quote as shell_quoted

from cnnbench.cli.command import Command, bare_key
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.options import options_of_group
from cnnbench.cli.synonyms import GROUPS, SYNONYMS, Synonym
from cnnbench.cli.units import UNITS, normal
from cnnbench.cli.words import OPTIONS
from cnnbench.config.fields import entries
from cnnbench.runtime.errors import UserError

PAIR = re.compile(r"(?P<plus>[+~]*)(?P<key>[A-Za-z_][\w./-]*)=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """To the word of others, which `unknown` names: what to type `here`, "" for nothing, and `why`."""

    unknown: str
    here: str
    why: str


def answer_habits(command: Command, words: list[str], refusal: Callable[[list[str]], str | None]) -> None:
    """Raise UserError where some of `words` are those of others. `refusal`: what is wrong with the words of a command
    line, all of them overrides; None if it is accepted."""
    found = list(_read(command, words))
    answers = [answer for _, answer in found if answer is not None]
    if not answers:
        return
    sentences = [_sentence(answer) for answer in answers]
    typed = [each for word, answer in found for each in (answer.here.split() if answer else [word])]
    suggested = [*{each.partition("=")[0]: each for each in typed}.values()]  # of two words for one key the last
    sweep = {"-m", "--multirun"} & set(words)
    if any(answer.here for answer in answers) and not sweep and (why := refusal(suggested)):
        known = [answer for answer in answers if answer.here]
        shown = f"{' and '.join(each.unknown for each in known)}: here it is {' '.join(each.here for each in known)}"
        reasons = "".join(f" ({each.why})" for each in known if each.why)
        sentences = [f"{shown}{reasons}, but {why}", *(_sentence(answer) for answer in answers if not answer.here)]
    elif len(answers) > 1 and all(answer.here for answer in answers):
        sentences.append(f"in all: cnnbench {command.name} {' '.join(map(shell_quoted, suggested))}")
    raise UserError("; ".join(sentences))


def _sentence(answer: Answer) -> str:
    if not answer.here:
        return f"{answer.unknown}: {answer.why}"
    return f"{answer.unknown}, did you mean {answer.here}?" + f" ({answer.why})" * bool(answer.why)


def _read(command: Command, words: list[str]) -> Iterator[tuple[str, Answer | None]]:
    """Each override with the answer to it, if it is a word of others; options with the words that are their values."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        if option in OPTIONS:
            del rest[: int(OPTIONS[option] != () and not equals)]
        elif len(word) > 1 and word.startswith("-"):
            if not equals:
                takes = rest and not rest[0].startswith("-") and not PAIR.fullmatch(rest[0])
                value = rest.pop(0) if takes else "true"
            yield word, _option(command, option, value)
        elif match := PAIR.fullmatch(word):
            yield word, answer_to(command, match["key"], match["value"].strip("'\""))
        else:
            yield word, _bare(command, word)


def _option(command: Command, option: str, value: str) -> Answer | None:
    """What --option value is here: it may be one of our own keys."""
    key = normal(option.lstrip("-"))
    answer = answer_to(command, key, value)
    if answer is None and key.startswith("no_") and value == "true":
        answer = answer_to(command, key.removeprefix("no_"), "false")
    if answer is None and key in entries(command.schema):
        answer = Answer("", f"{key}={value}", "")
    return None if answer is None else replace(answer, unknown=f"unknown option '{option}'")


def answer_to(command: Command, key: str, value: str) -> Answer | None:
    """What `key`=`value` is here; None where it is ours, or nobody's."""
    known = entries(command.schema)
    unknown = f"{key}={value} is unknown" if key in known else f"unknown key '{key}'"
    synonym, name = _synonym(normal(key), known)
    if synonym is None:
        return Answer(unknown, f"{name}={value}", "") if name in known and key not in known else None
    here, why = _by_synonym(synonym, name, value, known)
    if not here and not why and name in known and key not in known:
        here = f"{name}={value}"
    if here == f"{key}={value}":  # others say it as we do
        return None
    if all(pair.partition("=")[0] in known for pair in here.split()):
        return Answer(unknown, here, why) if here or why else None
    if command.name == "train" or answer_to(COMMANDS["train"], key, value) is None:
        return None
    return Answer(unknown, "", f"`cnnbench {command.name}` has none, and in `cnnbench train` it is {here}")


def _by_synonym(synonym: Synonym, name: str, value: str, known: Mapping[str, Field]) -> tuple[str, str]:
    """What to type, and why; two empty texts where the value is one of ours."""
    if name in known and (value == "null" or known[name].type == "bool"):
        return "", ""
    if (case := _case(synonym, value)) is not None:
        return case
    ours = name in known and not is_dataclass(known[name].default_factory)
    if value.startswith(("{", "${")):
        return "", ""
    try:
        converted = UNITS[synonym.unit](value, name)
    except ValueError as error:
        return "", str(error)
    if ours or (name in known and not synonym.here):
        changed = converted != value and _is_choice(name, converted, known)
        return f"{name}={converted}" if changed else "", ""
    if not synonym.here:
        return "", synonym.why
    here = synonym.here.replace("{}", converted)
    key, _, value = here.partition("=")
    case = _case(_table()[key], value) if " " not in here and key in _table() else None
    return case if case is not None else (here, synonym.why)


def _is_choice(name: str, value: str, known: Mapping[str, Field]) -> bool:
    """Whether a key with choices has this one, or is a key without."""
    options = options_of_group(name) or known[name].metadata["choices"]
    return not options or value in options


def _case(synonym: Synonym, value: str) -> tuple[str, str] | None:
    """What the table says of this very value: what to type, or a sentence; None where it says nothing."""
    said = synonym.cases.get(value.lower(), synonym.cases.get(normal(value)))
    if said is None:
        return None
    return (said, synonym.why) if re.match(r"[\w.]+=", said) else ("", said)


def _synonym(name: str, known: Mapping[str, Field]) -> tuple[Synonym | None, str]:
    """The row of the table for `name`, itself or without groups of others in front, and the name it was found by."""
    table = _table()
    while True:
        if name in table or name in known:
            return table.get(name), name
        group = next((each for each in GROUPS if name.startswith(f"{each}.")), None)
        if group is None:
            return None, name
        name = name.removeprefix(f"{group}.")


@cache
def _table() -> dict[str, Synonym]:
    return {word: synonym for synonym in SYNONYMS for word in synonym.words.split()}


def _bare(command: Command, word: str) -> Answer | None:
    """A word alone, as a folder or a network, for commands that take none."""
    known = entries(command.schema)
    if bare_key(command) is not None or "=" in word:
        return None
    for key in ("arch", "recipe"):
        if key in known and word in options_of_group(key):
            return Answer(f"cannot read '{word}'", f"{key}={word}", "")
    if "data" in known and ("/" in word or word in ("sample", "synthetic")):
        return Answer(f"cannot read '{word}'", f"data={word}", "")
    return None
