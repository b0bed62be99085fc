"""JPEG files of any sampling, interleaved or not, with restart marks or without: what common encoders do not write.

Baseline by ITU-T T.81, with noise as its picture: random low frequencies in each block.
"""

from __future__ import annotations

from random import Random

DC_CODES = {size: f"{size:04b}" for size in range(12)}  # by the number of bits that follow
AC_CODES = {symbol: f"{number:03b}" for number, symbol in enumerate((0x00, 0x01, 0x02, 0x03, 0x11, 0x12))}  # 0: end
Component = tuple[int, int]  # its sampling factors, across and down


def write_jpeg(
    width: int, height: int, components: list[Component], interleaved: bool = True, restart: int = 0, seed: int = 0
) -> bytes:
    """A file of 8 bits; `restart`: units (MCU) between restart marks, 0: none."""
    random = Random(seed)
    frame = b"".join(bytes([number, h << 4 | v, 0]) for number, (h, v) in enumerate(components, start=1))
    file = b"\xff\xd8" + _segment(0xDB, bytes([0, *[9] * 64]))
    file += _segment(0xC0, b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + _counted(frame, 3))
    file += _segment(0xC4, b"\0" + _table(DC_CODES, 4)) + _segment(0xC4, b"\x10" + _table(AC_CODES, 3))
    file += _segment(0xDD, restart.to_bytes(2, "big")) if restart else b""
    across, down = max(h for h, _ in components), max(v for _, v in components)
    scans = [range(len(components))] if interleaved else [[number] for number in range(len(components))]
    for scan in scans:
        file += _segment(0xDA, _counted(b"".join(bytes([number + 1, 0]) for number in scan), 2) + b"\0\x3f\0")
        if len(scan) > 1:
            units = -(-width // (8 * across)) * -(-height // (8 * down))
            blocks = [number for number in scan for _ in range(components[number][0] * components[number][1])]
        else:  # then a unit is one block, and those wholly outside of the picture are not there
            h, v = components[scan[0]]
            units, blocks = -(-width * h // (8 * across)) * -(-height * v // (8 * down)), [scan[0]]
        file += _codes(units, blocks, restart, random)
    return file + b"\xff\xd9"


def _segment(mark: int, content: bytes) -> bytes:
    return bytes([0xFF, mark]) + (len(content) + 2).to_bytes(2, "big") + content


def _counted(entries: bytes, length: int) -> bytes:
    return bytes([len(entries) // length]) + entries


def _table(codes: dict[int, str], length: int) -> bytes:
    """All codes have `length` bits."""
    return bytes(len(codes) if bits == length else 0 for bits in range(1, 17)) + bytes(codes)


def _codes(units: int, blocks: list[int], restart: int, random: Random) -> bytes:
    """The codes of `units`, each with the components that `blocks` names, one block each."""
    found, bits, level = b"", "", dict.fromkeys(blocks, 0)
    for unit in range(units):
        if restart and unit and unit % restart == 0:
            found += _packed(bits) + bytes([0xFF, 0xD0 + (unit // restart - 1) % 8])
            bits, level = "", dict.fromkeys(blocks, 0)
        for component in blocks:
            target = random.randrange(-80, 80)
            bits += _coded(DC_CODES, 0, target - level[component])
            level[component] = target
            for _ in range(random.randrange(4)):
                bits += _coded(AC_CODES, random.randrange(2), random.choice((-3, -2, -1, 1, 2, 3)))
            bits += AC_CODES[0]
    return found + _packed(bits)


def _coded(codes: dict[int, str], run: int, value: int) -> str:
    size = abs(value).bit_length()
    offset = value if value > 0 else value + (1 << size) - 1
    return codes[run << 4 | size] + (f"{offset:0{size}b}" if size else "")


def _packed(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    return int(bits or "0", 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
