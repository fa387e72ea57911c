"""Which alerts are open, and what was told of them to whom: beside the verdicts, so that a daemon that starts anew knows.

What opens an alert and when it is told belongs in `monitoring.alerts`. No address of a channel is kept, but its name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from dq_pipelines.history.alert import BY_HAND, Alert, Told
from dq_pipelines.history.reading import RunsRead
from dq_pipelines.history.store import History

#: What stands in place of a sentence that was erased.
ERASED = "erased"

_METADATA = sa.MetaData()

_ALERTS = sa.Table(
    "dq_alerts",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("event", sa.String(32), nullable=False),
    sa.Column("about", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("partition", sa.String(255)),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False),
    sa.Column("opened_at", sa.DateTime, nullable=False),
    sa.Column("closed_at", sa.DateTime),
    sa.Column("closed_by", sa.String(64), nullable=False),
    sa.Index("dq_alerts_closed", "closed_at"),
)
_TOLD = sa.Table(
    "dq_alerts_told",
    _METADATA,
    sa.Column("number", sa.ForeignKey("dq_alerts.number", ondelete="CASCADE"), primary_key=True),
    sa.Column("channel", sa.String(255), primary_key=True),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("closed_at", sa.DateTime),
)
_MOMENTS = ("opened_at", "closed_at", "at")


@dataclass(frozen=True)
class AlertBook:
    """The store of alerts, in the database of the history."""

    history: History

    @cached_property
    def _engine(self) -> sa.Engine:
        _METADATA.create_all(self.history.engine)
        return self.history.engine

    @property
    def read(self) -> RunsRead:
        """The runs that alerts were made of."""
        return RunsRead("alerts", self.history)

    def open(self) -> list[Alert]:
        """The alerts that are open, oldest first."""
        return self._alerts(_ALERTS.c.closed_at.is_(None))

    def since(self, moment: datetime) -> list[Alert]:
        """The alerts that are open, and those that were closed at `moment` or later."""
        return self._alerts(_ALERTS.c.closed_at.is_(None) | (_ALERTS.c.closed_at >= _naive(moment)))

    def told(self, channel: str) -> dict[int, Told]:
        """By number of the alert, what a channel was told."""
        wanted = _TOLD.select().where(_TOLD.c.channel == channel)
        with self._engine.connect() as connection:
            rows = connection.execute(wanted).mappings().all()
        return {row["number"]: Told(_aware(row["at"]), _aware(row["closed_at"])) for row in rows}

    def channels(self) -> dict[int, list[str]]:
        """By number of the alert, the channels that were told of it."""
        found: dict[int, list[str]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(sa.select(_TOLD.c.number, _TOLD.c.channel).order_by(_TOLD.c.channel)):
                found.setdefault(row.number, []).append(row.channel)
        return found

    def write(self, alerts: Iterable[Alert], now: datetime, *, run_id: str | None = None) -> None:
        """Write alerts as they now stand, and that a run was read, in one transaction."""
        self._engine, self.read.engine  # noqa: B018 - both have their tables before the transaction begins
        with self._engine.begin() as connection:
            for alert in alerts:
                row = {name: _naive(value) if name in _MOMENTS else value for name, value in asdict(alert).items()}
                if alert.number:
                    connection.execute(_ALERTS.update().where(_ALERTS.c.number == alert.number).values(**row))
                else:
                    connection.execute(_ALERTS.insert().values({k: v for k, v in row.items() if k != "number"}))
            if run_id is not None:
                self.read.mark(connection, run_id, now)

    def tell(self, channel: str, numbers: Sequence[int], closed: Sequence[int], now: datetime) -> None:
        """Note that a channel was told of these alerts, of those in `closed` that they are closed."""
        with self._engine.begin() as connection:
            for number in (*numbers, *closed):
                this = (_TOLD.c.number == number) & (_TOLD.c.channel == channel)
                at, end = _naive(now), _naive(now) if number in closed else None
                values: dict[str, Any] = {"closed_at": end} if number in closed else {"at": at}
                if connection.execute(_TOLD.update().where(this).values(values)).rowcount == 0:
                    connection.execute(_TOLD.insert().values(number=number, channel=channel, at=at, closed_at=end))

    def dismiss(self, alerts: Iterable[Alert], now: datetime) -> None:
        """Close alerts of which a person says that they need no mending; no channel is told that they are well again."""
        self.write([replace(alert, closed_at=now, closed_by=BY_HAND) for alert in alerts], now)

    def forget(self, before: datetime) -> None:
        """Drop what was closed earlier, with what was told of it."""
        old = sa.select(_ALERTS.c.number).where(_ALERTS.c.closed_at < _naive(before))
        with self._engine.begin() as connection:
            connection.execute(_TOLD.delete().where(_TOLD.c.number.in_(old)))
            connection.execute(_ALERTS.delete().where(_ALERTS.c.closed_at < _naive(before)))

    def erase(self, tables: Collection[str]) -> int:
        """Take the sentence out of every alert about these tables; how many had one."""
        about = _ALERTS.c.about.in_(tables) & (_ALERTS.c.said != ERASED)
        with self._engine.begin() as connection:
            return connection.execute(_ALERTS.update().where(about).values(said=ERASED)).rowcount

    def _alerts(self, condition: sa.ColumnElement[bool]) -> list[Alert]:
        with self._engine.connect() as connection:
            rows = connection.execute(_ALERTS.select().where(condition).order_by(_ALERTS.c.number)).mappings().all()
        return [_alert(row) for row in rows]


def _alert(row: Any) -> Alert:
    return Alert(**{name: _aware(value) if name in _MOMENTS else value for name, value in row.items()})


def _naive(moment: Any) -> Any:
    return moment if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _aware(moment: Any) -> Any:
    return moment if moment is None else moment.replace(tzinfo=UTC)
