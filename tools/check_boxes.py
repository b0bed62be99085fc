"""Whether the decoder in C gives the reference decoder's pixels of JPEG files: whole ones, and random boxes of them.

    python tools/check_boxes.py FOLDER                 # 50 boxes a file: some 10,000 for 200 files

Whole files are decoded by each instruction set that is here, with entry points and without; boxes by one of these in
turn.
"""

from __future__ import annotations

import argparse
from itertools import cycle
from pathlib import Path
from random import Random

import numpy as np
from simplejpeg import decode_jpeg

from cnnbench.data.decode.entry_index import EVERY
from cnnbench.data.decode.native.library import NO_ENTRIES, Entries, Library, load_each

Box = tuple[int, int, int, int]  # left, top, width, height
Way = tuple[Library, Entries]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--boxes", type=int, default=50)
    options = parser.parse_args()
    files = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    random = Random(0)
    results = [result for file in files for result in compare(file.read_bytes(), options.boxes, random)]
    taken, different = sum(result is not None for result in results), sum(result is False for result in results)
    print(f"{len(files)} files: {taken:,} boxes, {different} differ; {len(results) - taken} files of other kinds")
    raise SystemExit(different > 0)


def compare(content: bytes, boxes: int, random: Random) -> list[bool | None]:
    """Of each decoded box whether all pixels are equal; [None] for a file that is left to other decoders."""
    libraries = load_each().values()
    if not libraries:
        raise SystemExit("the library was not built: install a C compiler, and then cnnbench once more")
    library = next(iter(libraries))
    look = library.look(content)
    entries = library.entry_points(content, EVERY)
    if look is None or entries is None:
        return [None]
    width, height, channels = look.width, look.height, look.components
    whole = decode_jpeg(content, "Gray" if channels == 1 else "RGB")
    ways: list[Way] = [(library, index) for library in libraries for index in (NO_ENTRIES, entries.entries)]
    results: list[bool | None] = [same(content, way, (0, 0, width, height), whole) for way in ways]
    for _, way in zip(range(boxes), cycle(ways), strict=False):
        left, top = random.randrange(width), random.randrange(height)
        box = left, top, random.randint(1, width - left), random.randint(1, height - top)
        results.append(same(content, way, box, whole))
    return results


def same(content: bytes, way: Way, box: Box, whole: np.ndarray) -> bool:
    left, top, width, height = box
    library, entries = way
    pixels = np.empty((height, width, whole.shape[2]), np.uint8)
    done = library.region(content, box, pixels, entries)
    return done and np.array_equal(pixels, whole[top : top + height, left : left + width])


if __name__ == "__main__":
    main()
