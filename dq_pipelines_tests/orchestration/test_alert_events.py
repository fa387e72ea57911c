"""What opens an alert, and what closes it: rows in quarantine, severity, old rows, anomalies, schedules, what is gone."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from dq_pipelines.history.alerts.alert_book import AlertBook
from dq_pipelines.history.store.records import VerdictRecord
from dq_pipelines.orchestration.sensors.missed_schedules import overdue
from dq_pipelines_tests.orchestration.listening import Hook
from dq_pipelines_tests.orchestration.orders import land, settings, table, tick
from dq_pipelines_tests.workshop import Workshop


def test_rows_in_quarantine_above_a_number(orders: Workshop, web: Hook) -> None:
    table(orders, action="quarantine", more="alerts: [{to: [team], on: [recovered], quarantine_above: 1}]")
    land(orders, 1, 5, 500)
    orders.run("orders")
    tick(orders)
    assert web.got == []
    land(orders, 2, 5, 500, 600)
    orders.run("orders")
    tick(orders)
    assert web.titles == ["demo: silver/orders: rows in quarantine"]
    assert "2 of 3 rows are in quarantine" in web.got[0]["message"]
    land(orders, 3, 5)
    orders.run("orders")
    tick(orders)
    assert web.titles[1:] == ["demo: silver/orders: recovered"]


def test_severity_and_what_a_table_says_itself(orders: Workshop, web: Hook) -> None:
    settings(orders, web, "when: [{to: [team], on: [check_failed], severity: critical}]")
    table(orders, action="warn")
    land(orders, 1, 60)  # only the warning fails
    orders.run("orders")
    tick(orders)
    assert web.got == []
    table(orders, action="warn", more="alerts: [{to: [team]}]")
    tick(orders)
    assert web.titles == ["demo: silver/orders: 1 check failed"]
    table(orders, action="warn", more="alerts: []")
    land(orders, 2, 1)
    orders.run("orders")
    tick(orders)
    assert len(web.got) == 1


def test_old_rows_are_not_fresh(orders: Workshop, web: Hook) -> None:
    orders.table(
        "events",
        """
        source: {type: csv, path: "{landing}/events/*.csv"}
        silver:
          columns: {at: datetime}
          rules: [{type: expect_table_to_be_fresh, column: at, max_age: 2d, severity: warning}]
        """,
    )
    orders.land("events/a.csv", "at\n2020-01-01T00:00:00\n")
    orders.run("events")
    tick(orders)
    assert web.titles == ["demo: silver/events: not fresh"]
    orders.land("events/b.csv", f"at\n{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}\n")
    orders.run("events")
    tick(orders)
    assert web.titles[1:] == ["demo: silver/events: recovered"]


def test_a_volume_drop_is_an_anomaly_and_the_next_usual_day_ends_it(orders: Workshop, web: Hook) -> None:
    table(orders, action="warn", more="  anomalies: [{metric: row_count}]")
    dice = random.Random(3)  # noqa: S311 - the same month each time
    for ago in range(30, 0, -1):
        at, rows = datetime.now(UTC) - timedelta(days=ago), round(dice.gauss(200, 6))
        orders.history.record(
            VerdictRecord("silver/orders", f"b{ago}", f"r{ago}", at, 1.0, rows, rows, 0, 0, blocked=False)
        )
    for number, rows in enumerate((200, 40, 204)):
        land(orders, number, *[10.0] * rows)
        assert orders.run("orders").success
        tick(orders)
        tick(orders)
    assert web.titles == ["demo: silver/orders: anomaly", "demo: silver/orders: recovered"]
    assert "(warning, anomaly_row_count): observed 40, expected 199 " in web.got[0]["message"]


def test_a_schedule_that_passed_without_the_table(orders: Workshop, web: Hook) -> None:
    table(orders, more='schedule: "0 2 * * *"')
    land(orders, 1, 5)
    assert list(found_overdue(orders, 0)) == []  # never published: nobody knows since when it should be
    orders.run("orders")
    assert [well for _, well, _ in found_overdue(orders, 0)] == [True]
    [(event, well, said)] = found_overdue(orders, 2)
    assert (event, well) == ("freshness_missed", False)
    assert "02:00 UTC, last published at " in said
    tick(orders)
    assert web.got == []


def test_a_source_that_is_gone(orders: Workshop, web: Hook) -> None:
    days = "partitions: {type: daily, start: 2026-01-01}"
    table(orders, more="on_arrival: true")
    table(orders, "days", more=f"on_arrival: true\n    schedule: '0 2 * * *'\n    {days}")
    context: dict[str, dg.SensorEvaluationContext] = {}
    land(orders, 1, 5)
    orders.land("days/2026-01-01.csv", "id,amount\n1,5\n")

    def arrivals(name: str) -> dg.SensorResult | dg.SkipReason:
        cursor = context[name].cursor if name in context else None
        context[name] = dg.build_sensor_context(instance=orders.instance, cursor=cursor)
        said = orders.definitions.resolve_sensor_def(f"{name}_arrivals")(context[name])
        assert isinstance(said, dg.SensorResult | dg.SkipReason)
        return said

    assert isinstance(arrivals("orders"), dg.SensorResult)
    (orders.landing / "orders").rename(orders.landing / "away")
    said = []
    for _ in range(3):
        tick(orders)
        assert web.got == []
        said.append(arrivals("orders"))
        assert isinstance(arrivals("days"), dg.SensorResult), "others go on"
    assert isinstance(said[-1], dg.SkipReason)
    assert "got no 'orders'" in (said[-1].skip_message or "")
    assert "(3 ticks in a row)" in (said[-1].skip_message or "")
    tick(orders)
    arrivals("orders")
    tick(orders)
    assert web.titles == ["demo: silver/orders: source unreachable"]
    assert "wanted the folder" in web.got[0]["message"]
    (orders.landing / "away").rename(orders.landing / "orders")
    assert isinstance(arrivals("orders"), dg.SensorResult)
    tick(orders)
    assert web.titles[1:] == ["demo: silver/orders: recovered"]
    # a schedule's tick is a planned run, so the first one tells
    (orders.landing / "days").rename(orders.landing / "away")
    schedule = orders.definitions.resolve_schedule_def("days_schedule")
    schedule.evaluate_tick(dg.build_schedule_context(orders.instance))
    tick(orders)
    assert web.titles[2:] == ["demo: silver/days: source unreachable"]


def found_overdue(shop: Workshop, days: int) -> list[tuple[str, bool, str]]:
    now = datetime.now(UTC) + timedelta(days=days)
    found = overdue(shop.instance, shop.project, timedelta(hours=1), (), now)
    return [(each.event, each.is_well, each.said) for each in found]


def test_a_job_that_failed_and_what_is_gone_from_the_yaml(orders: Workshop, web: Hook) -> None:
    with pytest.raises(AssertionError):  # the op ends in an error that nobody meant, for the test: the table is unknown
        assert orders.run_job("quarantine_replay", config={"table": "nothing"}).success
    land(orders, 1, 500)
    orders.run("orders")
    tick(orders)
    assert sorted(web.titles) == [
        "demo: quarantine_replay: run failed",
        "demo: silver/orders: 2 checks failed, run failed",
    ]
    (orders.root / "assets_config/shop/orders.yaml").unlink()
    table(orders, "others")
    tick(orders)
    assert [alert.about for alert in AlertBook(orders.history).open()] == ["quarantine_replay"]
    assert len(web.got) == 2  # of a table that is gone nobody says that it is well
