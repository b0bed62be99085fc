"""Memory of the simulated device: counted, with an end."""

from __future__ import annotations

import torch

ALIGNED = 512  # bytes: what CUDA's allocator hands out is a multiple of it


class Memory:
    """Bytes handed out now, and the most at a time; `limit`: all there is."""

    def __init__(self, limit: int) -> None:
        self.limit, self.allocated, self.peak = limit, 0, 0

    def take(self, size: int) -> Buffer:
        """Memory for `size` bytes. torch.OutOfMemoryError where that is more than is left."""
        size = -(-size // ALIGNED) * ALIGNED
        if self.allocated + size > self.limit:
            raise torch.OutOfMemoryError(
                f"SIM out of memory. Tried to allocate {size:,} bytes. The device has a total capacity of "
                f"{self.limit:,} bytes, of which {self.limit - self.allocated:,} are free."
            )
        self.allocated += size
        self.peak = max(self.peak, self.allocated)
        return Buffer(self, size)


class Buffer:
    """Memory of one storage, given back with the last tensor that lies in it: what was launched before may still read
    it, since what is launched later comes later."""

    def __init__(self, memory: Memory, size: int) -> None:
        self.memory, self.size = memory, size

    def __del__(self) -> None:
        self.memory.allocated -= self.size
