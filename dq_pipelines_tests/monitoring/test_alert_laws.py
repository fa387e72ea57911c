"""Whatever goes wrong and well again in whichever order, and whoever is away meanwhile: each thing is told once, and at last truly."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq_pipelines.history.alerts.alert_book import AlertBook
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.monitoring.alerts.due import Subscription
from dq_pipelines.monitoring.alerts.opening import Finding, opened
from dq_pipelines.monitoring.alerts.settings import Rhythm, Route

Key = tuple[str, str]

KEYS = st.tuples(st.sampled_from(["silver/a", "silver/b"]), st.sampled_from(["c", "d"]))
#: What one run finds: by check, whether it is well.
RUNS = st.dictionaries(KEYS, st.booleans(), min_size=1)
#: A run; or a tick, after so many minutes, at which the channel takes so many messages.
STEPS = st.one_of(RUNS, st.tuples(st.integers(0, 90), st.sampled_from([0, 1, 100])))


@dataclass
class World:
    """The book, a clock, and what the channel has heard."""

    book: AlertBook
    rhythm: Rhythm
    now: datetime = datetime(2026, 5, 1, tzinfo=UTC)
    is_well: dict[Key, bool] = field(default_factory=dict)
    #: by check, the news in order, each with the number of its alert
    heard: dict[Key, list[tuple[int, str]]] = field(default_factory=dict)
    sent: list[datetime] = field(default_factory=list)

    def run(self, found: dict[Key, bool], number: int) -> None:
        self.is_well |= found
        findings = [
            Finding("check_failed", about, well, name, run_id=str(number)) for (about, name), well in found.items()
        ]
        self.book.write(opened(findings, self.book.open(), self.now), self.now, run_id=str(number))

    def tick(self, minutes: int, takes: int) -> None:
        self.now += timedelta(minutes=minutes)
        routes = [Route(to=("team",))]
        ear = Subscription("team", lambda _: routes, self.book.told("team"), self.rhythm)
        for message in ear.due(self.book.since(self.now - timedelta(days=30)), self.now)[:takes]:
            self.now += timedelta(milliseconds=1)
            for item in message.items:
                self.heard.setdefault((item.alert.about, item.alert.name), []).append((item.alert.number, item.news))
            self.book.tell("team", message.opened, message.closed, self.now)
            self.sent.append(self.now)


def as_told(news: Sequence[tuple[int, str]], number: int | None = None) -> str:
    """One letter each, of all alerts of a check or of one: n(ew), a(gain), p(assed), r(ecovered)."""
    return "".join(word[0] for of, word in news if number in (None, of))


@pytest.mark.parametrize("per_hour", [1000, 2])
@given(steps=st.lists(STEPS, max_size=8), window=st.sampled_from([0, 5]))
@settings(max_examples=15)
def test_each_thing_is_told_once_and_at_last_truly(per_hour: int, steps: list[object], window: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rhythm = Rhythm(timedelta(hours=24), timedelta(minutes=window), per_hour)
        world = World(AlertBook(History(f"sqlite:///{Path(folder) / 'h.db'}")), rhythm)
        for number, step in enumerate(steps):
            if isinstance(step, dict):
                world.run(step, number)
            elif isinstance(step, tuple):
                world.tick(*step)
        for _ in range(3):  # in the end the channel is there, and everybody has time
            world.tick(61, 100)
        world.tick(0, 100)
    for key, news in world.heard.items():
        for number in {number for number, _ in news}:
            assert re.fullmatch("na*r?|p", as_told(news, number)), (key, news)
        # Nothing is called well again, or bad still, that was not called bad last.
        assert re.fullmatch("(na*r?|p)*", as_told(news)), (key, news)
    for key, well in world.is_well.items():
        told = as_told(world.heard.get(key, []))
        assert (told[-1:] in "rp") if well else (told[-1] in "na"), (key, told)
    for at in world.sent:
        within = [other for other in world.sent if timedelta(0) <= other - at < timedelta(hours=1)]
        assert len(within) <= per_hour
