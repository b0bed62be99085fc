"""What kind of JPEG file it is, from its marks alone (ITU-T T.81, table B.1), without decoding anything."""

from __future__ import annotations

from dataclasses import dataclass

START, END = b"\xff\xd8\xff", b"\xff\xd9"
MARK, SCAN = 0xFF, 0xDA
SEQUENTIAL, FRAMES = {0xC0, 0xC1}, {0xC0, 0xC1, 0xC2}  # with Huffman codes; the last is progressive
TABLES, APPLICATIONS = {0xC4, 0xDB, 0xDD, 0xFE}, range(0xE0, 0xF0)  # tables, and comments; others' own segments
# Contents of applications' segments by which Pillow, not libjpeg, may take a file for no image: shorter than this, ...
SHORTEST = {0xE0: 7, 0xE2: 14, 0xEE: 7}  # JFIF, ICC profiles, Adobe
# ... a list of several pictures, or Photoshop's resources cut off behind the number of one.
SEVERAL, RESOURCE = b"MPF\0", b"8BIM"


@dataclass(frozen=True)
class Header:
    """`frame`: its mark; `scanned` of its `components` are in the first scan, whose codes begin at byte `codes`."""

    frame: int
    components: int
    scanned: int
    codes: int


def has_end(content: bytes) -> bool:
    """Whether `content` has the end mark of a JPEG file: one cut short is decoded in part by some engines."""
    return content.find(END, -32) >= 0


def count_scans(content: bytes) -> int:
    """Scans of a JPEG file, with those of thumbnails in it, where decoders go over more than one; of any other file 0.
    In a picture's codes no byte that is MARK is followed by SCAN."""
    if not content.startswith(START):
        return 0
    header = read_header(content)
    if header is not None and header.frame in SEQUENTIAL and header.components == header.scanned:
        return 1  # behind which libjpeg takes no other
    return content.count(bytes((MARK, SCAN)))


def read_header(content: bytes) -> Header | None:
    """What stands before the first scan; None unless it is a JPEG file with a frame of 8 bits, of one or three
    components, of a size that is not 0 (nor told behind the scan), and nothing unusual."""
    if not content.startswith(START):
        return None
    at, frame, components, last = 2, 0, 0, len(content) - 10
    while at < last and content[at] == MARK:
        mark, start, end = content[at + 1], at + 4, at + 2 + (content[at + 2] << 8 | content[at + 3])
        if mark in TABLES:
            pass
        elif mark == SCAN:
            return Header(frame, components, content[start], end) if frame and end < len(content) else None
        elif mark in FRAMES:
            frame, components = mark, content[start + 5]
            sizes = content[start + 1 : start + 3], content[start + 3 : start + 5]
            if content[start] != 8 or b"\0\0" in sizes or components not in (1, 3):
                return None
        elif mark not in APPLICATIONS or _is_odd(mark, content[start:end]):
            return None
        at = end
    return None


def _is_odd(mark: int, segment: bytes) -> bool:
    """Whether Pillow may stumble over `segment`, which libjpeg passes over."""
    return len(segment) < SHORTEST.get(mark, 0) or segment.startswith(SEVERAL) or segment[-6:-2] == RESOURCE
