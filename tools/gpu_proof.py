"""The one proof on a GPU: correctness, speed, and CIFAR-10 as far as time goes, in nine minutes; writes docs/gpu.md.

    python tools/gpu_proof.py                        # on a machine with an NVIDIA GPU and torch; no network
    python tools/gpu_proof.py --cifar FOLDER         # with CIFAR-10's files (cifar-10-batches-bin or -py)
    python tools/gpu_proof.py --wheels FOLDER        # packages that the machine lacks, as wheels
    python tools/gpu_proof.py --render               # the page alone, of the results that are there
    python tools/gpu_proof.py --rehearse             # the same code on the CPU, small; the page is printed, not written

Each part (tools/gpu_parts/parts.py) runs in a process of its own, with its own limit: what fails, hangs or takes the
memory ends that part alone. Results lie in docs/gpu.jsonl as soon as they are there; a later call does what is missing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpu_parts.page import page
from gpu_parts.parts import PARTS
from gpu_parts.record import DONE, Results, add, read

ROOT = Path(__file__).parents[1]
RESULTS, PAGE, WORK = ROOT / "docs/gpu.jsonl", ROOT / "docs/gpu.md", ROOT / "build/gpu-proof"
SECONDS = 540.0
LEAST = 15.0  # seconds with which it is worth to begin a part
LAST = 5.0  # seconds in which the page is written

Launch = Callable[[str, float], str]  # runs a part within so many seconds -> how it ended


class Cut(Exception):
    """The proof is asked to stop."""


def main(words: list[str]) -> int:
    options, begun = _options(words), time.monotonic()
    if options.part:
        return _in_this_process(options)
    if options.rehearse:
        return rehearse(options.cifar)
    if not options.render:
        signal.signal(signal.SIGTERM, _cut)
        environment = _with_wheels(options.wheels, options.work)
        if (lacking := _lacking(environment)) is not None:
            print(f"gpu_proof: {lacking}", file=sys.stderr)
            return 2
        left = options.seconds - (time.monotonic() - begun)
        run_parts(options.results, left, lambda part, limit: _launch(options, part, limit, environment))
    results = read(options.results)
    options.page.write_text(page(results))
    print(f"{options.page} is written, of {len(results.lines)} results in {options.results}")
    return _told(results)


def run_parts(results: Path, seconds: float, launch: Launch) -> None:
    """Run the parts that are not complete, in their order, within `seconds`; how each ended is noted, also of one that
    was not begun. If the machine's fails nothing more can be had."""
    end = time.monotonic() + seconds - LAST
    part = ""
    try:
        for part, about in PARTS.items():
            if part != "machine" and read(results).complete(part):  # it may be another one
                print(f"{part}: done before", flush=True)
                continue
            limit, begun = min(about.limit, end - time.monotonic()), time.monotonic()
            ended = launch(part, limit) if limit >= LEAST else "left out: the time is over"
            spent = time.monotonic() - begun
            add(results, {"part": part, "end": ended, "seconds": round(spent, 1)})
            print(f"{part}: {ended}, {spent:.1f} s", flush=True)
            if part == "machine" and ended != DONE:
                return
    except (Cut, KeyboardInterrupt):
        add(results, {"part": part, "end": "cut off from outside"})


def rehearse(cifar: Path | None) -> int:
    """Run all parts in this process, on the CPU at small sizes, and print their page."""
    with tempfile.TemporaryDirectory() as folder:
        results, work = Path(folder) / "results.jsonl", Path(folder) / "work"

        def launch(part: str, limit: float) -> str:
            return _run(part, limit, results, work, cifar, rehearsed=True)

        run_parts(results, SECONDS, launch)
        found = read(results)
        print(page(found))
    return _told(found)


def _told(results: Results) -> int:
    """Say what went wrong; the exit status."""
    for fault in results.faults():
        print(f"gpu_proof: {fault}", file=sys.stderr)
    return 1 if results.faults() else 0


def _run(part: str, limit: float, results: Path, work: Path, cifar: Path | None, rehearsed: bool) -> str:
    """Run a part in this process; how it ended."""
    from gpu_parts.job import REAL, REHEARSED, Job, one_line

    work.mkdir(parents=True, exist_ok=True)
    sizes, end = REHEARSED if rehearsed else REAL, time.monotonic() + limit
    try:
        PARTS[part].load()(Job(part, sizes, results, read(results).done(part), work, cifar, end))
    except Exception as error:  # the next part goes on
        return f"failed: {one_line(error)}"
    return DONE


def _in_this_process(options: argparse.Namespace) -> int:
    """One part, for `_launch`; its last line says how it ended."""
    ended = _run(options.part, options.seconds, options.results, options.work, options.cifar, options.rehearse)
    print(f"{ENDED}{ended}", flush=True)
    return 0


ENDED = "the part ended: "


def _launch(options: argparse.Namespace, part: str, limit: float, environment: dict[str, str]) -> str:
    """Run a part in a process of its own."""
    words = ["--part", part, "--seconds", f"{limit:.1f}", "--results", options.results, "--work", options.work]
    words += ["--cifar", options.cifar] if options.cifar is not None else []
    options.work.mkdir(parents=True, exist_ok=True)
    log = options.work / f"{part.replace(' ', '-')}.log"
    return within([sys.executable, __file__, *map(str, words)], limit, log, environment)


def within(command: list[str], limit: float, log: Path, environment: dict[str, str]) -> str:
    """Run `command`, which speaks into `log`, and end it and its children after `limit` seconds; how it ended."""
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            return f"cut off after {limit:.0f} s"
        finally:
            _end(process)
    lines = log.read_text(errors="replace").splitlines()
    said = next((line for line in reversed(lines) if line.startswith(ENDED)), None)
    if said is not None:
        return said.removeprefix(ENDED)
    last = next((line for line in reversed(lines) if line.strip()), "nothing said")
    return f"failed: exit status {status}, {last[:200]}"


def _end(process: subprocess.Popen[Any]) -> None:
    """End the processes of the session of `process`."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _cut(*_: Any) -> None:
    raise Cut


def _with_wheels(folder: Path | None, work: Path) -> dict[str, str]:
    """The environment of the parts: this tree, and what the wheels in `folder` hold, unpacked below `work`."""
    paths = [str(_linked(work / "tree")), str(ROOT / "tools")]
    for wheel in sorted(folder.glob("*.whl")) if folder is not None else []:
        place = work / "packages"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(place)
        paths.append(str(place))
    known = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join([*dict.fromkeys(paths), *([known] if known else [])])}


def _linked(folder: Path) -> Path:
    """A folder with the package as an installation has it, conf/ in it, made of links: nothing need be installed."""
    package = folder / "cnnbench"
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    for entry in (*(ROOT / "cnnbench").iterdir(), ROOT / "conf"):
        (package / entry.name).symlink_to(entry)
    return folder


def _lacking(environment: dict[str, str]) -> str | None:
    """In a sentence, which package this machine lacks, or that it has no GPU; None: nothing."""
    check = (
        "import torch, torchvision, hydra, cv2, tensorboard, safetensors, tqdm, matplotlib, yaml, PIL\n"
        "assert torch.cuda.is_available(), 'torch sees no NVIDIA GPU here: --rehearse runs on the CPU'"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, env=environment)
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines()[-1]
    return f"{said}: --wheels FOLDER takes packages as wheels" if "ModuleNotFoundError" in said else said


def _options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rehearse", action="store_true")
    parser.add_argument("--render", action="store_true")
    parser.add_argument("--cifar", type=Path, help="folder of CIFAR-10")
    parser.add_argument("--wheels", type=Path, help="folder of wheels")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all parts together")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--work", type=Path, default=WORK, help="folder for what is kept between calls")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    for name in ("cifar", "wheels", "results", "page", "work"):  # parts change their working folder
        if (path := getattr(options, name)) is not None:
            setattr(options, name, path.resolve())
    if options.cifar is not None and not options.cifar.exists():
        parser.error(f"--cifar {options.cifar} is not there")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
