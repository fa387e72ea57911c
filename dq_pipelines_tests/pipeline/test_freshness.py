"""`freshness` becomes Dagster's own: a policy of the published table, or a check of one with daily partitions."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import get_latest_completed_cron_tick, get_smallest_cron_interval

from dq_pipelines.config.cron import last_tick, smallest_interval
from dq_pipelines.errors import ConfigError
from dq_pipelines.rules.core import clock
from dq_pipelines_tests.workshop import Workshop

TABLE = """
source: {{type: csv, path: "{{landing}}/*.csv"}}
{more}
silver: {{columns: {{id: int64}}}}
"""
DAILY = "partitions: {type: daily, start: 2026-01-01}"
SILVER = dg.AssetKey(["silver", "x"])
CHECK = dg.AssetCheckKey(SILVER, "freshness_check")

POLICIES = {
    "{within: 26h}": dg.FreshnessPolicy.time_window(timedelta(hours=26)),
    "{within: 7d, warn_within: 30m}": dg.FreshnessPolicy.time_window(timedelta(days=7), timedelta(minutes=30)),
    '{cron: "0 9 * * *", within: 1h}': dg.FreshnessPolicy.cron("0 9 * * *", timedelta(hours=1)),
    '{cron: "0 9 * * 1-5", within: 1d, timezone: Europe/Berlin}': dg.FreshnessPolicy.cron(
        "0 9 * * 1-5", timedelta(days=1), "Europe/Berlin"
    ),
}

WRONG = {
    "{}": "wanted within, cron or both, got neither",
    "{within: soon}": "wanted an interval such as 30m, 26h, 7d or 2w, got 'soon'",
    "{within: 0h}": "wanted an interval",
    "{within: 25}": "wanted an interval such as 30m, 26h, 7d or 2w, got '25'",
    "{within: [1h]}": "wanted text",
    "{within: 1h, warn_within: 2h}": "wanted warn_within to be less than within (1h), got 2h",
    "{within: 1h, timezone: Europe/Berlin}": "timezone is that of cron",
    '{cron: "0 9 * * *", within: 1h, timezone: Europe/Berlyn}': "wanted a time zone such as Europe/Berlin",
    '{cron: "0 9,10 * * *", within: 2h}': "at most the time between two ticks of '0 9,10 * * *' (1:00:00), got 2h",
    '{cron: "0 9 * * *"}': "wanted within, got cron alone",
    '{cron: "0 99 * * *", within: 1h}': "wanted 0 to 23 as the hour",
    "{withing: 1h}": "within",
}


@pytest.mark.parametrize("text", POLICIES)
def test_the_published_table_has_the_policy(shop: Workshop, text: str) -> None:
    shop.table("x", TABLE.format(more=f"freshness: {text}"))
    shop.table("g", f"freshness: {text}\ngold: {{sql: select id from silver.x}}")  # noqa: S608
    specs = {spec.key.to_user_string(): spec for spec in shop.definitions.resolve_all_asset_specs()}
    found = {key: spec.freshness_policy for key, spec in specs.items() if spec.freshness_policy is not None}
    assert found == {"silver/x": POLICIES[text], "gold/g": POLICIES[text]}
    shop.land("x.csv", "id\n1\n")
    assert shop.run("x").success


@pytest.mark.parametrize("text", WRONG)
def test_what_it_cannot_be_is_told_in_a_sentence(shop: Workshop, text: str) -> None:
    shop.table("x", TABLE.format(more=f"freshness: {text}"))
    with pytest.raises(ConfigError) as error:
        _ = shop.project
    (problem,) = error.value.problems
    assert WRONG[text] in problem.message
    assert problem.line


def test_a_daily_table_wants_cron_alone(shop: Workshop) -> None:
    shop.table("x", TABLE.format(more=f"{DAILY}\nfreshness: {{within: 26h}}"))
    with pytest.raises(ConfigError, match="wanted cron alone, got within: the table has daily partitions"):
        _ = shop.project


def test_a_daily_table_has_a_check_of_the_day_before_the_deadline(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.table("x", TABLE.format(more=f'{DAILY}\nfreshness: {{cron: "0 9 * * *", timezone: Asia/Tokyo}}'))
    passes = {}
    for landed, at in (
        (None, "2026-01-01T12:00+09:00"),  # before the first deadline
        (None, "2026-01-02T08:59+09:00"),
        (None, "2026-01-02T09:00+09:00"),
        ("2026-01-02", "2026-01-02T09:01+09:00"),
        ("2026-01-01", "2026-01-02T09:02+09:00"),
        (None, "2026-01-03T08:00+09:00"),
        (None, "2026-01-03T09:00+09:00"),
        (None, "2026-01-04T09:00+09:00"),
    ):
        if landed is not None:
            shop.land(f"{landed}.csv", "id\n1\n")
            assert shop.run("x", partition=landed).success
        monkeypatch.setattr(clock, "now", lambda at=at: datetime.fromisoformat(at))
        passes[at[:16]] = shop.run_job("freshness__x").checks[CHECK.to_user_string()].passed
    assert [at for at, passed in passes.items() if not passed] == [
        "2026-01-02T09:00",
        "2026-01-02T09:01",
        "2026-01-04T09:00",
    ]


def test_its_schedule_ticks_at_the_deadline(shop: Workshop) -> None:
    shop.table("x", TABLE.format(more=f'{DAILY}\nfreshness: {{cron: "0 9 * * *", timezone: Asia/Tokyo}}'))
    schedule = shop.definitions.resolve_schedule_def("x_freshness_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 9 * * *", "Asia/Tokyo")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def test_a_table_without_it_has_neither(shop: Workshop) -> None:
    shop.table("x", TABLE.format(more=DAILY))
    definitions = shop.definitions
    assert not any(spec.freshness_policy for spec in definitions.resolve_all_asset_specs())
    assert CHECK not in definitions.resolve_asset_graph().asset_check_keys
    assert not any("fresh" in schedule.name for schedule in definitions.schedules or ())


CRONS = ("0 9 * * *", "*/7 * * * *", "5/20 3 * * *", "0 9 * * 1-5", "0 0 1 * *", "@hourly", "@weekly", "0 9 1 * mon", "0 0 * 2 *")  # fmt: skip


@pytest.mark.parametrize("cron", CRONS)
def test_the_time_between_ticks_is_that_of_dagster(cron: str) -> None:
    assert smallest_interval(cron) == get_smallest_cron_interval(cron)


@pytest.mark.parametrize("cron", CRONS)
def test_the_last_tick_is_that_of_dagster(cron: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    for hours in range(0, 24 * 90, 37):
        now = datetime(2026, 5, 1, 7, 59, 30, tzinfo=zone) + timedelta(hours=hours)
        assert last_tick(cron, now) == get_latest_completed_cron_tick(cron, now, "Europe/Berlin")
