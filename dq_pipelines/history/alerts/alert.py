"""What an alert is, and what was told of it. Where they are kept is in `alert_book`, what opens one in `monitoring.alerts`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

#: The worst first.
SEVERITIES = ("critical", "warning", "info")

#: What has closed an alert that a person has closed: it need not be well.
BY_HAND = "by hand"

Key = tuple[str, str, str, str | None]


@dataclass(frozen=True)
class Alert:
    """Something that went wrong, and goes on until it is well again."""

    #: check_failed, run_failed, anomaly, freshness_missed, source_unreachable or quarantine
    event: str
    #: `silver/<name>` or `gold/<name>`, or the name of a job
    about: str
    #: the check; "" where the event is about the whole
    name: str
    partition: str | None
    severity: str
    #: rows that fail; 0 where no rows are counted
    count: int
    #: one sentence
    said: str
    #: the run that showed it last, or "" where no run was the fault
    run_id: str
    opened_at: datetime
    closed_at: datetime | None = None
    #: the run that showed it well again, or BY_HAND
    closed_by: str = ""
    #: given by the book; 0 until it is in there
    number: int = 0

    @property
    def key(self) -> Key:
        """What makes it the same alert: one of a key is open at a time."""
        return self.event, self.about, self.name, self.partition

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


@dataclass(frozen=True)
class Notification:
    """What a channel was told of an alert."""

    #: when it was last told that it is open
    at: datetime
    #: when it was told that it is closed, if it was
    closed_at: datetime | None = None
