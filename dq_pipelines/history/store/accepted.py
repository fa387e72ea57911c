"""Points of series that a person has called expected: beside the verdicts, which stay what was said at the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from dq_pipelines.history.store.schema import ACCEPTED
from dq_pipelines.history.store.verdicts import History


@dataclass(frozen=True)
class Accepted:
    """One point, and who said that it is as it should be."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    metric: str
    column: str | None
    #: the moment of the point in its series, aware
    at: datetime
    #: whether things are so from now on, and what was before says nothing any more; else it was an exception
    new_level: bool
    by: str
    note: str
    accepted_at: datetime

    @property
    def said(self) -> str:
        what = "accepted as a new level" if self.new_level else "accepted"
        return f"{what} by {self.by}{f': {self.note}' if self.note else ''}"


@dataclass(frozen=True)
class AcceptedPoints:
    """The store of accepted points, in the database of the history."""

    history: History

    def of(self, table: str, metric: str, column: str | None) -> dict[datetime, Accepted]:
        """Those of one series, by their moment."""
        return {one.at: one for one in self._found(*_series(table, metric, column))}

    def every(self) -> list[Accepted]:
        """All of them, by table, metric and moment."""
        return list(self._found())

    def accept(self, point: Accepted) -> None:
        """Remember it; one that was accepted before is accepted anew."""
        row = asdict(point) | {"column": point.column or ""}
        with self.history.engine.begin() as connection:
            connection.execute(ACCEPTED.delete().where(*self._this(point.table, point.metric, point.column, point.at)))
            connection.execute(ACCEPTED.insert().values(**row))

    def reopen(self, table: str, metric: str, column: str | None, at: datetime) -> bool:
        """Take it back; whether there was anything to take back."""
        with self.history.engine.begin() as connection:
            gone = connection.execute(ACCEPTED.delete().where(*self._this(table, metric, column, at)))
        return gone.rowcount > 0

    @staticmethod
    def _this(table: str, metric: str, column: str | None, at: datetime) -> list[sa.ColumnElement[bool]]:
        return [*_series(table, metric, column), ACCEPTED.c.at == at]

    def _found(self, *where: sa.ColumnElement[bool]) -> Iterator[Accepted]:
        if not self.history.is_begun:
            return
        c = ACCEPTED.c
        wanted = ACCEPTED.select().where(*where).order_by(c.table, c.metric, c.column, c.at)
        with self.history.engine.connect() as connection:
            rows = connection.execute(wanted).mappings().all()
        for row in rows:
            yield Accepted(**dict(row) | {"column": row["column"] or None})


def _series(table: str, metric: str, column: str | None) -> list[sa.ColumnElement[bool]]:
    c = ACCEPTED.c
    return [c.table == table, c.metric == metric, c.column == (column or "")]
