"""What is a cron schedule and what is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dq_pipelines.config.cron import next_tick, problem

GOOD = (
    "0 2 * * *",
    "*/5 1-3,7 * jan MON-FRI",
    "@daily",
    "30 1 1,15 * 7",
    "0  2 * * *",
    "59 23 31 12 sun",
    "0-30/10 * * * *",
    "0 0 29 2 *",
    "0 0 31 */2 *",
)

BAD = {
    "60 1 * * *": "wanted 0 to 59 as the minute of a cron schedule, got '60' in '60 1 * * *'",
    "0 24 * * *": "wanted 0 to 23 as the hour of a cron schedule, got '24' in '0 24 * * *'",
    "0 0 0 * *": "wanted 1 to 31 as the day of the month of a cron schedule, got '0' in '0 0 0 * *'",
    "0 0 * foo *": "wanted 1 to 12 as the month of a cron schedule, got 'foo' in '0 0 * foo *'",
    "0 0 * * 8": "wanted 0 to 7 as the day of the week of a cron schedule, got '8' in '0 0 * * 8'",
    "30-10 * * * *": "wanted 0 to 59 as the minute of a cron schedule, got '30-10' in '30-10 * * * *'",
    "*/0 * * * *": "wanted 0 to 59 as the minute of a cron schedule, got '*/0' in '*/0 * * * *'",
    "0 2 * *": "wanted a cron schedule of five fields such as '0 2 * * *', got '0 2 * *'",
    "@dayly": "wanted @hourly, @daily, @weekly, @monthly, @yearly or a cron schedule, got '@dayly'",
    "0 0 31 2 *": "wanted a day that the month has, got day 31 of month 2 in '0 0 31 2 *'",
    "0 0 30 2 *": "wanted a day that the month has, got day 30 of month 2 in '0 0 30 2 *'",
    "0 0 31 apr,6 *": "wanted a day that the month has, got day 31 of month apr,6 in '0 0 31 apr,6 *'",
    "": "wanted a cron schedule of five fields such as '0 2 * * *', got ''",
}


@pytest.mark.parametrize("text", GOOD)
def test_a_schedule(text: str) -> None:
    assert problem(text) is None


@pytest.mark.parametrize("text", GOOD)
def test_dagster_takes_what_we_take(text: str) -> None:
    from dagster._utils.schedules import is_valid_cron_schedule

    assert is_valid_cron_schedule(text)


@pytest.mark.parametrize("text", BAD)
def test_no_schedule(text: str) -> None:
    assert problem(text) == BAD[text]


@pytest.mark.parametrize("schedule", [*GOOD, "* * * * *", "*/7 3-5 * 2 *", "0 0 1 * 1"])
def test_the_next_tick_is_dagsters(schedule: str) -> None:
    from dagster._utils.schedules import cron_string_iterator

    for at in (datetime(2026, 2, 28, 23, 59, 30, tzinfo=UTC), datetime(2027, 12, 31, 4, 30, tzinfo=UTC)):
        wanted = next(tick for tick in cron_string_iterator(at.timestamp(), schedule, "UTC") if tick > at)
        assert next_tick(schedule, at) == wanted, (schedule, at)
