"""`freshness` becomes Dagster's own: a policy of the published table, or a check of one with daily partitions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._utils.schedules import get_smallest_cron_interval

from dq_pipelines.config.cron import smallest_interval
from dq_pipelines.errors import ConfigError
from dq_pipelines.layers.freshness import SENSOR
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


def test_a_daily_table_has_a_check_of_the_day_of_the_deadline(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.table("x", TABLE.format(more=f'{DAILY}\nfreshness: {{cron: "0 9 * * *"}}'))
    from dagster._core.definitions.asset_checks.asset_check_factories.freshness_checks import time_partition

    now = datetime(2026, 1, 2, 10, tzinfo=UTC).timestamp()
    monkeypatch.setattr(time_partition, "get_current_timestamp", lambda: now)
    for day, passes in (("2026-01-01", False), ("2026-01-02", True)):
        shop.land(f"{day}.csv", "id\n1\n")
        assert shop.run("x", partition=day).success
        checked = shop.run_job("checks__x")
        assert checked.checks[CHECK.to_user_string()].passed == passes
    assert shop.definitions.resolve_sensor_def(SENSOR).default_status == dg.DefaultSensorStatus.RUNNING


def test_a_table_without_it_has_neither(shop: Workshop) -> None:
    shop.table("x", TABLE.format(more=DAILY))
    definitions = shop.definitions
    assert not any(spec.freshness_policy for spec in definitions.resolve_all_asset_specs())
    assert CHECK not in definitions.resolve_asset_graph().asset_check_keys
    assert SENSOR not in [sensor.name for sensor in definitions.sensors or ()]


@pytest.mark.parametrize(
    "cron",
    ["0 9 * * *", "*/7 * * * *", "5/20 3 * * *", "0 9 * * 1-5", "0 0 1 * *", "@hourly", "@weekly", "0 9 1 * mon", "0 0 * 2 *"],
)  # fmt: skip
def test_the_time_between_ticks_is_that_of_dagster(cron: str) -> None:
    assert smallest_interval(cron) == get_smallest_cron_interval(cron)
