"""The file of results: a line of JSON for each, on the disk before the next is begun. Imports no torch.

{"part": "networks", "key": "lenet", "values": {...}, "time": "..."}      # of one thing that was measured
{"part": "networks", "key": "lenet", "error": "...", "time": "..."}       # or why it was not
{"part": "networks", "end": "done", "seconds": 51.2, "time": "..."}       # how the part ended
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

DONE = "done"
Line = dict[str, Any]


@dataclass(frozen=True)
class Results:
    """What stands in the file: values or an error by part and key, and the end of each part; the last ones count."""

    lines: list[Line]

    def of(self, part: str) -> dict[str, Line]:
        """Key -> its last line."""
        return {line["key"]: line for line in self.lines if line["part"] == part and "key" in line}

    def end(self, part: str) -> Line | None:
        """How the part ended the last time."""
        return next((line for line in reversed(self.lines) if line["part"] == part and "end" in line), None)

    def done(self, part: str) -> frozenset[str]:
        """The keys that need not be measured again."""
        return frozenset(key for key, line in self.of(part).items() if "values" in line)

    def complete(self, part: str) -> bool:
        """Whether the part ended well, with a value for all that it began, of which none is to be continued."""
        end, lines = self.end(part), self.of(part)
        return (
            end is not None
            and end["end"] == DONE
            and self.done(part) == lines.keys()
            and all(line["values"].get("complete", True) for line in lines.values())
        )

    def faults(self) -> list[str]:
        """What went wrong, in words: errors, values out of bounds, and parts that failed; not what the time cut off."""
        found = []
        for part in dict.fromkeys(line["part"] for line in self.lines):
            for key, line in self.of(part).items():
                if "error" in line:
                    found.append(f"{part}, {key}: {line['error']}")
                elif line["values"].get("ok") is False:
                    found.append(f"{part}, {key}: out of bounds")
            end = self.end(part)
            if end is not None and end["end"].startswith("failed"):
                found.append(f"{part} {end['end']}")
        return found


def read(file: Path) -> Results:
    """The results in `file`, none if it is not there; a line that was cut off is passed over."""
    lines = []
    for text in file.read_text().splitlines() if file.exists() else []:
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return Results(lines)


def add(file: Path, line: Line) -> None:
    """Put `line` behind what stands in `file`, and return when it lies on the disk."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(line | {"time": datetime.now().astimezone().isoformat(timespec="seconds")})
    cut_off = file.exists() and not file.read_bytes().endswith(b"\n") and file.stat().st_size > 0
    with file.open("a") as out:
        out.write("\n" * cut_off + text + "\n")
        out.flush()
        os.fsync(out.fileno())
