"""What a channel is to be told now, in which messages. Pure; the words are in `wording`.

Each alert is told once when it opens and once when it closes, again when it stays open for `repeat`. What one run showed is
one message, and so is what several runs showed of the same tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from dq_pipelines.history.alerts.alert import BY_HAND, SEVERITIES, Alert, Notification
from dq_pipelines.monitoring.alerts.settings import Rhythm, Route

#: What came and went before a channel was told, is told no longer after this.
STALE = timedelta(days=1)

News = Literal["new", "again", "passed", "recovered"]


@dataclass(frozen=True)
class Item:
    """One alert, and what is new about it: it opened, is open still, came and went, or closed."""

    alert: Alert
    news: News

    @property
    def run_id(self) -> str:
        return self.alert.closed_by if self.news == "recovered" else self.alert.run_id


@dataclass(frozen=True)
class Message:
    """What is sent at once."""

    items: tuple[Item, ...]
    #: whether it stands for messages that would have been too many
    is_summary: bool = False

    @property
    def is_good(self) -> bool:
        return all(item.news == "recovered" for item in self.items)

    @property
    def severity(self) -> str:
        """The worst that is in it."""
        return min((item.alert.severity for item in self.items), key=SEVERITIES.index)

    @property
    def opened(self) -> tuple[int, ...]:
        """The alerts of which it tells that they are open."""
        return tuple(item.alert.number for item in self.items if item.news in ("new", "again"))

    @property
    def closed(self) -> tuple[int, ...]:
        """The alerts of which it tells that they are closed."""
        return tuple(item.alert.number for item in self.items if item.news in ("passed", "recovered"))


@dataclass(frozen=True)
class Subscription:
    """One channel: what it wants to hear, and what it has heard."""

    name: str
    #: the routes that an alert takes
    routes: Callable[[Alert], Sequence[Route]]
    #: by number of the alert
    told: Mapping[int, Notification]
    rhythm: Rhythm

    def due(self, alerts: Iterable[Alert], now: datetime) -> list[Message]:
        """What to send now, the worst first: all of it, or as much as an hour still has room for and a summary."""
        alerts = list(alerts)
        messages = _grouped(self._items(alerts, now))
        room = self.rhythm.per_hour - self._sent_since(now - timedelta(hours=1))
        if not messages or room <= 0:
            return []
        # The last message of an hour stands for whatever else there is to tell.
        if len(messages) < room or len(messages) == room == 1:
            return messages
        rest = messages[room - 1 :]
        return [
            *messages[: room - 1],
            Message(tuple(item for each in rest for item in each.items), is_summary=len(rest) > 1),
        ]

    def _items(self, alerts: Sequence[Alert], now: datetime) -> list[Item]:
        last = self._last_told(alerts)
        found = []
        # What has gone wrong anew since is told by that: an older alert would have the last word.
        newest = {alert.key: alert for alert in sorted(alerts, key=lambda alert: alert.number)}
        for alert in newest.values():
            routes = [route for route in self.routes(alert) if self.name in route.to and route.wants(alert)]
            news = self._news(alert, routes, now) if routes else None
            kept = (
                news in ("new", "again")
                and now - last.get(alert.about, datetime.min.replace(tzinfo=now.tzinfo)) < self.rhythm.window
            )
            if news is not None and not kept:
                found.append(Item(alert, news))
        return found

    def _news(self, alert: Alert, routes: Sequence[Route], now: datetime) -> News | None:
        if alert.closed_by == BY_HAND:
            return None
        told = self.told.get(alert.number)
        if told is None:
            if alert.closed_at is None:
                return "new"
            return "passed" if now - alert.closed_at < STALE else None
        if alert.closed_at is None:
            repeat = self.rhythm.repeat
            return "again" if repeat is not None and now - told.at >= repeat else None
        wanted = any("recovered" in route.on for route in routes)
        return "recovered" if wanted and told.closed_at is None else None

    def _last_told(self, alerts: Iterable[Alert]) -> dict[str, datetime]:
        """By table or job, when a message told of its failures."""
        last: dict[str, datetime] = {}
        for alert in alerts:
            if (told := self.told.get(alert.number)) is not None:
                last[alert.about] = max(told.at, last.get(alert.about, told.at))
        return last

    def _sent_since(self, moment: datetime) -> int:
        """Messages: all that one of them told was noted at the same moment."""
        moments = {at for told in self.told.values() for at in (told.at, told.closed_at) if at is not None}
        return sum(at > moment for at in moments)


def _grouped(items: Iterable[Item]) -> list[Message]:
    """One message per run, and one for runs that are about the same tables; failures and recoveries apart."""
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
