"""Whether the decoder in C gives the same pixels on arm64, emulated, as here: of every JPEG file below FOLDER.

    python tools/check_arm64.py FOLDER

Needs a cross compiler and qemu (Debian: apt install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user). There is no
hand-written NEON code: the compiler makes it of portable.c, and the check counts its vector instructions.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
NATIVE = ROOT / "cnnbench/data/decode/native"
FLAGS = ("-std=gnu11", "-O3", f"-I{NATIVE}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    files = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    with tempfile.TemporaryDirectory() as scratch:
        here, there = (
            build("gcc", Path(scratch) / "here"),
            build("aarch64-linux-gnu-gcc", Path(scratch) / "there", "-static"),
        )
        assembly = subprocess.run(
            ["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", there], capture_output=True, text=True, check=True
        ).stdout
        body = re.search(r"<inverse_dct>:\n(.*?)\n\n", assembly, re.DOTALL)
        vectors = len(re.findall(r"\bv\d+\.(?:16b|8b|8h|4h|4s|2d)", body[1] if body else ""))
        expected = subprocess.run([here, *files], capture_output=True, text=True, check=True).stdout.splitlines()
        found = subprocess.run(
            ["qemu-aarch64", there, *files], capture_output=True, text=True, check=True
        ).stdout.splitlines()
    differ = sum(one != other for one, other in zip(expected, found, strict=True))
    print(f"{len(files)} files, {len(expected)} boxes and crops: {differ} differ")
    print(f"{vectors} NEON operands in the inverse DCT")
    raise SystemExit(1 if differ else 0)


def build(compiler: str, program: Path, *flags: str) -> Path:
    sources = [ROOT / "tools/fuzz/checksums.c", *sorted(NATIVE.glob("*.c"))]
    subprocess.run([compiler, *FLAGS, *flags, *map(str, sources), "-o", str(program), "-lm"], check=True)
    return program


if __name__ == "__main__":
    main()
