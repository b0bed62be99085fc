"""Memory of the simulated device: counted, with an end."""

from __future__ import annotations

import torch

ALIGNED = 512  # bytes: what CUDA's allocator hands out is a multiple of it


class Memory:
    """Bytes handed out now, and the most at a time; `limit`: all there is."""

    def __init__(self, limit: int) -> None:
        self.limit, self.allocated, self.peak = limit, 0, 0
        self.lacking: torch.OutOfMemoryError | None = None

    def take(self, size: int) -> Buffer:
        """Memory for `size` bytes. torch.OutOfMemoryError where that is more than is left: at once, and from within a
        backward pass at the first operation after it, since torch's engine ends a process out of which Python raises
        while it works for a device of this kind."""
        size = -(-size // ALIGNED) * ALIGNED
        if self.allocated + size > self.limit and self.lacking is None:
            self.lacking = torch.OutOfMemoryError(
                f"SIM out of memory. Tried to allocate {size:,} bytes. The device has a total capacity of "
                f"{self.limit:,} bytes, of which {self.limit - self.allocated:,} are free."
            )
        self.check()
        self.allocated += size
        self.peak = max(self.peak, self.allocated)
        return Buffer(self, size)

    def check(self) -> None:
        """Raise what is to be raised, unless a backward pass is under way."""
        if self.lacking is not None and torch._C._current_graph_task_id() == -1:
            try:
                raise self.lacking
            finally:  # a name of its own would keep all that was in use until garbage is collected
                self.lacking = None


class Buffer:
    """Memory of one storage, given back with the last tensor that lies in it: what was launched before may still read
    it, since what is launched later comes later."""

    def __init__(self, memory: Memory, size: int) -> None:
        self.memory, self.size = memory, size

    def __del__(self) -> None:
        self.memory.allocated -= self.size
