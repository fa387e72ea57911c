"""Defines the YAML settings of alerts: channels, routes and frequency."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from dq_pipelines.config.duration import Duration, Span, duration, span
from dq_pipelines.config.model import Many, Strict
from dq_pipelines.errors import nearest
from dq_pipelines.history.alerts.alert import SEVERITIES, Alert

#: Events that a route may select; rows in quarantine have a setting of their own, `quarantine_above`.
Event = Literal["check_failed", "run_failed", "anomaly", "freshness_missed", "source_unreachable", "recovered"]

#: The default of `unreachable_after`.
UNREACHABLE_AFTER = 3

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")


def _is_url(value: SecretStr) -> SecretStr:
    if not _URL.fullmatch(value.get_secret_value()):
        raise ValueError("wanted an Apprise URL such as slack://… or mailto://…, got something else (it is not shown)")
    return value


#: The address of a channel. It contains tokens, so it is never shown.
Url = Annotated[SecretStr, AfterValidator(_is_url)]


@dataclass(frozen=True)
class Rhythm:
    """How often a channel is notified."""

    #: after this time, an open alert is sent again; None for never
    repeat: timedelta | None
    #: for this time after a message about a table, its further failures are collected
    window: timedelta
    #: most messages per hour
    per_hour: int


class Route(Strict):
    """Which events go to which channels."""

    #: names of channels of `project.yaml`
    to: Annotated[Many[str], Field(min_length=1)]
    #: a failed check; a failed run or a blocked batch; a failed anomaly check; rows that are too old, or a missed
    #: schedule; a source that cannot be reached; the end of any of these
    on: Many[Event] = ("check_failed", "run_failed", "anomaly", "freshness_missed", "source_unreachable", "recovered")
    #: the lowest severity that is sent: that of the rule; a failed run is critical
    severity: Literal["critical", "warning", "info"] = "warning"
    #: send an alert when one batch adds more rows than this to quarantine; without it, never
    quarantine_above: Annotated[int, Field(ge=0)] | None = None

    def wants(self, alert: Alert) -> bool:
        """Whether the route sends this alert."""
        if alert.event == "quarantine":
            return self.quarantine_above is not None and alert.count > self.quarantine_above
        return alert.event in self.on and SEVERITIES.index(alert.severity) <= SEVERITIES.index(self.severity)


class Alerts(Strict):
    """Notifies channels of failures and of recoveries.

    An alert is open from the failure until the same check passes, the same table is published, or the same job succeeds.
    Each partition of a partitioned table has its own alerts. A channel gets a message when an alert opens and one when it
    closes.
    """

    #: channels: a name of your own, and an [Apprise URL](https://appriseit.com/services/) with `${NAME}` for its secrets
    to: dict[str, Url]
    #: which events go to which channels, unless the table has its own `alerts`; without it everything goes to every channel
    when: Many[Route] | None = None
    #: after this time an alert that is still open is sent again: `12h`, `1d` or `1w`; `null` for never
    repeat: Duration | None = "24h"
    #: for this time after a message about a table, its further failures are collected into one message: `30s`, `5m` or `1h`
    window: Span = "5m"
    #: the most messages per hour and channel; the last of them summarizes the rest
    per_hour: Annotated[int, Field(ge=1)] = 20
    #: how long after its schedule a table may be published before that is an alert: `30m` or `2h`
    late_after: Span = "1h"
    #: how many ticks of a sensor in a row, half a minute apart, may fail to reach the source before that is an alert
    unreachable_after: Annotated[int, Field(ge=1)] = UNREACHABLE_AFTER

    @model_validator(mode="after")
    def _knows_its_channels(self) -> Alerts:
        for route in self.when or ():
            for name in route.to:
                if name not in self.to:
                    raise ValueError(
                        f"unknown channel '{name}'{nearest(name, self.to)}: wanted one of {', '.join(self.to)}"
                    )
        return self

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes of `when`; without it, one that sends everything to every channel."""
        return (Route(to=tuple(self.to)),) if self.when is None else self.when

    @property
    def rhythm(self) -> Rhythm:
        """`repeat`, `window` and `per_hour`, parsed."""
        repeat = None if self.repeat is None else duration(self.repeat)
        return Rhythm(repeat, span(self.window), self.per_hour)

    @property
    def lateness(self) -> timedelta:
        return span(self.late_after)
