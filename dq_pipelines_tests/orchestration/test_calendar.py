"""Schedules and sensors at given moments, by their real definitions: each file is asked for once, and on time.

The clock is turned for Dagster and for us; requests become real runs, as the daemon would start them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time
from dagster._utils.schedules import schedule_execution_time_iterator

from dq_pipelines.rules.core import clock
from dq_pipelines_tests.workshop import Workshop

HOUR = timedelta(hours=1)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland")


@contextmanager
def turned_to(moment: datetime) -> Iterator[None]:
    with freeze_time(moment.astimezone(UTC)), clock.at(moment):
        yield


def ticks(schedule: dg.ScheduleDefinition, start: datetime, end: datetime) -> list[datetime]:
    """When Dagster's daemon evaluates a schedule."""
    found: list[datetime] = []
    times = schedule_execution_time_iterator(
        start.timestamp(), schedule.cron_schedule, schedule.execution_timezone, ascending=True
    )
    for moment in times:
        if moment >= end:
            return found
        found.append(moment)
    raise AssertionError("a schedule has no end")


def by_the_wall(zone: str, first: date, days: int, hour: int, minute: int) -> list[datetime]:
    """A time of each day on the clock of a place: the second of two; where there is none, the end of the gap."""
    found = []
    for number in range(days):
        day = first + timedelta(days=number)
        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone), fold=1)
        moment = local.astimezone(UTC)
        if moment.astimezone(ZoneInfo(zone)).hour != hour:
            moment = local.replace(fold=0).astimezone(UTC).replace(minute=0)
        found.append(moment)
    return found


SCHEDULED = """
    source: {{type: csv, path: "{{landing}}/t/*.csv"}}
    schedule: "{cron}"
    timezone: {zone}
    silver: {{columns: {{id: int64}}}}
"""


def test_a_schedule_ticks_once_a_day_on_the_clock_of_its_zone(shop: Workshop) -> None:
    first, days = date(2027, 3, 1), 425  # two changes of clocks in spring, one in autumn, a leap day
    for zone in ZONES:
        for hour, minute in ((0, 0), (2, 30), (3, 0), (23, 59)):
            shop.table("t", SCHEDULED.format(cron=f"{minute} {hour} * * *", zone=zone))
            schedule = shop.definitions.resolve_schedule_def("t_schedule")
            assert isinstance(schedule, dg.ScheduleDefinition)
            wanted = by_the_wall(zone, first, days, hour, minute)
            end = datetime(2028, 4, 29, tzinfo=ZoneInfo(zone))
            found = ticks(schedule, datetime(2027, 3, 1, tzinfo=ZoneInfo(zone)), end)
            assert [moment.astimezone(UTC) for moment in found] == wanted, (zone, hour)


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("0 0 31 * *", ["01-31", "03-31", "05-31", "07-31", "08-31", "10-31", "12-31"]),
        ("0 0 29 2 *", ["02-29"]),
        ("0 0 1 * *", [f"{month:02}-01" for month in range(1, 13)]),
    ],
)
def test_ends_of_months_and_the_leap_day(shop: Workshop, cron: str, days: list[str]) -> None:
    shop.table("t", SCHEDULED.format(cron=cron, zone="UTC"))
    schedule = shop.definitions.resolve_schedule_def("t_schedule")
    assert isinstance(schedule, dg.ScheduleDefinition)
    found = ticks(schedule, datetime(2025, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC))
    assert [f"{moment:%m-%d}" for moment in found if moment.year == 2028] == days
    # a schedule of the leap day alone rests for four years
    assert len(found) == (1 if "29 2" in cron else len(days) * 4)


DAILY = """
    source: {{type: csv, path: "{{landing}}/t/*.csv"}}
    on_arrival: true
    schedule: "30 2 * * *"
    timezone: {zone}
    partitions: {{type: daily, start: 2026-01-01, timezone: {zone}}}
    silver: {{columns: {{id: int64}}}}
"""


class Daemon:
    """What starts runs: each run key once."""

    def __init__(self, shop: Workshop) -> None:
        self.shop, self.definitions = shop, shop.definitions
        self.keys: set[str | None] = set()
        #: partition and moment of each run
        self.started: list[tuple[str | None, datetime]] = []

    def sensor(self, now: datetime) -> None:
        with turned_to(now), dg.build_sensor_context(instance=self.shop.instance) as context:
            said = self.definitions.resolve_sensor_def("t_arrivals")(context)
        if isinstance(said, dg.SensorResult):
            self._start(said.run_requests or [], now)

    def schedule(self, now: datetime) -> None:
        schedule = self.definitions.resolve_schedule_def("t_schedule")
        asked = dg.build_schedule_context(
            self.shop.instance, scheduled_execution_time=now, repository_def=self.definitions.get_repository_def()
        )
        with turned_to(now), asked as context:
            said = schedule.evaluate_tick(context)
        self._start(said.run_requests or [], now)

    def _start(self, requests: Sequence[dg.RunRequest], now: datetime) -> None:
        for request in requests:
            if request.run_key in self.keys:
                continue
            self.keys.add(request.run_key)
            self.started.append((request.partition_key, now))
            with turned_to(now):
                assert self.shop.run("t", partition=request.partition_key).success


@pytest.mark.slow
@pytest.mark.parametrize(
    ("by", "zone", "first"),
    [
        ("sensor", "UTC", date(2028, 2, 27)),  # over the leap day
        ("sensor", "Europe/Berlin", date(2026, 3, 27)),  # 29th: 2 to 3; and the end of a month
        ("sensor", "Europe/Berlin", date(2026, 10, 23)),  # 25th: 3 to 2
        ("sensor", "America/New_York", date(2026, 10, 30)),  # November 1st: 2 to 1
        ("sensor", "Pacific/Auckland", date(2026, 9, 25)),  # 27th: 2 to 3, 13 hours before UTC
        ("schedule", "Europe/Berlin", date(2026, 3, 27)),
        ("schedule", "America/New_York", date(2026, 10, 30)),
    ],
)
def test_each_file_is_asked_for_once_and_on_time(tmp_path: Path, zone: str, first: date, by: str) -> None:
    """The file of a day comes at some hour of the day before; another one is of 2062, and harms nobody."""
    # A schedule wants an instance that another process could open, with which each tick takes longer.
    with dg.DagsterInstance.ephemeral() if by == "sensor" else dg.instance_for_test() as instance:
        _a_week(Workshop(tmp_path, instance), zone, first, by)


def _a_week(shop: Workshop, zone: str, first: date, by: str) -> None:
    shop.table("t", DAILY.format(zone=zone))
    shop.land("t/2062-01-01.csv", "id\n1\n")
    daemon, wall = Daemon(shop), ZoneInfo(zone)
    days = [first + timedelta(days=number) for number in range(5)]
    lands = {day: datetime(day.year, day.month, day.day, (5 * day.day) % 24, tzinfo=wall) for day in days}
    start = datetime(first.year, first.month, first.day, tzinfo=wall).astimezone(UTC)
    schedule = daemon.definitions.resolve_schedule_def("t_schedule")
    assert isinstance(schedule, dg.ScheduleDefinition)
    end = start + 7 * 24 * HOUR
    moments = [start + number * HOUR for number in range(7 * 24)] if by == "sensor" else ticks(schedule, start, end)
    for now in moments:
        for day in [day for day, moment in lands.items() if moment <= now]:
            shop.land(f"t/{day + timedelta(days=1)}.csv", f"id\n{day.day}\n")
            del lands[day]
        (daemon.sensor if by == "sensor" else daemon.schedule)(now)
    due = {f"{day + timedelta(days=1)}": day + timedelta(days=1) for day in days}
    assert [key for key, _ in daemon.started] == list(due)
    for key, moment in daemon.started:
        local, day = moment.astimezone(wall), due[str(key)]
        assert local.date() == day
        assert (local.hour == 0) if by == "sensor" else (local.hour in (2, 3))
    assert shop.rows("silver/t", "id") == sorted((day.day for day in days), key=repr)
