"""Words of the command line as they have to be typed, in the quotes of Hydra and of the shell; counts in words."""

from __future__ import annotations

import re
import shlex

SAFE = re.compile(r"[A-Za-z_./][\w./+:%@-]*", re.ASCII)  # what Hydra takes for text as it stands, but for these:
OTHER = ("null", "true", "false", "inf", "nan")


def quoted(text: str) -> str:
    """`text` in Hydra's quotes, so that it stands for itself whatever characters it has."""
    escaped = re.sub(r"(\\*)($|\")", lambda found: found[1] * 2 + found[2].replace('"', '\\"'), text)
    return f'"{escaped}"'


def typed(key: str, text: object) -> str:
    """`key=text` as one types it into a shell."""
    value = str(text)
    plain = SAFE.fullmatch(value) and value.lower() not in OTHER
    return shlex.quote(f"{key}={value if plain else quoted(value)}")


def counted(number: int, thing: str) -> str:
    """'1 epoch', '1,000 epochs'."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def counted_bytes(number: float) -> str:
    """'512 bytes', '1.5 GB': in the unit that suits the number."""
    power = min(4, max(0, len(str(round(number))) - 1) // 3)
    return f"{number / 1000**power:,.{1 if power else 0}f} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"
