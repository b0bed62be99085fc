"""tqdm with a lock between threads only: its own leaves semaphores behind where a process is killed."""

from __future__ import annotations

import threading

from tqdm import tqdm

tqdm.set_lock(threading.RLock())

__all__ = ["tqdm"]
