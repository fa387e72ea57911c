"""Decides which messages a channel gets now. It has no side effects.

A channel is notified once when an alert opens and once when it closes, and again while it stays open for `repeat`, unless
somebody has acknowledged it. A muted alert is not notified as open. All findings of one run are one message, and so are those
of several runs about the same tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from dq_pipelines.history.alerts.alert import BY_HAND, SEVERITIES, Alert, Notification
from dq_pipelines.history.alerts.handling import Handling
from dq_pipelines.monitoring.alerts.settings import Rhythm, Route

#: An alert that opened and closed without a notification is no longer worth one after this time.
STALE = timedelta(days=1)

#: An alert that is older than this when a channel gets its first message was there before the channel.
OLD = timedelta(minutes=15)

#: What is new about an alert: it opened, is still open, opened and closed in the meantime, or closed.
News = Literal["new", "again", "passed", "recovered"]


@dataclass(frozen=True)
class Item:
    """One alert in a message, and what is new about it."""

    alert: Alert
    news: News

    @property
    def run_id(self) -> str:
        return self.alert.closed_by if self.news == "recovered" else self.alert.run_id


@dataclass(frozen=True)
class Message:
    """One message to a channel."""

    items: tuple[Item, ...]
    #: whether it replaces several messages, because of the limit per hour
    is_summary: bool = False
    #: whether it replaces several messages, because the channel has never got one
    is_first: bool = False

    @property
    def is_good(self) -> bool:
        return all(item.news == "recovered" for item in self.items)

    @property
    def severity(self) -> str:
        """The worst severity of its alerts."""
        return min((item.alert.severity for item in self.items), key=SEVERITIES.index)

    @property
    def opened(self) -> tuple[int, ...]:
        """Numbers of the alerts that it reports as open."""
        return tuple(item.alert.number for item in self.items if item.news in ("new", "again"))

    @property
    def closed(self) -> tuple[int, ...]:
        """Numbers of the alerts that it reports as closed."""
        return tuple(item.alert.number for item in self.items if item.news in ("passed", "recovered"))


@dataclass(frozen=True)
class Subscription:
    """One channel: its routes, and the notifications that it got."""

    name: str
    #: gives the routes of an alert
    routes: Callable[[Alert], Sequence[Route]]
    #: by number of the alert
    notified: Mapping[int, Notification]
    rhythm: Rhythm
    #: what people have done about alerts, by number of the alert
    handled: Mapping[int, Handling] = field(default_factory=dict)

    def due(self, alerts: Iterable[Alert], now: datetime) -> list[Message]:
        """Returns the messages to send now, worst first. Past the limit per hour, the last one summarizes the rest."""
        alerts = list(alerts)
        messages = self._messages(self._items(alerts, now), now)
        room = self.rhythm.per_hour - self._sent_since(now - timedelta(hours=1))
        if not messages or room <= 0:
            return []
        # The last message of an hour summarizes the rest.
        if len(messages) < room or len(messages) == room == 1:
            return messages
        rest = messages[room - 1 :]
        return [
            *messages[: room - 1],
            Message(tuple(item for each in rest for item in each.items), is_summary=len(rest) > 1),
        ]

    def _messages(self, items: Sequence[Item], now: datetime) -> list[Message]:
        """Groups items to messages. To a channel that has never got one, all older alerts are one message."""
        old = [item for item in items if not self.notified and now - item.alert.opened_at > OLD]
        if len(_grouped(old)) < 2:
            return _grouped(items)
        return [
            Message(tuple(sorted(old, key=_order)), is_first=True),
            *_grouped(item for item in items if item not in old),
        ]

    def _items(self, alerts: Sequence[Alert], now: datetime) -> list[Item]:
        last = self._last_notified(alerts)
        items = []
        # Only the newest alert of a key counts; otherwise the recovery of an older one would be the last message.
        newest = {alert.key: alert for alert in sorted(alerts, key=lambda alert: alert.number)}
        for alert in newest.values():
            routes = [route for route in self.routes(alert) if self.name in route.to and route.wants(alert)]
            news = self._news(alert, routes, now) if routes else None
            delayed = (
                news in ("new", "again")
                and now - last.get(alert.about, datetime.min.replace(tzinfo=now.tzinfo)) < self.rhythm.window
            )
            if news is not None and not delayed:
                items.append(Item(alert, news))
        return items

    def _news(self, alert: Alert, routes: Sequence[Route], now: datetime) -> News | None:
        if alert.closed_by == BY_HAND:
            return None
        notified, handling = self.notified.get(alert.number), self.handled.get(alert.number)
        if alert.is_open and handling is not None and handling.is_muted(now):
            return None
        if notified is None:
            if alert.closed_at is None:
                return "new"
            return "passed" if now - alert.closed_at < STALE else None
        if alert.closed_at is None:
            repeat = None if handling is not None and handling.is_acknowledged else self.rhythm.repeat
            return "again" if repeat is not None and now - notified.at >= repeat else None
        wanted = any("recovered" in route.on for route in routes)
        return "recovered" if wanted and notified.closed_at is None else None

    def _last_notified(self, alerts: Iterable[Alert]) -> dict[str, datetime]:
        """Returns the time of the last message about failures, by table or job."""
        last: dict[str, datetime] = {}
        for alert in alerts:
            if (notified := self.notified.get(alert.number)) is not None:
                last[alert.about] = max(notified.at, last.get(alert.about, notified.at))
        return last

    def _sent_since(self, moment: datetime) -> int:
        """Counts messages: all alerts of one message were recorded at the same moment."""
        moments = {at for each in self.notified.values() for at in (each.at, each.closed_at) if at is not None}
        return sum(at > moment for at in moments)


def _grouped(items: Iterable[Item]) -> list[Message]:
    """Groups items to one message per run, and one for runs about the same tables; failures and recoveries are separate."""
    by_run: dict[tuple[bool, str], list[Item]] = {}
    for item in items:
        by_run.setdefault((item.news == "recovered", item.run_id), []).append(item)
    by_tables: dict[tuple[bool, frozenset[str]], list[Item]] = {}
    for (good, _), of_run in by_run.items():
        by_tables.setdefault((good, frozenset(item.alert.about for item in of_run)), []).extend(of_run)
    messages = [Message(tuple(sorted(of_tables, key=_order))) for of_tables in by_tables.values()]
    return sorted(messages, key=lambda message: (message.is_good, SEVERITIES.index(message.severity)))


def _order(item: Item) -> tuple[str, int, str, str]:
    alert = item.alert
    return alert.about, SEVERITIES.index(alert.severity), alert.name, alert.partition or ""
