"""Stores alerts and their notifications in the history's database, so that they survive a restart of the daemon.

Only a channel's name is stored, never its address.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dq_pipelines.history.alerts.alert import BY_HAND, Alert, Notification
from dq_pipelines.history.alerts.run_cursor import RunsRead
from dq_pipelines.history.store.schema import ALERTS, ALERTS_HANDLED, ALERTS_TOLD
from dq_pipelines.history.store.verdicts import History

#: Replaces a message that was erased.
ERASED = "erased"


@dataclass(frozen=True)
class AlertBook:
    """The store of alerts, in the database of the history."""

    history: History

    @property
    def read(self) -> RunsRead:
        """The runs that the alerts sensor has read."""
        return RunsRead("alerts", self.history)

    def open(self) -> list[Alert]:
        """Returns the open alerts, oldest first."""
        return self._alerts(ALERTS.c.closed_at.is_(None))

    def since(self, moment: datetime) -> list[Alert]:
        """Returns the open alerts, and those that were closed at `moment` or later."""
        return self._alerts(ALERTS.c.closed_at.is_(None) | (ALERTS.c.closed_at >= moment))

    def page(self, limit: int, before: int | None = None, about: Collection[str] | None = None) -> list[Alert]:
        """Returns the last alerts, open or closed, newest first; with `before`, those with a lower number."""
        wanted = ALERTS.select().order_by(ALERTS.c.number.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(ALERTS.c.number < before)
        if about is not None:
            wanted = wanted.where(ALERTS.c.about.in_(about))
        with self.history.engine.connect() as connection:
            return [Alert(**row) for row in connection.execute(wanted).mappings().all()]

    def numbered(self, number: int) -> Alert | None:
        """Returns the alert of this number; None for none."""
        return next(iter(self._alerts(ALERTS.c.number == number)), None)

    def told(self, channel: str) -> dict[int, Notification]:
        """Returns a channel's notifications, by number of the alert."""
        wanted = ALERTS_TOLD.select().where(ALERTS_TOLD.c.channel == channel)
        with self.history.engine.connect() as connection:
            rows = connection.execute(wanted).mappings().all()
        return {row["number"]: Notification(row["at"], row["closed_at"]) for row in rows}

    def channels(self) -> dict[int, list[str]]:
        """Returns the notified channels, by number of the alert."""
        channels: dict[int, list[str]] = {}
        with self.history.engine.connect() as connection:
            for row in connection.execute(
                sa.select(ALERTS_TOLD.c.number, ALERTS_TOLD.c.channel).order_by(ALERTS_TOLD.c.channel)
            ):
                channels.setdefault(row.number, []).append(row.channel)
        return channels

    def write(self, alerts: Iterable[Alert], now: datetime, *, run_id: str | None = None) -> None:
        """Inserts or updates alerts, and marks the run as read, in one transaction."""
        with self.history.engine.begin() as connection:
            for alert in alerts:
                row = asdict(alert)
                if alert.number:
                    connection.execute(ALERTS.update().where(ALERTS.c.number == alert.number).values(**row))
                else:
                    connection.execute(ALERTS.insert().values({k: v for k, v in row.items() if k != "number"}))
            if run_id is not None:
                self.read.mark(connection, run_id, now)

    def tell(self, channel: str, numbers: Sequence[int], closed: Sequence[int], now: datetime) -> None:
        """Records that a channel was notified: of open alerts by `numbers`, of closed ones by `closed`."""
        with self.history.engine.begin() as connection:
            for number in (*numbers, *closed):
                this = (ALERTS_TOLD.c.number == number) & (ALERTS_TOLD.c.channel == channel)
                at, end = now, now if number in closed else None
                values: dict[str, Any] = {"closed_at": end} if number in closed else {"at": at}
                if connection.execute(ALERTS_TOLD.update().where(this).values(values)).rowcount == 0:
                    connection.execute(
                        ALERTS_TOLD.insert().values(number=number, channel=channel, at=at, closed_at=end)
                    )

    def dismiss(self, alerts: Iterable[Alert], now: datetime) -> None:
        """Closes alerts on a person's request; no channel gets a recovery message."""
        self.write([replace(alert, closed_at=now, closed_by=BY_HAND) for alert in alerts], now)

    def forget(self, before: datetime) -> None:
        """Deletes alerts that were closed earlier, with their notifications."""
        old = sa.select(ALERTS.c.number).where(ALERTS.c.closed_at < before)
        with self.history.engine.begin() as connection:
            for of_alert in (ALERTS_TOLD, ALERTS_HANDLED):
                connection.execute(of_alert.delete().where(of_alert.c.number.in_(old)))
            connection.execute(ALERTS.delete().where(ALERTS.c.closed_at < before))

    def erase(self, tables: Collection[str]) -> int:
        """Erases the message of every alert about these tables. Returns how many it erased."""
        about = ALERTS.c.about.in_(tables) & (ALERTS.c.said != ERASED)
        with self.history.engine.begin() as connection:
            return connection.execute(ALERTS.update().where(about).values(said=ERASED)).rowcount

    def _alerts(self, condition: sa.ColumnElement[bool]) -> list[Alert]:
        with self.history.engine.connect() as connection:
            rows = connection.execute(ALERTS.select().where(condition).order_by(ALERTS.c.number)).mappings().all()
        return [Alert(**row) for row in rows]
