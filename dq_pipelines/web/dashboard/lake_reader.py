"""Counts rows in the lake and caches the counts. To open a table takes 20 ms, so a page of many tables waits for a few alone.

The others are counted by a thread, and all counts of tables on a disk are stored, by the version of the tables' logs.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import PublishError
from dq_pipelines.history.queries.change_token import change_marks, change_token
from dq_pipelines.history.store.lake_counts import store_counts, stored_counts
from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.lake.formats.base import TableFormat
from dq_pipelines.pipeline.current_status import skipped_inputs_now
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.web.dashboard.cached import Cached
from dq_pipelines.web.dashboard.lake_counts import (
    LakeCounts,
    TableCounts,
    as_text,
    count_table,
    from_text,
    layers_of,
)
from dq_pipelines.web.dashboard.lake_errors import told

#: Seconds after which a table is read again where nothing tells whether it has changed, or where it could not be read.
LOOK_AGAIN = 30.0
#: Tables that are read in parallel, and tables that a page waits for at most.
_AT_ONCE, _WAITED_FOR = 8, 50
#: Tables that the thread counts between two writes to the history.
_STORED_AT_ONCE = 25


@dataclass(frozen=True)
class _Known:
    """The counts of one table, with the version that they are of."""

    version: str
    counts: TableCounts
    #: when they were counted, by the monotonic clock
    at: float
    #: whether a change of the table gives it another version: else they are counted again after LOOK_AGAIN
    is_sure: bool = True

    def is_current(self, version: str, at: float) -> bool:
        """Whether they need not be counted again."""
        return self.version == version and (self.is_sure or at <= self.at + LOOK_AGAIN)


class LakeReader:
    """The counts of all tables of a lake."""

    def __init__(self, stores: Stores, closing: threading.Event) -> None:
        self._stores, self._closing = stores, closing
        self._known: dict[str, _Known] = {}
        self._formats: dict[str, TableFormat] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._asides: Cached[tuple[Mapping[str, ResultRecord], str]] = Cached(LOOK_AGAIN)
        self._lock = threading.Lock()
        self._waiting: dict[str, str] = {}
        self._thread: threading.Thread | None = None
        self._is_loaded = False

    @property
    def is_counting(self) -> bool:
        """Whether tables wait to be counted by the thread."""
        return self._thread is not None

    def now(self, tables: Iterable[str]) -> LakeCounts:
        """The counts of these tables; all that have changed are counted."""
        keys = list(tables)
        self._count(self._outdated(keys))
        return self._assembled(keys)

    def soon(self, tables: Iterable[str]) -> LakeCounts:
        """The same, but if many have changed, they are counted by a thread, and `uncounted` until then."""
        keys = list(tables)
        outdated = self._outdated(keys)
        if len(outdated) <= _WAITED_FOR:
            self._count(outdated)
            return self._assembled(keys)
        self._count_in_thread(outdated)
        # Counts that are only old, with no sign of a change, are shown meanwhile.
        known = self._known
        changed = {
            table for table, version in outdated.items() if table not in known or known[table].version != version
        }
        return self._assembled(keys, frozenset(changed))

    def _assembled(self, tables: Sequence[str], uncounted: frozenset[str] = frozenset()) -> LakeCounts:
        asides, note = self._asides.get(change_token(self._stores.history), self._look_aside)
        found = [known.counts for table in tables if (known := self._known.get(table)) is not None]
        rows = {key: count for one in found for key, count in one.rows.items()}
        notes = tuple(said for said in (note, *(one.note for one in found)) if said)
        return LakeCounts(rows, {one.quarantine.table: one.quarantine for one in found}, asides, notes, uncounted)

    def _look_aside(self) -> tuple[Mapping[str, ResultRecord], str]:
        try:
            return skipped_inputs_now(self._stores.lake), ""
        except PublishError as error:
            return {}, f"Inputs that are set aside are not listed: {told(error, self._stores.lake)}"

    def _outdated(self, tables: Sequence[str]) -> dict[str, str]:
        """The tables to count, with their version; "" where only the history's mark tells of a change."""
        self._load()
        marks: Mapping[str, str] | None = None
        outdated, at = {}, time.monotonic()
        for table in tables:
            version = self._version(table)
            if version is None:
                marks = change_marks(self._stores.history) if marks is None else marks
                version = f"mark {marks.get(table)}"
            known = self._known.get(table)
            if known is None or not known.is_current(version, at):
                outdated[table] = version
        return outdated

    def _version(self, table: str) -> str | None:
        """A text that changes with each commit to a layer of the table; None in an object store, which gives none."""
        tokens = []
        for key in layers_of(table):
            one = self._stores.lake.table(key)
            # A table keeps its format as long as it exists; to find it takes longer than its token.
            kept = self._formats.get(key)
            token = kept.change_token(one) if kept is not None else None
            if token is None:
                self._formats[key] = one.format
                token = self._formats[key].change_token(one)
            if token is None and (is_remote(one.uri) or one.exists):
                return None
            tokens.append(token)
        return repr(tokens)

    def _load(self) -> None:
        """Take over the stored counts, once."""
        with self._lock:
            if self._is_loaded or not self._stores.history.is_begun:
                return
            for table, (version, text) in stored_counts(self._stores.history).items():
                if (counts := from_text(table, text)) is not None:
                    self._known.setdefault(table, _Known(version, counts, 0.0))
            self._is_loaded = True

    def _count(self, tables: Mapping[str, str]) -> None:
        if tables:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                self._store(pool.map(self._counted, tables, tables.values()))

    def _counted(self, table: str, version: str) -> tuple[str, _Known]:
        with self._locks[table]:
            known, at = self._known.get(table), time.monotonic()
            if known is None or not known.is_current(version, at):
                counts = count_table(self._stores.lake, table)
                is_sure = not (counts.note or version.startswith("mark "))
                known = self._known[table] = _Known(version, counts, at, is_sure)
        return table, known

    def _store(self, counted: Iterable[tuple[str, _Known]]) -> None:
        texts = {table: (known.version, as_text(known.counts)) for table, known in counted if known.is_sure}
        with suppress(SQLAlchemyError):  # then they are counted again after a restart
            store_counts(self._stores.history, texts)

    def _count_in_thread(self, tables: Mapping[str, str]) -> None:
        with self._lock:
            self._waiting |= tables
            if self._thread is None:
                self._thread = threading.Thread(target=self._count_waiting, name="lake-counts", daemon=True)
                self._thread.start()

    def _count_waiting(self) -> None:
        while True:
            with self._lock:
                some = dict(list(self._waiting.items())[:_STORED_AT_ONCE])
                if not some or self._closing.is_set():
                    self._waiting, self._thread = {}, None
                    return
            with suppress(Exception):  # a page that shows one of these tables counts it, and says what is wrong
                self._store([self._counted(*one) for one in some.items()])
            with self._lock:
                self._waiting = {
                    table: version for table, version in self._waiting.items() if some.get(table) != version
                }
