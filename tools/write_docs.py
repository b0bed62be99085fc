"""Write the pages of docs/ that are tables of the program's own: python tools/write_docs.py

A test holds them equal to what the program says.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {  # -> title, command
    "networks.md": ("Networks", ["zoo"]),
    "recipes.md": ("Recipes", ["recipes", "sources=true"]),
    "lecture.md": ("The lecture's claims that were trained", ["lecture", "trained"]),
}


def page(name: str, table: str) -> str:
    """The page `name` with the Markdown `table` that its command prints."""
    title, command = PAGES[name]
    return f"# {title}\n\nWritten by `make docs` (`cnnbench {' '.join(command)} format=markdown`).\n\n{table}"


def main() -> None:
    for name, (_, command) in PAGES.items():
        words = [sys.executable, "-m", "cnnbench", *command, "format=markdown"]
        (DOCS / name).write_text(page(name, subprocess.run(words, check=True, capture_output=True, text=True).stdout))


if __name__ == "__main__":
    main()
