"""Which of Dagster's runs a reader has read: so that one that comes after the runs (alerts, lineage) neither skips nor repeats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dq_pipelines.history.store.schema import RUNS_READ
from dq_pipelines.history.store.verdicts import History


@dataclass(frozen=True)
class RunsRead:
    """The runs that the reader of this name has done with."""

    reader: str
    history: History

    def remembered(self) -> set[str]:
        """The runs that were read and are not forgotten."""
        with self.history.engine.connect() as connection:
            return set(
                connection.execute(sa.select(RUNS_READ.c.run_id).where(RUNS_READ.c.reader == self.reader)).scalars()
            )

    def mark(self, connection: sa.Connection, run_id: str, now: datetime) -> None:
        """Note that a run was read, in the transaction that holds what came of it."""
        this = (RUNS_READ.c.reader == self.reader) & (RUNS_READ.c.run_id == run_id)
        connection.execute(RUNS_READ.delete().where(this))
        connection.execute(RUNS_READ.insert().values(reader=self.reader, run_id=run_id, read_at=now))

    def forget(self, before: datetime) -> None:
        """Drop what was read earlier: nobody looks so far back."""
        old = RUNS_READ.c.read_at < before
        with self.history.engine.begin() as connection:
            connection.execute(RUNS_READ.delete().where(RUNS_READ.c.reader == self.reader, old))
