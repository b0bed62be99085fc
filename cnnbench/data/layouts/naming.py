"""Which image a list means by a name: the path as far as the list says it, the whole name of the file, and the name
without its ending only where the list has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from cnnbench.data.layouts.names import plain, suffixes, tidy
from cnnbench.data.layouts.scan import is_image
from cnnbench.runtime.errors import UserError


class Listed:
    """Names with a value each, as a list has them. UserError, which begins with `what`, if two lines disagree."""

    def __init__(self, pairs: Iterable[tuple[str, str]], what: str) -> None:
        self.what = what
        self.values: dict[str, str] = {}
        self.repeated = 0  # lines that say what another one said
        self.used: set[str] = set()  # names for which an image was found
        self.by_suffix: dict[str, list[str]] = {}
        for name, value in pairs:
            if name in self.values:
                self.repeated += 1
                self._agree(name, self.values[name], name, value)
                continue
            self.values[name] = value
            for suffix in _forms(name):
                self.by_suffix.setdefault(suffix, []).append(name)

    def find_all(self, paths: Sequence[str]) -> list[str | None]:
        """The name that the list has for each image at `paths` (with this system's slashes), None without one.

        If no image is found, the list may be of another place, and folders do not count for a file whose name no other
        image has. UserError if names that mean one image have other values.
        """
        bases = Counter(path.rpartition("/")[2] for path in paths)
        alone = [bases[path.rpartition("/")[2]] == 1 for path in paths]
        found = [self._find(path, one, False) for path, one in zip(paths, alone, strict=True)]
        if any(name is not None for name in found):
            return found
        return [self._find(path, one, one) for path, one in zip(paths, alone, strict=True)]

    def _find(self, path: str, alone: bool, loose: bool) -> str | None:
        """`alone`: all names that mean the file have to agree; `loose`: whatever their folders."""
        stem = str(PurePosixPath(path).with_suffix(""))
        for form in (path, stem):
            found = [name for name in self._meant(plain(form), alone, loose) if form == path or not is_image(name)]
            exact = [name for name in found if name.endswith(form.rpartition("/")[2])]
            if found := exact or found:  # two files may differ in the normal form of their names alone
                return self._one(found)
        return None

    def _meant(self, path: str, alone: bool, loose: bool) -> list[str]:
        """The names that agree with `path` on the most folders, and for one that is alone those that say fewer.

        A name may say more folders than `path`, whose first one, that of the split, may be another there.
        """
        found: list[str] = []
        whole = {path, path.partition("/")[2]}
        for suffix in suffixes(path):
            names = self.by_suffix.get(suffix, [])
            complete = [name for name in names if suffix in (plain(name).lstrip("/"), plain(tidy(name)))]
            if not found:
                found = [*names] if loose or ("/" in suffix and suffix in whole) else complete
            elif alone:
                found += complete
        return found

    def _one(self, names: list[str]) -> str:
        for name in names[1:]:
            self._agree(names[0], self.values[names[0]], name, self.values[name])
        self.used.update(names)
        return names[0]

    def _agree(self, one: str, value: str, other: str, another: str) -> None:
        if value.strip() != another.strip():
            both = f"'{one}' twice" if one == other else f"'{one}' and '{other}'"
            raise UserError(f"{self.what} contradicts itself: it has {both}, with the class '{value}' and '{another}'")


def may_name(images: Iterable[str]) -> Callable[[str], bool]:
    """Whether a word may mean one of the files `images`, by its last part alone."""
    known = set()
    for image in images:
        base = plain(image.rpartition("/")[2])
        known |= {base, str(PurePosixPath(base).with_suffix(""))}

    def is_name(word: str) -> bool:
        return plain(tidy(word)).rpartition("/")[2] in known or plain(word) in known

    return is_name


def _forms(name: str) -> dict[str, None]:
    """All ends of the path `name`, whole parts of it: as it is written, and with this system's slashes."""
    return dict.fromkeys((*suffixes(plain(name)), *suffixes(plain(tidy(name)))))
