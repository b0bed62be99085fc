"""CPU time of the loop of `cnnbench train` but for what a bare loop does too: measured within the steps, since the
difference of two loops is lost in what else the machine does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import torch

from cnnbench.data.loading.loader import Batch
from cnnbench.data.loading.normalise import Normalise
from cnnbench.training.context import TrainContext

Value = TypeVar("Value")


class SharedWork:
    """CPU seconds, of all threads, of the work of a step that is the same in two loops that take turns with one
    network: normalisation, forward and backward pass, update, and the gradients' end."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, work: Callable[..., Value]) -> Callable[..., Value]:
        """`work`, whose CPU time is counted."""

        def counted(*given: Any, **named: Any) -> Value:
            before = time.process_time()
            try:
                return work(*given, **named)
            finally:
                self.seconds += time.process_time() - before

        return counted

    @contextmanager
    def turn(self, shares: list[float]) -> Iterator[None]:
        """Within this block a loop takes some steps; add to `shares` what it spends besides, of what is the same."""
        cpu, shared = time.process_time(), self.seconds
        yield
        whole, shared = time.process_time() - cpu, self.seconds - shared
        shares.append((whole - shared) / max(shared, 1e-9))

    def of(self, context: TrainContext) -> None:
        """Count what the loop has `context` do."""
        context.network.forward = self.timed(context.network.forward)  # type: ignore[method-assign]
        context.normalise = _Normalise(context.normalise, self)  # type: ignore[assignment]
        context.optimizer.zero_grad = self.timed(context.optimizer.zero_grad)  # type: ignore[method-assign]
        context.scaler = self.scaler(context.scaler)

    def scaler(self, real: torch.amp.GradScaler) -> torch.amp.GradScaler:
        """What does as `real` does, with its backward passes and updates counted."""
        return cast(torch.amp.GradScaler, _Scaler(real, self))


class _Normalise:
    def __init__(self, real: Normalise, shared: SharedWork) -> None:
        self.device, self._work = real.device, shared.timed(real)

    def __call__(self, batch: Batch) -> torch.Tensor:
        return self._work(batch)


class _Scaler:
    """A scaler whose loss has a backward pass that is counted, as is the update."""

    def __init__(self, real: torch.amp.GradScaler, shared: SharedWork) -> None:
        self._real, self._shared = real, shared
        self.step = shared.timed(real.step)

    def scale(self, loss: torch.Tensor) -> _Loss:
        return _Loss(self._real.scale(loss), self._shared)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _Loss:
    def __init__(self, real: torch.Tensor, shared: SharedWork) -> None:
        self.backward = shared.timed(real.backward)
