"""The account of a split: what was left out, by reason, and what was guessed; one line of the banner."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cnnbench.data.layouts.scan import ENDING
from cnnbench.runtime.errors import printable
from cnnbench.runtime.shell import counted

SHOWN = 3  # names that stand for the others
KEPT = 1000  # names that an account holds of each reason: all class folders of ILSVRC


@dataclass(frozen=True)
class LeftOut:
    """`count` files, folders or lines that are not used, for one `reason`; the first of their `names`."""

    reason: str
    count: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Account:
    """What was left out of a split; `notes`: what was guessed, a phrase each."""

    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: Account) -> Account:
        return Account(self.left_out + other.left_out, tuple(dict.fromkeys(self.notes + other.notes)))

    def in_words(self, used: int) -> str:
        """'8 images used, left out: endings not taken 2 (.txt), hidden and system files 1 (.DS_Store)'."""
        parts = [f"{one.reason} {one.count:,}{_examples(one)}" for one in self.left_out]
        said = f"left out: {', '.join(parts)}" if parts else "nothing left out"
        return "; ".join([f"{counted(used, 'image')} used, {said}", *self.notes])

    def names(self, reason: str) -> tuple[str, ...]:
        """The names that were left out for `reason`."""
        return tuple(name for one in self.left_out if one.reason == reason for name in one.names)


def account_of(left_out: Iterable[Mapping[str, Iterable[str]]], notes: Iterable[str] = ()) -> Account:
    """One account of several parts: names by reason."""
    together: dict[str, list[str]] = {}
    for part in left_out:
        for reason, names in part.items():
            together.setdefault(reason, []).extend(names)
    kept = [LeftOut(reason, len(names), tuple(sorted(names)[:KEPT])) for reason, names in together.items() if names]
    return Account(tuple(sorted(kept, key=lambda one: one.reason)), tuple(notes))


def _examples(one: LeftOut) -> str:
    if one.reason == ENDING:  # the endings say more than the files
        return examples([ending for ending, _ in Counter(map(_ending, one.names)).most_common()])
    return examples(one.names)


def examples(names: Sequence[str]) -> str:
    """' (a, b, c ...)', the first of `names` on one line, or nothing without any."""
    shown = ", ".join(map(printable, names[:SHOWN])) + " ..." * (len(names) > SHOWN)
    return f" ({shown})" if names else ""


def _ending(name: str) -> str:
    return os.path.splitext(name)[1] or "none"
