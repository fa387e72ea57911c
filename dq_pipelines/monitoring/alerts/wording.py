"""Formats a message's title and text as plain lines: names, counts and descriptions of checks, but no rows or addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from dq_pipelines.config.counting import listed
from dq_pipelines.history.alerts.alert import Alert
from dq_pipelines.monitoring.alerts.due import Item, Message

#: Most lines, runs and partitions in a message; the rest is counted.
_LINES, _RUNS, _PARTITIONS = 20, 5, 5

#: Singular and plural of an event in a title.
_EVENTS = {
    "check_failed": ("1 check failed", "{} checks failed"),
    "run_failed": ("run failed", "{} runs failed"),
    "anomaly": ("anomaly", "{} anomalies"),
    "freshness_missed": ("not fresh", "not fresh"),
    "source_unreachable": ("source unreachable", "sources unreachable"),
    "quarantine": ("rows in quarantine", "rows in quarantine"),
}


@dataclass(frozen=True)
class FormattedMessage:
    """Title and text of a message."""

    title: str
    body: str
    #: Apprise's notification type: `failure`, `warning`, `info` or `success`
    kind: str


@dataclass(frozen=True)
class MessageFormatter:
    """Formats messages of one project."""

    project: str
    #: address of Dagster's UI, for links; without it runs are named by id
    dagster_url: str | None = None
    #: what a check of a table demands, in words; "" for an unknown one
    title_of: Callable[[str, str], str] = lambda table, check: ""  # noqa: ARG005 - a project without titles

    def format(self, message: Message) -> FormattedMessage:
        """Returns title and text of a message."""
        kind = {"critical": "failure", "warning": "warning"}.get(message.severity, "info")
        return FormattedMessage(
            f"{self.project}: {_title(message)}",
            "\n".join([*self._lines(message), *self._links(message)]),
            "success" if message.is_good else kind,
        )

    def _lines(self, message: Message) -> list[str]:
        lines: list[str] = []
        abouts = _abouts(message.items)
        for about, items in groupby(sorted(message.items, key=lambda item: item.alert.about), lambda i: i.alert.about):
            of_about = [self._line(list(same)) for _, same in groupby(sorted(items, key=_kind), key=_kind)]
            lines += [f"{about}: {line}" if len(abouts) > 1 else line for line in of_about]
        more = len(lines) - _LINES
        return lines if more <= 0 else [*lines[:_LINES], f"and {more:,} more: dq alert list"]

    def _line(self, items: Sequence[Item]) -> str:
        """Formats the same event of one table, in one partition or in several."""
        alert, news = items[0].alert, items[0].news
        what = self._what(alert)
        parts = [item.alert.partition for item in items if item.alert.partition is not None]
        if parts:
            what = f"{what} [{listed(parts, _PARTITIONS)}]"
        if news == "recovered":
            return f"{what}: recovered after {_length(alert)}"
        since = f" (since {alert.opened_at:%Y-%m-%d %H:%M} UTC)" if news == "again" else ""
        passed = f" (recovered after {_length(alert)})" if news == "passed" else ""
        return f"{what}: {alert.said}{since}{passed}"

    def _what(self, alert: Alert) -> str:
        if not alert.name:
            return alert.event.replace("_", " ")
        title = self.title_of(alert.about, alert.name)
        return f"{title} ({alert.severity}, {alert.name})" if title else f"{alert.name} ({alert.severity})"

    def _links(self, message: Message) -> list[str]:
        runs = list(dict.fromkeys(item.run_id for item in message.items if item.run_id))
        base = (self.dagster_url or "").rstrip("/")
        links = [f"Run: {base}/runs/{run}" if base else f"Run: {run}" for run in runs[:_RUNS]]
        if len(runs) > _RUNS:
            links.append(f"and {len(runs) - _RUNS:,} more runs")
        tables = [about for about in _abouts(message.items) if "/" in about] if base and not message.is_good else []
        return [*links, *(f"Checks: {base}/assets/{table}?view=checks" for table in tables[:_RUNS])]


def _title(message: Message) -> str:
    abouts = _abouts(message.items)
    where = abouts[0] if len(abouts) == 1 else f"{len(abouts)} tables"
    if message.is_summary:
        return f"{where}: {len(message.items):,} alerts in one, there were too many within the hour"
    if message.is_first:
        return f"{where}: {len(message.items):,} alerts, the first message of this channel"
    if message.is_good:
        return f"{where}: recovered"
    counted = {event: list(of) for event, of in groupby(sorted(message.items, key=_event), key=_event)}
    events = [_EVENTS[event][len(of) > 1].format(len(of)) for event, of in counted.items()]
    still = ", still" if all(item.news == "again" for item in message.items) else ""
    passed = ", and recovered since" if all(item.news == "passed" for item in message.items) else ""
    return f"{where}: {', '.join(events)}{still}{passed}"


def _event(item: Item) -> str:
    return item.alert.event


def _abouts(items: Iterable[Item]) -> list[str]:
    return sorted({item.alert.about for item in items})


def _kind(item: Item) -> tuple[str, str, str]:
    return item.alert.event, item.alert.name, item.news


def _length(alert: Alert) -> str:
    """Formats how long an alert was open, in its two largest units."""
    seconds = int(((alert.closed_at or alert.opened_at) - alert.opened_at) / timedelta(seconds=1))
    units = [(seconds // 86_400, "d"), (seconds // 3_600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    parts = [f"{count} {unit}" for count, unit in units if count]
    return " ".join(parts[:2]) or "less than a second"
