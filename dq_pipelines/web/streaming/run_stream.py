"""One reader for each run that is watched, however many watch it.

What it has read is kept once, in order; whoever watches has but a place in it. So a slow client holds nothing but its place, none
is asked for anything twice, and one that comes back goes on where it was. When nobody watches any more, all is forgotten.
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

#: Seconds between two looks at a run's log.
LOOK = 0.5
#: Seconds without an event after which the run's own status is asked: a run that was killed has no last event.
_QUIET = 5.0


@dataclass
class RunStream:
    """What one run has said so far, and the task that reads on."""

    instance: dg.DagsterInstance
    run_id: str
    closing: threading.Event
    #: in the order of their numbers
    words: list[RunEvent] = field(default_factory=list)
    #: nothing more will come, since the run has ended
    has_ended: bool = False
    #: nothing more will come, whyever: the server may end
    is_over: bool = False
    watchers: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def after(self, last: int, alive: float) -> AsyncIterator[RunEvent | None]:
        """Words after the event of this number until nothing more will come; None whenever so many seconds went by without."""
        place = 0
        while True:
            for word in self.words[place:]:
                place += 1
                if word.id > last:
                    yield word
            if self.is_over and place == len(self.words):
                return
            try:
                async with asyncio.timeout(alive):  # no task for each who waits, as `wait_for` makes one
                    await self._more(place)
            except TimeoutError:
                yield None

    async def _more(self, place: int) -> None:
        while place >= len(self.words) and not self.is_over:
            await self._news.wait()

    async def read(self) -> None:
        """Read on until the run has ended or the server does."""
        try:
            quiet_since = time.monotonic()
            while not (self.has_ended or self.closing.is_set()):
                known = len(self.words)
                self.has_ended = await run_sync(self._look, time.monotonic() - quiet_since > _QUIET)
                if len(self.words) > known:
                    quiet_since = time.monotonic()
                    self._tell()
                elif not self.has_ended:
                    await asyncio.sleep(LOOK)
        finally:
            self.is_over = True
            self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _look(self, is_quiet: bool) -> bool:
        """Take in what is new; whether the run has ended."""
        try:
            # The status first: what came before the run's end is then there to be read.
            ended = is_quiet and self._is_finished()
            for page in events_after(self.instance, self.run_id, self.words[-1].id if self.words else 0):
                self.words += page
                ended |= any(word.is_last for word in page)
        except (SQLAlchemyError, dg.DagsterError):
            return False  # a database that is away for a moment: the next look goes on from there
        return ended

    def _is_finished(self) -> bool:
        run = self.instance.get_run_by_id(self.run_id)
        return run is None or run.is_finished


class RunStreams:
    """The runs that are watched now, each by its one reader."""

    def __init__(self, closing: threading.Event) -> None:
        self._closing = closing
        self._open: dict[str, tuple[RunStream, asyncio.Task[None]]] = {}

    @property
    def watchers(self) -> int:
        return sum(feed.watchers for feed, _ in self._open.values())

    @asynccontextmanager
    async def watch(self, instance: dg.DagsterInstance, run_id: str) -> AsyncIterator[RunStream]:
        """The run's feed, for as long as the block lasts."""
        if run_id not in self._open:
            made = RunStream(instance, run_id, self._closing)
            self._open[run_id] = made, asyncio.create_task(made.read())
        feed, task = self._open[run_id]
        feed.watchers += 1
        try:
            yield feed
        finally:
            feed.watchers -= 1
            if not feed.watchers:
                self._open.pop(run_id, None)
                task.cancel()
