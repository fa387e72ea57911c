"""Stores what people do about alerts: who has acknowledged one, whom it is assigned to, and until when it is muted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from dq_pipelines.history.alerts.alert import Alert
from dq_pipelines.history.alerts.alert_book import AlertBook
from dq_pipelines.history.store.schema import ALERTS_HANDLED
from dq_pipelines.history.store.verdicts import History


@dataclass(frozen=True)
class Handling:
    """What people have done about one alert."""

    #: the number of the alert
    number: int
    #: the user who acknowledged it, which ends repeated notifications; "" for none
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    #: the user who is responsible for it; "" for none
    assigned_to: str = ""
    #: until when no channel is notified that it is open; None for not muted
    muted_until: datetime | None = None
    note: str = ""

    @property
    def is_acknowledged(self) -> bool:
        return bool(self.acknowledged_by)

    def is_muted(self, now: datetime) -> bool:
        """Whether channels are not to be notified that it is open."""
        return self.muted_until is not None and now < self.muted_until


@dataclass(frozen=True)
class HandledAlert:
    """An alert, what people have done about it, and who was notified."""

    alert: Alert
    handling: Handling
    #: the names of the notified channels
    sent_to: Sequence[str]


def handled_alerts(history: History, alerts: Sequence[Alert]) -> list[HandledAlert]:
    """Returns these alerts with their handling and their channels, in their order."""
    if not alerts:
        return []
    handled, channels = Handlings(history).by_number(one.number for one in alerts), AlertBook(history).channels()
    return [
        HandledAlert(one, handled.get(one.number, Handling(one.number)), channels.get(one.number, ())) for one in alerts
    ]


@dataclass(frozen=True)
class Handlings:
    """The store of handlings, in the database of the history."""

    history: History

    def by_number(self, numbers: Iterable[int] | None = None) -> Mapping[int, Handling]:
        """Returns the handlings of these alerts, or of all, by number of the alert."""
        wanted = ALERTS_HANDLED.select()
        if numbers is not None:
            wanted = wanted.where(ALERTS_HANDLED.c.number.in_(list(numbers)))
        with self.history.engine.connect() as connection:
            rows = connection.execute(wanted).mappings().all()
        return {row["number"]: Handling(**row) for row in rows}

    def write(self, handling: Handling) -> None:
        """Stores the handling of an alert; it replaces the earlier one."""
        with self.history.engine.begin() as connection:
            this = ALERTS_HANDLED.c.number == handling.number
            if not connection.execute(ALERTS_HANDLED.update().where(this).values(**asdict(handling))).rowcount:
                connection.execute(sa.insert(ALERTS_HANDLED).values(**asdict(handling)))
