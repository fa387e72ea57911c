"""Which of Dagster's runs a reader has read: so that one that comes after the runs (alerts, lineage) neither skips nor repeats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import sqlalchemy as sa

from dq_pipelines.history.store import History

_METADATA = sa.MetaData()

_READ = sa.Table(
    "dq_runs_read",
    _METADATA,
    sa.Column("reader", sa.String(32), primary_key=True),
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("read_at", sa.DateTime, nullable=False),
)


@dataclass(frozen=True)
class RunsRead:
    """The runs that the reader of this name has done with."""

    reader: str
    history: History

    @cached_property
    def engine(self) -> sa.Engine:
        _METADATA.create_all(self.history.engine)
        return self.history.engine

    def remembered(self) -> set[str]:
        """The runs that were read and are not forgotten."""
        with self.engine.connect() as connection:
            return set(connection.execute(sa.select(_READ.c.run_id).where(_READ.c.reader == self.reader)).scalars())

    def mark(self, connection: sa.Connection, run_id: str, now: datetime) -> None:
        """Note that a run was read, in the transaction that holds what came of it."""
        this = (_READ.c.reader == self.reader) & (_READ.c.run_id == run_id)
        connection.execute(_READ.delete().where(this))
        moment = now.astimezone(UTC).replace(tzinfo=None)
        connection.execute(_READ.insert().values(reader=self.reader, run_id=run_id, read_at=moment))

    def forget(self, before: datetime) -> None:
        """Drop what was read earlier: nobody looks so far back."""
        old = _READ.c.read_at < before.astimezone(UTC).replace(tzinfo=None)
        with self.engine.begin() as connection:
            connection.execute(_READ.delete().where(_READ.c.reader == self.reader, old))
