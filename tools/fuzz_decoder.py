"""Coverage-guided fuzzing of the decoder in C under the address and undefined-behaviour sanitizers.

    python tools/fuzz_decoder.py FOLDER --runs 1000000      # FOLDER keeps the corpus and what failed; goes on from it
    python tools/fuzz_decoder.py FOLDER --keep FILE.zip     # its small files with the same coverage, for the tests

Needs clang with libFuzzer (Debian: apt install clang libclang-rt-dev). What is tried of a file: tools/fuzz/decoder.c.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))

import odd_pictures

ROOT = Path(__file__).parents[1]
NATIVE = ROOT / "cnnbench/data/decode/native"
FLAGS = ("-std=gnu11", "-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")
SMALL = "-DCNNBENCH_WORTH=400"  # bits: small files, too, are walked over from three places
HEADS = (bytes(12), bytes(range(40, 52)), bytes([0, 0, 255, 255, 7, 0, 0, 0, 63, 63, 3, 0]))  # which choose boxes
LONGEST = 6000  # bytes of a file
LARGEST_KEPT = 700  # bytes of a file that goes to the tests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=1, help="processes, each of so many runs")
    parser.add_argument("--keep", type=Path, help="write the smallest corpus to this archive")
    options = parser.parse_args()
    corpus = options.folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    program = build(options.folder)
    if options.keep is not None:
        keep(program, corpus, options.folder / "small", options.keep)
        return
    seed(corpus)
    command = [program, corpus, f"-runs={options.runs}", f"-max_len={LONGEST}", "-print_final_stats=1", "-timeout=10"]
    if options.jobs > 1:
        command += [f"-jobs={options.jobs}", f"-workers={options.jobs}"]
    raise SystemExit(subprocess.run([*map(str, command)], cwd=options.folder).returncode)


def build(folder: Path) -> Path:
    clang = next(
        (name for name in ("clang", *(f"clang-{number}" for number in range(21, 13, -1))) if shutil.which(name)), None
    )
    if clang is None:
        raise SystemExit("there is no clang here: apt install clang libclang-rt-dev")
    program = folder.resolve() / "fuzz"
    sources = [ROOT / "tools/fuzz/decoder.c", *sorted(NATIVE.glob("*.c"))]
    subprocess.run([clang, *FLAGS, SMALL, f"-I{NATIVE}", *map(str, sources), "-o", str(program), "-lm"], check=True)
    return program


def seed(corpus: Path) -> None:
    """The odd pictures of the tests that are JPEG files, small, each with a few boxes."""
    groups = (odd_pictures.samplings(), odd_pictures.kinds_of_jpeg(), odd_pictures.frames())
    for group in groups:
        for kind, content in group.items():
            if content.startswith(b"\xff\xd8") and len(content) <= LONGEST:
                for number, head in enumerate(HEADS):
                    name = f"{kind} {number}".replace("/", " ").replace(" ", "-")
                    (corpus / name).write_bytes(head + content)


def keep(program: Path, corpus: Path, small: Path, archive: Path) -> None:
    shutil.rmtree(small, ignore_errors=True)
    small.mkdir()
    subprocess.run([program, "-merge=1", small, corpus], check=True, capture_output=True)
    chosen = [file for file in sorted(small.iterdir()) if file.stat().st_size <= LARGEST_KEPT]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as kept:
        for file in chosen:
            kept.writestr(zipfile.ZipInfo(file.name[:16]), file.read_bytes())
    print(f"{len(chosen)} of {len(list(small.iterdir()))} files, {archive.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
