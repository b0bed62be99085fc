"""Pictures as they occur once in a million files: each kind of JPEG, each container and mode, what is not a picture,
and ways to damage a file. test_agreement.py holds all engines to them, tools/measure_engines.py counts."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from random import Random

import numpy as np
from jpeg_writer import write_jpeg
from PIL import Image

Pictures = dict[str, bytes]
WHOLE = b"\xff\xd9"
CHROMA = ([(1, 1), (2, 2), (2, 2)], [(1, 1), (2, 1), (1, 2)], [(2, 2), (2, 1), (1, 2)], [(2, 2), (2, 2), (1, 1)])


def picture(width: int = 61, height: int = 47, seed: int = 0) -> Image.Image:
    """Smooth colours with some noise, RGB."""
    draw = np.random.default_rng(seed)
    coarse = Image.fromarray(draw.integers(0, 256, (7, 9, 3), np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    noisy = np.asarray(coarse).astype(int) + draw.integers(-12, 13, (height, width, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def saved(form: str = "JPEG", mode: str = "RGB", image: Image.Image | None = None, **options: object) -> bytes:
    """The file of `image`, by default of `picture()`, in `mode`."""
    file, image = io.BytesIO(), image or picture()
    image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) << 8) if mode == "I;16" else image
    image = image if image.mode == mode or mode == "I;16" else image.convert(mode)
    image.save(file, form, **options)
    return file.getvalue()


def samplings() -> Pictures:
    """Every sampling of the first component, in one scan and in three; grey; and chroma that is not sampled alike."""
    found = {}
    for h, v in [(h, v) for h in (1, 2, 3, 4) for v in (1, 2, 3, 4)]:
        factors = [(h, v), (1, 1), (1, 1)]
        if h * v <= 8:  # more than ten blocks are too many for one scan
            found[f"{h}x{v}"] = write_jpeg(61, 47, factors)
            found[f"{h}x{v}, restart marks"] = write_jpeg(61, 47, factors, restart=3)
        found[f"{h}x{v}, three scans"] = write_jpeg(61, 47, factors, interleaved=False)
        found[f"grey, {h}x{v}"] = write_jpeg(61, 47, [(h, v)], interleaved=False)
    return found | {" ".join(f"{h}x{v}" for h, v in factors): write_jpeg(61, 47, factors) for factors in CHROMA}


def kinds_of_jpeg() -> Pictures:
    """What cameras, editors and web services write."""
    whole = saved(quality=90)
    thumbnail = b"Exif\0\0" + saved(image=picture(16, 12))  # with an end mark inside
    return {
        **{f"{form}, quality 100": saved(quality=100, subsampling=form) for form in ("4:4:4", "4:2:2", "4:2:0")},
        "quality 1": saved(quality=1),
        "progressive": saved(progressive=True),
        "progressive, grey": saved(mode="L", progressive=True),
        "restart marks": saved(restart_marker_rows=1),
        "grey": saved(mode="L"),
        "CMYK": saved(mode="CMYK"),
        "CMYK, progressive": saved(mode="CMYK", progressive=True),
        "RGB": saved(keep_rgb=True),
        "bytes behind the end": whole + b"x" * 20,
        "many bytes behind the end": whole + bytes(500),
        "another picture behind the end": whole + saved(image=picture(20, 20)),
        "zeros before the end": whole[:-2] + bytes(9) + WHOLE,
        "a thumbnail in EXIF": with_segment(whole, 0xE1, thumbnail),
        "EXIF that is cut": with_segment(whole, 0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\x09"),
        "turned by EXIF": saved(exif=_turned()),
        "an ICC profile": saved(icc_profile=b"profile" * 200),
        "Adobe, unknown transform": with_segment(whole, 0xEE, b"Adobe\0\x64\0\0\0\0\x07"),
        "a comment": with_segment(whole, 0xFE, b"\xff\xda\xff\xd9" * 30),
        "fill bytes": whole[:2] + b"\xff\xff" + whole[2:],
        "several pictures (MPO)": saved("MPO", save_all=True, append_images=[picture(seed=1)]),
    }


def containers() -> Pictures:
    """Each mode in each container that has it."""
    modes = {
        "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
        "GIF": ("L", "P", "RGB"),
        "BMP": ("1", "L", "P", "RGB"),
        "WEBP": ("RGB", "RGBA"),
        "TIFF": ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "F"),
        "PPM": ("1", "L", "RGB"),
    }
    found = {f"{form}, {mode}": saved(form, mode) for form, all_modes in modes.items() for mode in all_modes}
    return {
        **found,
        "PNG, interlaced": interlaced(),
        "PNG, transparent colour": saved("PNG", "P", transparency=3),
        "GIF, animated": saved("GIF", save_all=True, append_images=[picture(seed=1)]),
        "GIF, larger than its screen": saved("GIF")[:6] + bytes(4) + saved("GIF")[10:],
        "WEBP, lossless": saved("WEBP", lossless=True),
        "TIFF, LZW": saved("TIFF", compression="tiff_lzw"),
        "TIFF, JPEG": saved("TIFF", compression="jpeg"),
    }


def sizes() -> Pictures:
    """One pixel wide, high, or both; as wide as a unit of compression, and one more."""
    all_sizes = [(1, 1), (1, 40), (40, 1), (2, 3), (8, 8), (16, 16), (17, 9), (1500, 2)]
    found = {f"{form}, {w} x {h}": saved(form, image=picture(w, h)) for w, h in all_sizes for form in ("JPEG", "PNG")}
    return found | {f"4:1:1, {w} x {h}": write_jpeg(w, h, [(4, 1), (1, 1), (1, 1)]) for w, h in all_sizes}


def not_pictures() -> Pictures:
    """What no engine may give pixels for, and none may fail on with more than a sentence."""
    jpeg, png, gif = saved(), saved("PNG"), saved("GIF")
    start = b"\xff\xd8\xff"
    return {
        "empty": b"",
        "text": b"no picture\n",
        "a web page": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "zeros": bytes(5000),
        "JPEG XL": b"\xff\x0a" + bytes(200),
        "HEIF": b"\0\0\0\x18ftypheic" + bytes(200),
        "gzip": b"\x1f\x8b\x08" + bytes(200),
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n",
        "JPEG, its start alone": start,
        "JPEG, its start and end": start[:2] + WHOLE,
        "JPEG, no scan": jpeg[: jpeg.index(b"\xff\xda")] + WHOLE,
        "JPEG, no frame": _without_frame(jpeg),
        "JPEG, an ICC profile cut": with_segment(jpeg, 0xE2, b"ICC_PROFILE\0"),  # these three by Pillow, not by libjpeg
        "JPEG, Photoshop's segment cut": with_segment(jpeg, 0xED, b"Photoshop 3.0\x008BIM\x04\x04"),
        "JPEG, JFIF cut": with_segment(jpeg, 0xE0, b"JFIF\0"),
        "JPEG, height 0": stated(jpeg, 1, b"\0\0"),
        "JPEG, width 0": stated(jpeg, 3, b"\0\0"),
        "JPEG, 65500 x 65500": stated(jpeg, 1, b"\xff\xdc\xff\xdc"),
        "JPEG, 12 bits": stated(jpeg, 0, b"\x0c"),
        **{f"JPEG, {count} components": stated(jpeg, 5, bytes([count])) for count in (0, 1, 2, 4, 5, 255)},
        "JPEG, sampling 0": stated(jpeg, 7, b"\0"),
        "JPEG, sampling 5x5": stated(jpeg, 7, b"\x55"),
        "PNG, width 0": sized_png(png, 0, 47),
        "PNG, height 0": sized_png(png, 61, 0),
        "PNG, 65500 x 65500": sized_png(png, 65500, 65500),
        "PNG, negative": sized_png(png, -1 & 0xFFFFFFFF, 47),
        "PNG, its start alone": png[:8],
        "PNG, no pixels": png[:33] + png[-12:],
        "GIF, no frames": gif[:6] + struct.pack("<HHBBB", 61, 47, 0, 0, 0) + b";",
        "BMP, 0 x 0": _replaced(saved("BMP"), 18, bytes(8)),
        "BMP, 65500 x 65500": _replaced(saved("BMP"), 18, struct.pack("<ii", 65500, 65500)),
        "TIFF, cut": saved("TIFF")[:200],
        "PPM, 0 x 0": b"P6 0 0 255\n",
        "WEBP, cut": saved("WEBP")[:60],
    }


def frames() -> Pictures:
    """A baseline file that says to be of another kind: lossless, arithmetic, hierarchical, progressive."""
    jpeg = saved()
    at = jpeg.index(b"\xff\xc0") + 1
    return {
        f"frame {mark:02X}": _replaced(jpeg, at, bytes([mark])) for mark in (*range(0xC1, 0xC4), *range(0xC5, 0xD0))
    }


def with_segment(jpeg: bytes, mark: int, content: bytes) -> bytes:
    """`jpeg` with one more segment behind its start."""
    return jpeg[:2] + bytes([0xFF, mark]) + (len(content) + 2).to_bytes(2, "big") + content + jpeg[2:]


def stated(jpeg: bytes, place: int, content: bytes) -> bytes:
    """`jpeg` with other bytes in its frame: 0 bits, 1 height, 3 width, 5 components, 7 sampling."""
    return _replaced(jpeg, jpeg.index(b"\xff\xc0") + 4 + place, content)


def sized_png(png: bytes, width: int, height: int) -> bytes:
    """`png` that says to be of another size, with the right checksum."""
    header = b"IHDR" + struct.pack(">II", width, height) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


def interlaced() -> bytes:
    """A grey PNG file of 16 x 16 in the seven passes of Adam7, which Pillow does not write."""
    levels = np.asarray(picture(16, 16).convert("L"))
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b"".join(b"\0" + row.tobytes() for y, x, down, across in passes for row in levels[y::down, x::across])
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 1)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def _without_frame(jpeg: bytes) -> bytes:
    at = jpeg.index(b"\xff\xc0")
    return jpeg[:at] + jpeg[at + 19 :]


def _replaced(content: bytes, at: int, by: bytes) -> bytes:
    return content[:at] + by + content[at + len(by) :]


def _place(content: bytes, random: Random) -> int:
    """Somewhere behind the header, for the most part, and not in the last bytes."""
    return random.randrange(min(len(content) // 4, 700), max(len(content) - 2, 2))


def _cut_out(content: bytes, random: Random) -> bytes:
    at = _place(content, random)
    return content[:at] + content[min(at + random.randrange(1, 1000), len(content) - 2) :]


def _overwritten(content: bytes, random: Random, by: Callable[[int], bytes]) -> bytes:
    at = _place(content, random)
    return _replaced(content, at, by(max(1, min(random.randrange(1, 2000), len(content) - 2 - at))))


def _flipped(content: bytes, random: Random, first: int, last: int) -> bytes:
    changed = bytearray(content)
    for _ in range(random.randrange(1, 6)):
        changed[random.randrange(first, last)] ^= 1 << random.randrange(8)
    return bytes(changed)


def _marked(content: bytes, random: Random) -> bytes:
    mark = random.choice((0xC0, 0xC2, 0xC4, 0xD0, 0xD3, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xE0, 0xFE, 0x01, 0x5A))
    return _replaced(content, _place(content, random), bytes([0xFF, mark]))


# Ways in which a file is damaged, (content, random) -> content.
DAMAGES: dict[str, Callable[[bytes, Random], bytes]] = {
    "truncated": lambda content, random: content[: random.randrange(len(content))],
    "truncated, with an end mark": lambda content, random: content[: _place(content, random)] + WHOLE,
    "no end mark": lambda content, random: content[:-2],
    "a part cut out": _cut_out,
    "zeros inside": lambda content, random: _overwritten(content, random, bytes),
    "garbage inside": lambda content, random: _overwritten(content, random, random.randbytes),
    "zeros to the end": lambda content, random: content[: (at := _place(content, random))] + bytes(len(content) - at),
    "bits flipped in the codes": lambda content, random: _flipped(content, random, len(content) // 3, len(content)),
    "bits flipped in the header": lambda content, random: _flipped(content, random, 2, min(640, len(content))),
    "a mark inside": _marked,
}
