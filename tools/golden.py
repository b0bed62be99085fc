"""Write the tables of exact values under tests/golden/ anew: python tools/golden.py [NAME ...]

Tests hold the program to each of them; a difference that is meant is committed with its reason. published.tsv, the
figures as they were read in papers, is written by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))

import golden_tables
import goldens

if __name__ == "__main__":
    for module in (goldens, golden_tables):
        for name in module.TABLES:
            if name in (sys.argv[1:] or module.TABLES):
                module.write(name)
                print(f"wrote tests/golden/{name}.json")
