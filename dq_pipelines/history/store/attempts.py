"""Stores attempts: how each run of each table ended, even without a verdict."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dq_pipelines.history.store.changes import mark_changed
from dq_pipelines.history.store.schema import ATTEMPTS
from dq_pipelines.history.store.status import Outcome
from dq_pipelines.history.store.verdicts import History

#: Longest message of an attempt, in characters.
_LONGEST = 2_000


@dataclass(frozen=True)
class Attempt:
    """One run of one table, or of one of its partitions."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    partition: str | None
    run_id: str
    started_at: datetime
    outcome: Outcome = "running"
    ended_at: datetime | None = None
    #: the message, one sentence; "" without one
    said: str = ""
    #: whether the run only re-checks published rows
    recheck: bool = False
    #: "" where none is known
    batch: str = ""
    #: the process of the run, as `pipeline.runtime.processes` names it; "" where it cannot be observed
    process: str = ""
    #: keys of the upstream tables, separated by commas; "" or None where none is known
    upstream: str | None = ""

    @property
    def is_over(self) -> bool:
        return self.outcome != "running"

    @property
    def is_failure(self) -> bool:
        """Whether it ended without publishing; a cancelled attempt is no failure."""
        return self.outcome in ("failed", "waiting", "blocked")

    def ended(self, outcome: Outcome, at: datetime, said: str = "", batch: str = "") -> Attempt:
        """Returns the attempt with its outcome."""
        return replace(self, outcome=outcome, ended_at=at, said=said[:_LONGEST], batch=batch or self.batch)


_FIELDS = tuple(field.name for field in fields(Attempt))


@dataclass(frozen=True)
class Attempts:
    """The store of attempts, in the database of the history."""

    history: History

    def record(self, attempt: Attempt) -> None:
        """Stores an attempt; it replaces the earlier record of the same run, table and partition."""
        c = ATTEMPTS.c
        partition = c.partition.is_(None) if attempt.partition is None else c.partition == attempt.partition
        same = (c.table == attempt.table) & (c.run_id == attempt.run_id) & partition
        with self.history.engine.begin() as connection:
            if not connection.execute(ATTEMPTS.update().where(same).values(**asdict(attempt))).rowcount:
                connection.execute(ATTEMPTS.insert().values(**asdict(attempt)))
            mark_changed(connection, [attempt.table])

    def running(self) -> list[Attempt]:
        """Returns the attempts without a recorded end."""
        # The value is a part of the text, as that of the index: SQLite compares no parameter with it.
        is_running = ATTEMPTS.c.outcome == sa.literal_column("'running'")
        return self.select(ATTEMPTS.select().where(is_running).order_by(ATTEMPTS.c.id))

    def of_run(self, run_id: str) -> list[Attempt]:
        """Returns the attempts of one run, oldest first."""
        return self.select(ATTEMPTS.select().where(ATTEMPTS.c.run_id == run_id).order_by(ATTEMPTS.c.id))

    def page(
        self, tables: Collection[str] | None = None, limit: int = 50, before: int | None = None
    ) -> list[tuple[int, Attempt]]:
        """Returns the last attempts of some or all tables with their numbers, newest first; with `before`, lower ones."""
        wanted = ATTEMPTS.select().order_by(ATTEMPTS.c.id.desc()).limit(limit)
        if tables is not None:
            wanted = wanted.where(ATTEMPTS.c.table.in_(tables))
        if before is not None:
            wanted = wanted.where(ATTEMPTS.c.id < before)
        return self._numbered(wanted)

    def last(self, tables: Collection[str] | None = None, limit: int = 50) -> list[Attempt]:
        """Returns the last attempts, newest first."""
        return [attempt for _, attempt in self.page(tables, limit)]

    def last_success(self, table: str, partition: str | None = None) -> datetime | None:
        """Returns when the last successful attempt ended (published, or nothing new), of one partition or of any."""
        c = ATTEMPTS.c
        wanted = ATTEMPTS.select().where(c.table == table, c.outcome.in_(("published", "nothing_new")))
        if partition is not None:
            wanted = wanted.where(c.partition == partition)
        attempts = self.select(wanted.order_by(c.ended_at.desc()).limit(1))
        return attempts[0].ended_at if attempts else None

    def last_successes(self, tables: Collection[str]) -> dict[str, datetime]:
        """Returns when the last successful attempt of each of these tables ended; tables without any are left out."""
        c = ATTEMPTS.c
        if not self.history.is_begun:
            return {}
        wanted = sa.select(c.table, sa.func.max(c.ended_at).label("at")).group_by(c.table)
        wanted = wanted.where(c.table.in_(tables), c.outcome.in_(("published", "nothing_new")), c.ended_at.is_not(None))
        with self.history.engine.connect() as connection:
            return {row.table: row.at for row in connection.execute(wanted)}

    def counts(self) -> dict[tuple[str, str], int]:
        """Returns the number of ended attempts, by table and outcome."""
        c = ATTEMPTS.c
        wanted = (
            sa.select(c.table, c.outcome, sa.func.count()).where(c.outcome != "running").group_by(c.table, c.outcome)
        )
        if not self.history.is_begun:
            return {}
        with self.history.engine.connect() as connection:
            return {(table, outcome): count for table, outcome, count in connection.execute(wanted)}

    def select(self, wanted: sa.Select[Any]) -> list[Attempt]:
        """Returns the attempts of a query, in its order."""
        return [attempt for _, attempt in self._numbered(wanted)]

    def _numbered(self, wanted: sa.Select[Any]) -> list[tuple[int, Attempt]]:
        if not self.history.is_begun:
            return []
        with self.history.engine.connect() as connection:
            rows = connection.execute(wanted).mappings().all()
        return [(row["id"], Attempt(**{name: row[name] for name in _FIELDS})) for row in rows]


def last_attempts(history: History, tables: Collection[str] | None = None) -> dict[str, tuple[Attempt, ...]]:
    """Returns the last attempt of each partition, by table, without re-checks and running or cancelled attempts."""
    c = ATTEMPTS.c
    by = sa.func.row_number().over(partition_by=(c.table, c.partition), order_by=(c.started_at.desc(), c.id.desc()))
    # Of the numbers alone, so that the database sorts no messages.
    every = sa.select(c.id, by.label("place")).where(~c.recheck, c.outcome.not_in(("running", "cancelled")))
    if tables is not None:
        every = every.where(c.table.in_(tables))
    ranked = every.subquery("ranked")
    wanted = (
        sa.select(ATTEMPTS).join(ranked, ranked.c.id == c.id).where(ranked.c.place == 1).order_by(c.table, c.partition)
    )
    by_table: dict[str, tuple[Attempt, ...]] = {}
    for attempt in Attempts(history).select(wanted):
        by_table[attempt.table] = (*by_table.get(attempt.table, ()), attempt)
    return by_table
