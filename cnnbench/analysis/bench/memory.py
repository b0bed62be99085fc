"""Peak memory of a step, and the largest batch that fits."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from cnnbench.runtime.backends import backend_of
from cnnbench.runtime.device_memory import drop_cache, peak_of
from cnnbench.runtime.devices import is_out_of_memory, on_cpu, synchronize
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.machine import available_memory

FEWEST = 2  # images: batch normalisation over a single pixel refuses one
PROBED_BATCHES = 4, 8  # images in the batches from which larger ones are predicted
SHARE = 0.9  # of the available memory that a predicted need may take

STAYS = "(weights, gradients, momentum, images, scratch and what is kept for the backward pass)"


def how(device: torch.device) -> str:
    """How the peak memory was found."""
    if on_cpu(device):
        counted = f"as torch.profiler recorded it {STAYS}, without Python and libraries"
        return f"peak memory of a step: what torch's allocator handed out at most, {counted}"
    if not backend_of(device).counts_memory:
        return f"peak memory of a step: torch does not count it on {device.type}"
    return f"peak memory of a step: what torch's allocator handed out at most {STAYS}, without the driver's own memory"


def peak_bytes(step: Callable[[], object], resident: Iterable[torch.Tensor], device: torch.device) -> int | None:
    """Most bytes that live at a time during `step`: those of the `resident` tensors, and what it allocates on top.

    What lives besides does not count. On a CPU the profiler counts, for which torch keeps no statistics there; None on
    an accelerator without them.
    """
    storages = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in resident}
    allocated = _allocated_cpu(step) if on_cpu(device) else peak_of(step, device)
    return None if allocated is None else sum(storages.values()) + allocated


def largest(fits: Callable[[int], bool], first: int = 1) -> int | None:
    """The largest number for which `fits`, which holds up to some number and not above: by doubling from `first` until
    it does not, then by bisection. None if not even `first` does."""
    if not fits(first):
        return None
    low = first
    while fits(2 * low):
        low *= 2
    high = 2 * low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def largest_on_gpu(step: Callable[[int], object], device: torch.device) -> tuple[int, str]:
    """The largest batch for which step(batch) does not run out of memory, and how it was found."""

    def fits(batch: int) -> bool:
        drop_cache(device)
        try:
            step(batch)
            synchronize(device)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    batch = largest(fits, FEWEST)
    if batch is None:
        raise UserError(f"not even {FEWEST} images fit into the GPU's memory: use a smaller image_size")
    return batch, "batch=max: doubled until a step, not compiled, ran out of memory, then bisected to one image"


def largest_on_cpu(peak: Callable[[int], int]) -> tuple[int, str]:
    """The largest batch whose predicted need fits into the available memory, and how it was found.

    peak(batch): bytes that a step needs. They are measured for two small batches, and grow by the image after that: a
    batch that is too large would not fail on a CPU, but take the machine's memory from others.
    """
    available = available_memory()
    if available is None:
        raise UserError("this system does not say how much memory is available: give batch=NUMBER")
    few, more = (peak(batch) for batch in PROBED_BATCHES)
    image = max(1.0, (more - few) / (PROBED_BATCHES[1] - PROBED_BATCHES[0]))
    room = SHARE * available
    batch = largest(lambda number: few + (number - PROBED_BATCHES[0]) * image <= room, FEWEST)
    if batch is None:
        raise UserError(f"not even {FEWEST} images fit into the available memory: use a smaller image_size")
    return batch, (
        f"batch=max, predicted: an image takes {image / 2**20:,.1f} MiB (steps of {PROBED_BATCHES[0]} and of "
        f"{PROBED_BATCHES[1]}, not compiled), and {SHARE:.0%} of the available "
        f"{available / 2**30:,.1f} GiB hold {batch:,}"
    )


def _allocated_cpu(step: Callable[[], object]) -> int:
    """The most that the step had allocated and not freed again at a time, on top of what was there before it.

    The profiler's own total goes on from one use of it to the next, and misses what is freed between two.
    """
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(file))
        events = json.loads(file.read_text())["traceEvents"]
    changes = sorted((event["ts"], event["args"]["Bytes"]) for event in events if event["name"] == "[memory]")
    return max(itertools.accumulate((change for _, change in changes), initial=0))
