"""What a run said, and which alerts it opens, renews or closes. Pure: who reads runs and writes alerts is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from dq_pipelines.history.alerts.alert import Alert, Key

#: How the checks on anomalies are called.
ANOMALY = "anomaly_"
#: The rule that says how old the newest row is.
FRESHNESS = "expect_table_to_be_fresh"

_SAID = 300


@dataclass(frozen=True)
class Finding:
    """One thing that a run said: that it is well, or that it is not."""

    #: check_failed, run_failed, anomaly, freshness_missed, source_unreachable or quarantine
    event: str
    #: `silver/<name>` or `gold/<name>`, or the name of a job
    about: str
    is_well: bool
    #: the check; "" where the event is about the whole
    name: str = ""
    partition: str | None = None
    severity: str = "critical"
    #: rows that fail
    count: int = 0
    #: one sentence
    said: str = ""
    run_id: str = ""

    @property
    def key(self) -> Key:
        return self.event, self.about, self.name, self.partition


def event_of(check: str, rule: str | None) -> str:
    """Which event a failed check is, by its name and the type of its rule."""
    if check.startswith(ANOMALY):
        return "anomaly"
    return "freshness_missed" if rule == FRESHNESS else "check_failed"


def opened(findings: Iterable[Finding], open_alerts: Iterable[Alert], at: datetime) -> list[Alert]:
    """The alerts that change by what was found at `at`: those that open, those that go on, those that close.

    What goes on keeps its number and the moment since which it is open, and says what was found last.
    """
    known = {alert.key: alert for alert in open_alerts}
    changed: dict[Key, Alert] = {}
    for found in findings:
        alert = changed.get(found.key) or known.get(found.key)
        still = alert is not None and alert.is_open
        if not found.is_well:
            said = " ".join(found.said.split())
            said = said if len(said) <= _SAID else f"{said[: _SAID - 3]}..."
            if alert is not None and still:
                now = replace(alert, severity=found.severity, count=found.count, said=said, run_id=found.run_id)
            else:
                now = Alert(*found.key, found.severity, found.count, said, found.run_id, at)
            changed[found.key] = now
        elif alert is not None and still:
            changed[found.key] = replace(alert, closed_at=at, closed_by=found.run_id)
    return [alert for alert in changed.values() if alert != known.get(alert.key)]
