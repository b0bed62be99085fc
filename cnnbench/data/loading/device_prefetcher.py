"""Batches made ready on the device where they are used: where it has streams, beside the computation on the batch
before."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import torch

from cnnbench.data.loading.loader import Batch
from cnnbench.data.loading.normalise import Normalise
from cnnbench.runtime.backends import backend_of, module_of

DeviceBatch = tuple[torch.Tensor, torch.Tensor]  # images as Normalise makes them, labels int64 (N,); on the device


class DevicePrefetcher:
    """Iterates over `batches`, normalised, on the device of `normalise`. `waited`: seconds in which nothing could be
    computed because the next batch was not there.

    Where the device has streams its work is only launched when the next batch is asked for, and that batch is copied
    and normalised on a stream of its own meanwhile. This process runs one batch ahead of the GPU at most: that is
    enough for the GPU never to wait for it, and bounds the memory. A slot of the loader is given back when its copy has
    ended.
    """

    def __init__(self, batches: Iterable[Batch], normalise: Normalise) -> None:
        self.waited = 0.0
        self._batches, self._normalise = iter(batches), normalise
        self._ready = self._beside() if backend_of(normalise.device).streams else self._in_turn()

    def __iter__(self) -> Iterator[DeviceBatch]:
        return self

    def __next__(self) -> DeviceBatch:
        return next(self._ready)

    def _in_turn(self) -> Iterator[DeviceBatch]:
        while (batch := self._next_batch()) is not None:
            yield self._normalise(batch), batch.labels.to(self._normalise.device)

    def _beside(self) -> Iterator[DeviceBatch]:
        device = self._normalise.device
        streams = module_of(device)
        copying, computing = streams.Stream(device), streams.current_stream(device)
        launched = None  # the end of all that has been launched for the batch before
        while (batch := self._next_batch(launched)) is not None:
            with streams.stream(copying):
                images, labels = (part.to(device, non_blocking=True) for part in (batch.images, batch.labels))
                copied = copying.record_event()
                ready = self._normalise(Batch(images, labels, batch.parameters)), labels
            computing.wait_stream(copying)
            for tensor in ready:
                tensor.record_stream(computing)  # its memory is taken again only after the computation
            yield ready
            del images, labels, ready, tensor  # or they would stay until the next ones are there
            copied.synchronize()  # the loader fills the slot again when it is asked for the next batch
            if launched is not None:
                launched.synchronize()
            launched = computing.record_event()

    def _next_batch(self, launched: torch.Event | None = None) -> Batch | None:
        """The loader's next batch, None after the last. It was waited for if all that was launched is done by then."""
        before = time.perf_counter()
        batch = next(self._batches, None)
        if launched is None or launched.query():
            self.waited += time.perf_counter() - before
        return batch
