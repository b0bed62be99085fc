"""TensorBoard's event files: one for what is logged from now on, and of a run that is continued one for what was logged
up to the last save, once.

TensorBoard's own way, a mark in a new file from which step on older points are void, needs the files in their order,
and cannot bring back what a killed process had not yet written.
"""

from __future__ import annotations

import io
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from cnnbench.runtime.files import SystemFile, remove, replacing

FILES = "events.out.tfevents.*"
HISTORY = "events.out.tfevents.0000000000.history"  # stands before all others, which bear the time

VERSION = "brain.Event:2"
PointKey = tuple[str, int]  # of a point: its tag and step


class EventFile:
    """A new event file. Each point is handed to the system at once, by this thread: that of torch's SummaryWriter has
    points of minutes in its queue when a run is killed, and tells of a full disk by a traceback."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """For points from `first_step` on: a TensorBoard that has read later ones drops those. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():010.0f}.{platform.node()}.{os.getpid()}.{time.monotonic_ns()}"
        self.file = io.BufferedWriter(SystemFile(folder / name, "x"))
        self.records = RecordWriter(self.file)
        self._add(Event(step=first_step, file_version=VERSION))
        self._add(Event(step=first_step, session_log=SessionLog(status=SessionLog.START)))

    def add(self, summary: Summary, step: int = 0) -> None:
        """Raises OSError."""
        self._add(Event(step=step, summary=summary))

    def close(self) -> None:
        self.file.close()

    def _add(self, event: Event) -> None:
        event.wall_time = time.time()
        self.records.write(event.SerializeToString())
        self.file.flush()


def rewrite(folder: Path, keeps: Callable[[str, int], bool], scalars: Mapping[PointKey, float]) -> None:
    """Bring the event files in `folder` into one, with `scalars` and those other points that `keeps` (tag, step) keeps.

    A kill leaves the points before or after. Raises OSError.
    """
    old = sorted(folder.glob(FILES))
    points = {(value.tag, event.step): (event.wall_time, value) for file in old for event, value in _values(file)}
    kept = {place: point for place, point in points.items() if place not in scalars and keeps(*place)}
    for place, figure in scalars.items():
        when = points[place][0] if place in points else time.time()
        kept[place] = when, Summary.Value(tag=place[0], simple_value=figure)
    if kept:
        folder.mkdir(exist_ok=True)
        with replacing(folder / HISTORY) as scratch:
            _write(scratch, kept)
    for file in folder.glob("*tfevents*"):  # also what a killed write has left
        if file.name != HISTORY or not kept:
            remove(file)


def _values(file: Path) -> Iterator[tuple[Event, Summary.Value]]:
    """The points of an event file, up to its end or to what a kill has cut."""
    for record in RawEventFileLoader(str(file)).Load():
        try:
            event = Event.FromString(record)
        except DecodeError:
            return
        for value in event.summary.value:
            yield event, value


def _write(path: Path, points: Mapping[PointKey, tuple[float, Summary.Value]]) -> None:
    with io.BufferedWriter(SystemFile(path, "w")) as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=time.time(), file_version=VERSION).SerializeToString())
        for (_, step), (when, value) in sorted(points.items(), key=lambda point: point[0][1]):
            writer.write(Event(wall_time=when, step=step, summary=Summary(value=[value])).SerializeToString())
