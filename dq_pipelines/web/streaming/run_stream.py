"""Reads the events of each watched run once, for all its watchers.

The events are kept in order, and a watcher only has a position in them. So a slow client costs no memory, the database is
queried once, and a client that reconnects continues at its position. When the last watcher leaves, the events are dropped.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dagster as dg
from anyio.to_thread import run_sync
from sqlalchemy.exc import SQLAlchemyError

from dq_pipelines.web.streaming.run_events import RunEvent, events_after

#: Seconds between two queries of a run's log.
LOOK = 0.5
#: Seconds without an event after which the run's status is queried: a killed run has no last event.
_QUIET = 5.0


@dataclass
class RunStream:
    """The events of one run so far, and the task that reads further ones."""

    instance: dg.DagsterInstance
    run_id: str
    closing: threading.Event
    #: in the order of their ids
    events: list[RunEvent] = field(default_factory=list)
    #: the run has ended, so no more events will come
    has_ended: bool = False
    #: no more events will come, for any reason: the server may be stopping
    is_over: bool = False
    watchers: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def after(self, last: int, alive: float) -> AsyncIterator[RunEvent | None]:
        """The events after the one with id `last`, until the stream ends; None after each `alive` seconds without an event."""
        place = 0
        while True:
            for event in self.events[place:]:
                place += 1
                if event.id > last:
                    yield event
            if self.is_over and place == len(self.events):
                return
            try:
                async with asyncio.timeout(alive):  # `wait_for` would make a task for each watcher
                    await self._more(place)
            except TimeoutError:
                yield None

    async def _more(self, place: int) -> None:
        while place >= len(self.events) and not self.is_over:
            await self._news.wait()

    async def read(self) -> None:
        """Read events until the run ends or the server stops."""
        try:
            quiet_since = time.monotonic()
            while not (self.has_ended or self.closing.is_set()):
                known = len(self.events)
                self.has_ended = await run_sync(self._look, time.monotonic() - quiet_since > _QUIET)
                if len(self.events) > known:
                    quiet_since = time.monotonic()
                    self._notify()
                elif not self.has_ended:
                    await asyncio.sleep(LOOK)
        finally:
            self.is_over = True
            self._notify()

    def _notify(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _look(self, is_quiet: bool) -> bool:
        """Read the new events. Returns whether the run has ended."""
        try:
            # The status first: all events before the run's end can then be read.
            ended = is_quiet and self._is_finished()
            for page in events_after(self.instance, self.run_id, self.events[-1].id if self.events else 0):
                self.events += page
                ended |= any(event.is_last for event in page)
        except (SQLAlchemyError, dg.DagsterError):
            return False  # the database is briefly unavailable: the next query continues from here
        return ended

    def _is_finished(self) -> bool:
        run = self.instance.get_run_by_id(self.run_id)
        return run is None or run.is_finished


class RunStreams:
    """The streams of the runs that are watched now."""

    def __init__(self, closing: threading.Event) -> None:
        self._closing = closing
        self._open: dict[str, tuple[RunStream, asyncio.Task[None]]] = {}

    @property
    def watchers(self) -> int:
        return sum(stream.watchers for stream, _ in self._open.values())

    @asynccontextmanager
    async def watch(self, instance: dg.DagsterInstance, run_id: str) -> AsyncIterator[RunStream]:
        """The run's stream, until the block ends."""
        if run_id not in self._open:
            new = RunStream(instance, run_id, self._closing)
            self._open[run_id] = new, asyncio.create_task(new.read())
        stream, task = self._open[run_id]
        stream.watchers += 1
        try:
            yield stream
        finally:
            stream.watchers -= 1
            if not stream.watchers:
                self._open.pop(run_id, None)
                task.cancel()
