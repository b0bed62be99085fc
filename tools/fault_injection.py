"""Ends a small training run at each call by which it changes a file, or has the disk refuse that call; continues it,
and compares it bitwise, with its metrics, TensorBoard and status, with the run that was left alone.

    python tools/fault_injection.py                     # every call, in every way: some 50 minutes
    python tools/fault_injection.py --ways kill cut --every 10

A chain is a run that is ended five times, each time at a call by chance. Prints a table; exit status 1 if a run did not
end in the same, or said more than one sentence.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))

from composing import composed
from faults import CUT, FOREVER, FULL_AT_BYTE, KILL, KILL_AT_BYTE, KILLED, REFUSALS, Ended, Faults, run
from outcome import Outcome, difference, outcome

from cnnbench.config.train import TrainConfig

WORDS = ("arch=lenet", "recipe=quick", "epochs=2", "batch=20", "data=synthetic:3x20", "save_every=2", "average=ema")
ALONE = ("data.workers=0", "device=cpu", "processes=1", "log_every=0", "keep_every=1", "eval_batch=32")
SIZES = [0, 1, 2, *(round(1.15**number) for number in range(10, 100))]  # bytes: up to that of a checkpoint, and more
SAME = "the same"
CHAIN = "five kills"
AT_BYTES = (KILL_AT_BYTE, FULL_AT_BYTE)
WAYS = (KILL, CUT, *REFUSALS, f"ENOSPC{FOREVER}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--ways", nargs="+", default=[*WAYS, *AT_BYTES, CHAIN], help="in which it fails; one or several"
    )
    parser.add_argument("--every", type=int, default=1, help="calls, or sizes, from one that fails to the next")
    parser.add_argument("--chains", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the chains")
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        root, moments = Path(scratch), random.Random(options.seed)
        whole, calls = alone(root / "whole")
        print(f"a run left alone changes its folder by {calls} calls\n\n| what | trials | failures |\n|---|---:|---:|")
        for way in options.ways:
            if way == CHAIN:
                found = [chain(root / f"{way} {number}", moments, calls, whole) for number in range(options.chains)]
            else:
                places = SIZES if way in AT_BYTES else range(calls)
                found = [trial(root / f"{way} {at}", way, at, whole) for at in places[:: options.every]]
            bad = [result for result in found if not result.endswith(SAME)]
            failed += len(bad)
            print(
                "\n".join([f"| {way} | {len(found)} | {len(bad)} |", *(f"  {result}" for result in bad)]),
                flush=True,
            )
    sys.exit(failed > 0)


def config_of(folder: Path) -> TrainConfig:
    return replace(composed(*WORDS, *ALONE), run=str(folder))


def alone(folder: Path) -> tuple[Outcome, int]:
    """What a run comes to that nothing happens to, and by how many calls."""
    ended = run(config_of(folder), Faults(folder))
    assert ended.status == 0, ended.said
    return outcome(folder), ended.calls


def trial(folder: Path, way: str, at: int, whole: Outcome) -> str:
    """The call, and how the run ends that fails there and is continued."""
    ended = run(config_of(folder), Faults(folder, at, way))
    return f"{at}, {ended.call}: {wrong(ended, way, at) or continued(folder, whole)}"


def chain(folder: Path, moments: random.Random, calls: int, whole: Outcome) -> str:
    """As `trial`, for a run that is ended at five calls by chance."""
    places = [(moments.randrange(calls), moments.choice((KILL, CUT))) for _ in range(5)]
    for place in places:
        run(config_of(folder), Faults(folder, *place))
    return f"{places}: {continued(folder, whole)}"


def wrong(ended: Ended, way: str, at: int) -> str:
    """What is wrong with how a run ended to which this happened; "" if nothing is."""
    said = ended.said.strip()
    if way == KILL_AT_BYTE:
        return "" if ended.status in (0, -signal.SIGXFSZ) else "WAS NOT ENDED"
    if ended.calls <= at and way != FULL_AT_BYTE:
        return ""  # the calls of two threads are not always as many
    if way in (KILL, CUT):
        return "" if ended.status == KILLED else "WAS NOT ENDED"
    if ended.status == 0:  # a file that is gone is not missed, as that of a status
        return ""
    return "" if ended.status == 2 and ended.said.count("\n") == 1 else f"MORE THAN A SENTENCE: {said}"


def continued(folder: Path, whole: Outcome) -> str:
    """How the run in `folder` ends when its command is repeated."""
    ended = run(config_of(folder), Faults(folder))
    if ended.status != 0:
        return f"DOES NOT CONTINUE: {ended.said.strip()}"
    other = difference(outcome(folder), whole)
    return f"OTHER {other}" if other else SAME


if __name__ == "__main__":
    main()
