"""Write the tables of exact values under tests/golden/ anew: python tools/golden.py [NAME ...]

A test holds the program to each of them; a difference that is meant is committed with its reason.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))

import goldens

if __name__ == "__main__":
    for name in sys.argv[1:] or goldens.TABLES:
        goldens.write(name)
        print(f"wrote tests/golden/{name}.json")
