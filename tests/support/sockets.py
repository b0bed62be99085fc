"""Which addresses a process and all that it has started listen at, as the system tells."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

LISTENS = "0A"
FAMILIES = {"tcp": socket.AF_INET, "tcp6": socket.AF_INET6}


def listening(pid: int) -> dict[str, list[str]]:
    """Process and its descendants, by number and name -> IP addresses at which each listens."""
    return {f"{each} {_name(each)}": _addresses(each) for each in family(pid)}


def family(pid: int) -> list[int]:
    """`pid` and all processes below it."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in os.listdir(f"/proc/{parent}/task"):
                found += map(int, Path(f"/proc/{parent}/task/{task}/children").read_text().split())
    return found


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _addresses(pid: int) -> list[str]:
    held = set()
    with suppress(OSError):
        for handle in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                held.add(os.readlink(f"/proc/{pid}/fd/{handle}"))
    found = []
    for table, family in FAMILIES.items():
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                _, local, _, state, *_, inode = line.split()[:10]
                if state == LISTENS and f"socket:[{inode}]" in held:
                    found.append(_readable(local.partition(":")[0], family))
    return sorted(found)


def _readable(words: str, family: socket.AddressFamily) -> str:
    """An address of /proc/net: 32-bit words, each in the machine's own order of bytes."""
    packed = b"".join(struct.pack("=I", int(words[start : start + 8], 16)) for start in range(0, len(words), 8))
    return socket.inet_ntop(family, packed)
