"""Stores points that a person accepted as expected. The verdicts themselves do not change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from dq_pipelines.history.store.schema import ACCEPTED
from dq_pipelines.history.store.verdicts import History


@dataclass(frozen=True)
class AcceptedPoint:
    """One accepted point of a series, and who accepted it."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    metric: str
    column: str | None
    #: the moment of the point in its series, timezone-aware
    at: datetime
    #: True: the series has a new level, and earlier points no longer count; False: the point was an exception
    new_level: bool
    by: str
    note: str
    accepted_at: datetime

    @property
    def sentence(self) -> str:
        """Says how, by whom and why the point was accepted."""
        what = "accepted as a new level" if self.new_level else "accepted"
        return f"{what} by {self.by}{f': {self.note}' if self.note else ''}"


@dataclass(frozen=True)
class AcceptedPoints:
    """The store of accepted points, in the database of the history."""

    history: History

    def of(self, table: str, metric: str, column: str | None) -> dict[datetime, AcceptedPoint]:
        """Returns the accepted points of one series, by moment."""
        return {point.at: point for point in self._select(*_series(table, metric, column))}

    def every(self) -> list[AcceptedPoint]:
        """Returns all accepted points, by table, metric and moment."""
        return list(self._select())

    def accept(self, point: AcceptedPoint) -> None:
        """Stores an accepted point; it replaces an earlier acceptance."""
        row = asdict(point) | {"column": point.column or ""}
        with self.history.engine.begin() as connection:
            connection.execute(ACCEPTED.delete().where(*self._this(point.table, point.metric, point.column, point.at)))
            connection.execute(ACCEPTED.insert().values(**row))

    def reopen(self, table: str, metric: str, column: str | None, at: datetime) -> bool:
        """Removes an acceptance. Returns whether there was one."""
        with self.history.engine.begin() as connection:
            deleted = connection.execute(ACCEPTED.delete().where(*self._this(table, metric, column, at)))
        return deleted.rowcount > 0

    @staticmethod
    def _this(table: str, metric: str, column: str | None, at: datetime) -> list[sa.ColumnElement[bool]]:
        return [*_series(table, metric, column), ACCEPTED.c.at == at]

    def _select(self, *where: sa.ColumnElement[bool]) -> Iterator[AcceptedPoint]:
        if not self.history.is_begun:
            return
        c = ACCEPTED.c
        wanted = ACCEPTED.select().where(*where).order_by(c.table, c.metric, c.column, c.at)
        with self.history.engine.connect() as connection:
            rows = connection.execute(wanted).mappings().all()
        for row in rows:
            yield AcceptedPoint(**dict(row) | {"column": row["column"] or None})


def _series(table: str, metric: str, column: str | None) -> list[sa.ColumnElement[bool]]:
    c = ACCEPTED.c
    return [c.table == table, c.metric == metric, c.column == (column or "")]
