"""Streams and events of the simulated device: tasks in order within a stream, at any time between two streams."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import torch

DEVICE_TYPE = torch._C._autograd.DeviceType.PrivateUse1
DEEPEST = 1024  # tasks of a stream after which launching another one has to wait, as on CUDA
SOONER = 0.2  # probability that a launch lets the device get on by itself


@dataclass
class Mark:
    """A place in a stream, which has been reached or not."""

    stream: Stream
    reached: bool = False


@dataclass(frozen=True)
class WaitFor:
    """A task of a stream: nothing after it before another stream has reached `mark`."""

    mark: Mark


class Stream(torch.Stream):
    """Tasks that are done in their order, when somebody waits for them, or at some moment before."""

    schedule: Schedule
    tasks: deque[Callable[[], None] | Mark | WaitFor]

    def __new__(cls, schedule: Schedule, number: int) -> Stream:
        own = super().__new__(cls, stream_id=number, device_index=0, device_type=int(DEVICE_TYPE))
        own.schedule, own.tasks = schedule, deque()
        return own

    def launch(self, task: Callable[[], None] | Mark | WaitFor) -> None:
        """Have `task` done after all others of this stream; meanwhile the device may get on with some of them."""
        self.tasks.append(task)
        if len(self.tasks) > DEEPEST:
            self.do_next(wait=True)
        self.schedule.get_on()

    def do_next(self, wait: bool) -> bool:
        """Do the first task; whether it could be done. One that waits for another stream: if `wait`, that is done."""
        task = self.tasks[0]
        if isinstance(task, WaitFor):
            if not task.mark.reached and not wait:
                return False
            task.mark.stream.reach(task.mark)
        self.tasks.popleft()
        if isinstance(task, Mark):
            task.reached = True
        elif not isinstance(task, WaitFor):
            with torch.inference_mode(False), torch.no_grad():  # whatever the host is about by now
                task()
        return True

    def reach(self, mark: Mark) -> None:
        while not mark.reached:
            self.do_next(wait=True)

    def drain(self) -> None:
        """Do all that was launched."""
        while self.tasks:
            self.do_next(wait=True)

    def synchronize(self) -> None:
        self.schedule.waits["stream"] += 1
        self.drain()

    def query(self) -> bool:
        self.schedule.get_on()
        return not self.tasks

    def record_event(self, event: Event | None = None) -> Event:
        event = event or Event(self.schedule)
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        if event.mark is not None:
            self.launch(WaitFor(event.mark))

    def wait_stream(self, stream: Stream) -> None:
        self.wait_event(stream.record_event())


class Event:
    """A place in a stream that the host, or another stream, can wait for."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.mark: Mark | None = None

    def record(self, stream: Stream | None = None) -> None:
        stream = stream or self.schedule.current
        self.mark = Mark(stream)
        stream.launch(self.mark)

    def query(self) -> bool:
        self.schedule.get_on()
        return self.mark is None or self.mark.reached

    def synchronize(self) -> None:
        self.schedule.waits["event"] += 1
        if self.mark is not None:
            self.mark.stream.reach(self.mark)

    def wait(self, stream: Stream | None = None) -> None:
        (stream or self.schedule.current).wait_event(self)


class Schedule:
    """All streams of the device, and who has waited for it: kind -> times."""

    def __init__(self, seed: int, sooner: float = SOONER) -> None:
        self.random, self.sooner = Random(seed), sooner
        self.waits: Counter[str] = Counter()
        self.streams = [Stream(self, 0)]
        self.current = self.streams[0]

    def stream(self, *_: Any, **__: Any) -> Stream:
        """A new stream."""
        self.streams.append(Stream(self, len(self.streams)))
        return self.streams[-1]

    def event(self, *_: Any, **__: Any) -> Event:
        """A new event."""
        return Event(self)

    @contextmanager
    def using(self, stream: Stream) -> Iterator[None]:
        """What is launched within the block goes to `stream`."""
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    def get_on(self) -> None:
        """Do, now and then, some tasks of some stream: nobody on the host can know."""
        if self.random.random() < self.sooner:
            stream = self.random.choice(self.streams)
            for _ in range(self.random.randint(1, 16)):
                if not stream.tasks or not stream.do_next(wait=False):
                    break

    def drain(self) -> None:
        """Do all that was launched on all streams."""
        while any(stream.tasks for stream in self.streams):
            for stream in self.streams:
                stream.drain()
