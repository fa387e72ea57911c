"""What YAML may say of alerts: the channels, which events go to which, and how often."""

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

#: What there is to be told of, but for rows in quarantine, which want a number.
Event = Literal["check_failed", "run_failed", "anomaly", "freshness_missed", "source_unreachable", "recovered"]

#: Ticks in a row that may not reach a source, where nobody says how many.
UNREACHABLE_AFTER = 3

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")


def _is_url(value: SecretStr) -> SecretStr:
    if not _URL.fullmatch(value.get_secret_value()):
        raise ValueError("wanted an Apprise URL such as slack://… or mailto://…, got something else (it is not shown)")
    return value


#: Where messages go. It holds tokens, so that nothing shows it.
Url = Annotated[SecretStr, AfterValidator(_is_url)]


@dataclass(frozen=True)
class Rhythm:
    """How often a channel is told."""

    #: after which an open alert is told again; None for never
    repeat: timedelta | None
    #: for which further failures of a table are kept after a message about it
    window: timedelta
    #: messages
    per_hour: int


class Route(Strict):
    """Which events go to which channels."""

    #: names of channels of `project.yaml`
    to: Annotated[Many[str], Field(min_length=1)]
    #: a failed check; a failed run, or one in which a batch was blocked; a failed check on an anomaly; rows that are too
    #: old, or a schedule that passed without new ones; a source that cannot be reached; the end of any of them
    on: Many[Event] = ("check_failed", "run_failed", "anomaly", "freshness_missed", "source_unreachable", "recovered")
    #: the least severity that is told: that of the rule; a failed run is critical
    severity: Literal["critical", "warning", "info"] = "warning"
    #: tell when one batch brings more rows than this into quarantine; without it, none are told of
    quarantine_above: Annotated[int, Field(ge=0)] | None = None

    def wants(self, alert: Alert) -> bool:
        """Whether this is to be told of."""
        if alert.event == "quarantine":
            return self.quarantine_above is not None and alert.count > self.quarantine_above
        return alert.event in self.on and SEVERITIES.index(alert.severity) <= SEVERITIES.index(self.severity)


class Alerts(Strict):
    """Who is told of what went wrong, and that it is well again.

    An alert is open from the failure until the same check passes, the same table is published, the same job succeeds; of a
    partitioned table each partition counts for itself. It is told once when it opens, and once when it closes.
    """

    #: by a name of your own, an [Apprise URL](https://appriseit.com/services/), with `${NAME}` for what is secret in it
    to: dict[str, Url]
    #: which events go where, unless a table says so itself; without it everything goes to every channel
    when: Many[Route] | None = None
    #: an alert that is still open is told again after so long: `12h`, `1d` or `1w`; `null` for never
    repeat: Duration | None = "24h"
    #: after a message about a table, further failures of it are kept so long and told as one: `30s`, `5m` or `1h`
    window: Span = "5m"
    #: messages an hour that one channel gets; the last of them sums up all others
    per_hour: Annotated[int, Field(ge=1)] = 20
    #: how long after its schedule a table may take to be there before it is missed: `30m` or `2h`
    late_after: Span = "1h"
    #: how many ticks of a sensor, half a minute apart, may fail to reach its source before that is an alert
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
        """Those of `when`, or the one that tells every channel everything."""
        return (Route(to=tuple(self.to)),) if self.when is None else self.when

    @property
    def rhythm(self) -> Rhythm:
        """How often a channel is told, in lengths of time."""
        repeat = None if self.repeat is None else duration(self.repeat)
        return Rhythm(repeat, span(self.window), self.per_hour)

    @property
    def lateness(self) -> timedelta:
        return span(self.late_after)
