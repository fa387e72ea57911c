"""Collects the content of the page of alerts: open ones by cause, and those that were closed lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from dq_pipelines.history.alerts.alert import SEVERITIES
from dq_pipelines.history.alerts.alert_book import AlertBook
from dq_pipelines.history.alerts.handling import HandledAlert, handled_alerts
from dq_pipelines.web.auth.alert_rights import may_handle, sees_alert
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.dashboard.request_context import PageContext, RequestContext

#: Alerts that are read, and closed ones that are shown.
_MOST, _CLOSED = 2000, 25
#: Colour of a severity.
TONES = {"critical": "failing", "warning": "warning", "info": "never_run"}
#: What an alert may be muted for.
MUTES: Mapping[str, timedelta] = {"1 hour": timedelta(hours=1), "1 day": timedelta(days=1), "1 week": timedelta(days=7)}


@dataclass(frozen=True)
class AlertRow(HandledAlert):
    """One alert on the page."""

    may_handle: bool

    @property
    def tone(self) -> str:
        return TONES.get(self.alert.severity, "never_run")

    @property
    def what(self) -> str:
        """The check, else the event in words."""
        return self.alert.name or self.alert.event.replace("_", " ")


@dataclass(frozen=True)
class Cause:
    """Alerts that one run has opened or confirmed last, about one table."""

    about: str
    run_id: str
    owners: Sequence[str]
    rows: Sequence[AlertRow]

    @property
    def rank(self) -> tuple[int, float]:
        """A sort key: the worst first, then the newest."""
        worst = min(SEVERITIES.index(row.alert.severity) for row in self.rows)
        return worst, -max(row.alert.opened_at.timestamp() for row in self.rows)

    @property
    def is_table(self) -> bool:
        return "/" in self.about


@dataclass(frozen=True)
class AlertsPage(PageContext):
    """The page of alerts."""

    open: Sequence[AlertRow]
    closed: Sequence[AlertRow]
    #: table -> its owners
    owners: Mapping[str, Sequence[str]]
    #: whether project.yaml has alerts at all
    is_configured: bool
    #: shows only alerts that are assigned to this user; "" for all
    user: str = ""
    notes: Sequence[str] = ()

    @cached_property
    def causes(self) -> list[Cause]:
        """The open alerts by table and run, the worst first."""
        grouped: dict[tuple[str, str], list[AlertRow]] = {}
        for row in self.open:
            grouped.setdefault((row.alert.about, row.alert.run_id), []).append(row)
        causes = [
            Cause(about, run, self.owners.get(about, ()), sorted(rows, key=_rank))
            for (about, run), rows in grouped.items()
        ]
        return sorted(causes, key=lambda cause: cause.rank)

    def muted_until(self, name: str) -> datetime:
        """When a muting of this length that begins now ends."""
        return self.at + MUTES[name]


def alerts_page(visit: RequestContext, rights: Rights, reader: str, *, mine: bool) -> AlertsPage:
    """The page; with `mine`, only open alerts that are assigned to the reader."""
    book = AlertBook(visit.history)
    alerts = [one for one in book.page(_MOST) if sees_alert(rights, one)] if visit.history.is_begun else []
    shown = [one for one in alerts if one.is_open] + [one for one in alerts if not one.is_open][:_CLOSED]
    rows = [
        AlertRow(one.alert, one.handling, one.sent_to, may_handle(rights, one.alert))
        for one in handled_alerts(visit.history, shown)
    ]
    tables = {table.key: table.model.owners for table in visit.known.project}
    return AlertsPage(
        visit,
        [row for row in rows if row.alert.is_open and (not mine or row.handling.assigned_to == reader)],
        [row for row in rows if not row.alert.is_open],
        tables,
        visit.known.project.settings.alerts is not None,
        reader if mine else "",
        visit.known.notes,
    )


def _rank(row: AlertRow) -> tuple[int, str]:
    return SEVERITIES.index(row.alert.severity), row.what
