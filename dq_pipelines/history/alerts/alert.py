"""Defines an alert and a notification of it. `alert_book` stores them, `monitoring.alerts` opens and closes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

#: Worst first.
SEVERITIES = ("critical", "warning", "info")

#: The `closed_by` of an alert that a person closed, whether or not the failure still exists.
BY_HAND = "by hand"

Key = tuple[str, str, str, str | None]


@dataclass(frozen=True)
class Alert:
    """A failure that stays open until the same thing succeeds again."""

    #: check_failed, run_failed, anomaly, freshness_missed, source_unreachable or quarantine
    event: str
    #: `silver/<name>` or `gold/<name>`, or the name of a job
    about: str
    #: the check; "" where the event is about the whole table or job
    name: str
    partition: str | None
    severity: str
    #: failing rows; 0 where no rows are counted
    count: int
    #: the message, one sentence
    said: str
    #: the last run that failed this way; "" where no run did
    run_id: str
    opened_at: datetime
    closed_at: datetime | None = None
    #: the run that succeeded again, or BY_HAND
    closed_by: str = ""
    #: the number in the store; 0 until it is stored
    number: int = 0

    @property
    def key(self) -> Key:
        """Identifies the alert: at most one alert of a key is open."""
        return self.event, self.about, self.name, self.partition

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


@dataclass(frozen=True)
class Notification:
    """The messages that a channel got about an alert."""

    #: when it was last notified that the alert is open
    at: datetime
    #: when it was notified that the alert is closed; None before
    closed_at: datetime | None = None
