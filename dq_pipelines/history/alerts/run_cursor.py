"""Records which Dagster runs a reader (alerts, lineage) has handled, so that it handles each exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dq_pipelines.history.store.schema import RUNS_READ
from dq_pipelines.history.store.verdicts import History


@dataclass(frozen=True)
class RunsRead:
    """The runs that the named reader has handled."""

    reader: str
    history: History

    def remembered(self) -> set[str]:
        """Returns the ids of handled runs that were not forgotten."""
        with self.history.engine.connect() as connection:
            return set(
                connection.execute(sa.select(RUNS_READ.c.run_id).where(RUNS_READ.c.reader == self.reader)).scalars()
            )

    def mark(self, connection: sa.Connection, run_id: str, now: datetime) -> None:
        """Marks a run as handled, in the transaction that writes the results."""
        this = (RUNS_READ.c.reader == self.reader) & (RUNS_READ.c.run_id == run_id)
        connection.execute(RUNS_READ.delete().where(this))
        connection.execute(RUNS_READ.insert().values(reader=self.reader, run_id=run_id, read_at=now))

    def forget(self, before: datetime) -> None:
        """Deletes the marks of runs that were handled earlier: no reader looks back that far."""
        old = RUNS_READ.c.read_at < before
        with self.history.engine.begin() as connection:
            connection.execute(RUNS_READ.delete().where(RUNS_READ.c.reader == self.reader, old))
