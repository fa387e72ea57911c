"""Decides which alerts open, change or close by the findings of a run. It has no side effects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from dq_pipelines.history.alerts.alert import Alert, Key

#: Prefix of the names of anomaly checks.
ANOMALY = "anomaly_"
#: The rule on the age of the newest row.
FRESHNESS = "expect_table_to_be_fresh"

#: Longest message of an alert, in characters.
_LONGEST = 300


@dataclass(frozen=True)
class Finding:
    """One success or failure that a run reports."""

    #: check_failed, run_failed, anomaly, freshness_missed, source_unreachable or quarantine
    event: str
    #: `silver/<name>` or `gold/<name>`, or the name of a job
    about: str
    is_well: bool
    #: the check; "" where the event is about the whole table or job
    name: str = ""
    partition: str | None = None
    severity: str = "critical"
    #: failing rows
    count: int = 0
    #: the message, one sentence
    said: str = ""
    run_id: str = ""

    @property
    def key(self) -> Key:
        return self.event, self.about, self.name, self.partition


def event_of(check: str, rule: str | None) -> str:
    """Returns the event of a failed check, from its name and the type of its rule."""
    if check.startswith(ANOMALY):
        return "anomaly"
    return "freshness_missed" if rule == FRESHNESS else "check_failed"


def opened(findings: Iterable[Finding], open_alerts: Iterable[Alert], at: datetime) -> list[Alert]:
    """Returns the alerts that the findings of moment `at` open, update or close.

    An updated alert keeps its number and its opening time, and gets the latest message.
    """
    before = {alert.key: alert for alert in open_alerts}
    changed: dict[Key, Alert] = {}
    for finding in findings:
        alert = changed.get(finding.key) or before.get(finding.key)
        is_open = alert is not None and alert.is_open
        if not finding.is_well:
            message = " ".join(finding.said.split())
            message = message if len(message) <= _LONGEST else f"{message[: _LONGEST - 3]}..."
            if alert is not None and is_open:
                now = replace(
                    alert, severity=finding.severity, count=finding.count, said=message, run_id=finding.run_id
                )
            else:
                now = Alert(*finding.key, finding.severity, finding.count, message, finding.run_id, at)
            changed[finding.key] = now
        elif alert is not None and is_open:
            changed[finding.key] = replace(alert, closed_at=at, closed_by=finding.run_id)
    return [alert for alert in changed.values() if alert != before.get(alert.key)]
