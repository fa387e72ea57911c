"""What `dq report` says beside the verdicts: removed tables, inputs that no run reads, freshness, the time of the last attempt."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from dq_pipelines.rules.core import clock
from dq_pipelines_tests.cli.conftest import Dq
from dq_pipelines_tests.workshop import Workshop

EVENTS = """
    source: {type: csv, path: "{landing}/events/*.csv"}
    MORE
    silver:
      columns: {id: int64}
      rules: [{type: expect_column_max_to_be_between, column: id, max_value: 9}]
"""


def events(shop: Workshop, more: str = "") -> None:
    shop.table("events", EVENTS.replace("MORE", more))


@pytest.fixture
def told(shop: Workshop, dq: Dq, monkeypatch: pytest.MonkeyPatch) -> Dq:
    for name, place in (("DQ_CONFIG", "assets_config"), ("DQ_LAKE", "lake")):
        monkeypatch.setenv(name, str(shop.root / place))
    monkeypatch.setenv("DQ_HISTORY_URL", shop.history.url)
    return dq


def rules(told: Dq, *more: str) -> dict[str, dict[str, object]]:
    """By rule, the entries of the report."""
    return {each["rule"]: each for each in json.loads(told("report", "--json", *more).stdout)}


def test_a_table_that_left_the_yaml_is_shown_apart(shop: Workshop, told: Dq) -> None:
    events(shop)
    shop.table("other", 'source: {type: csv, path: "{landing}/other/*.csv"}\nsilver: {}\n')
    shop.land("events/a.csv", "id\n10\n")
    shop.land("other/a.csv", "id\n1\n")
    assert not shop.run().success
    assert told("report", "--strict").returncode == 1
    (shop.root / "assets_config/shop/events.yaml").unlink()
    ran = told("report", "--strict")
    assert ran.returncode == 0
    assert ran.stdout.splitlines()[-1] == "No longer in the YAML: silver/events (blocked)"
    assert {each["table"] for each in json.loads(told("report", "--json").stdout)} == {"silver/other"}
    asked = told("report", "--strict", "--table", "events")
    assert (asked.returncode, "silver/events" in asked.stdout) == (1, True), "who asks for it is told"


def test_an_input_that_no_run_reads(shop: Workshop, told: Dq) -> None:
    events(shop, 'partitions: {type: daily, start: 2024-01-01, in_path: "%Y-%m-%d"}')
    shop.land("events/2024-01-01.csv", "id\n1\n")
    assert shop.run("events", partition="2024-01-01").success
    assert "inputs_unassigned" not in rules(told)
    shop.land("events/notes.csv", "id\n1\n")
    found = rules(told)["inputs_unassigned"]
    assert (found["table"], found["success"], found["table_status"]) == ("silver/events", False, "healthy")
    assert "inputs_unassigned: 1 input is read by no run" in " ".join(told("report").stdout.split())
    assert told("report", "--strict").returncode == 0


def test_a_folder_that_is_not_there_is_told_once_and_is_no_input(shop: Workshop, told: Dq) -> None:
    events(shop)
    shop.land("events/a.csv", "id\n1\n")
    assert shop.run("events").success
    (shop.landing / "events").rename(shop.landing / "gone")
    missing = f"wanted the folder {shop.landing}/events, got no 'events' in {shop.landing}"
    before = " ".join(told("report").stdout.split())
    assert f"inputs_unassigned: the source cannot be listed: {shop.landing}/events/*.csv: {missing}" in before
    assert not shop.run("events").success
    after = " ".join(told("report").stdout.split())
    assert (after.count(missing), "input" in after) == (1, False), after
    assert "inputs_unassigned" not in rules(told)


def test_a_value_that_lies_in_the_future_is_said_to(shop: Workshop, told: Dq) -> None:
    shop.table(
        "events",
        """
        source: {type: csv, path: "{landing}/events/*.csv"}
        silver:
          columns: {id: int64, at: datetime}
          rules: [{type: expect_table_to_be_fresh, column: at, max_age: 2d, severity: warning}]
        """,
    )
    shop.land("events/a.csv", "id,at\n1,2062-01-01 00:00:00\n")
    ran = shop.run("events")
    said = "observed 2062-01-01 00:00:00, which lies more than 14h in the future"
    assert ran.checks["silver/events:at__fresh"].description == said
    assert said in " ".join(told("report").stdout.split())
    assert rules(told)["expect_table_to_be_fresh"]["remark"] == "which lies more than 14h in the future"
    path = shop.root / "assets_config/shop/events.yaml"
    path.write_text(path.read_text().replace("warning", "critical"))
    shop.land("events/b.csv", "id,at\n2,2062-01-01 00:00:00\n")
    [why] = shop.run("events").failures.values()
    assert said in why


@pytest.mark.parametrize("freshness", ["{within: 26h}", "{within: 1h, cron: '0 0 * * *'}"])
def test_freshness(shop: Workshop, told: Dq, freshness: str) -> None:
    events(shop, f"freshness: {freshness}")
    shop.land("events/a.csv", "id\n1\n")
    assert shop.run("events").success
    assert rules(told)["freshness_check"]["success"] is True
    with clock.at(datetime.now(UTC) + timedelta(days=3)):
        assert rules(told)["freshness_check"]["success"] is False
        assert "freshness_check: wanted a run" in told("report").stdout
        assert shop.run("events").success, "nothing new counts"


def test_the_last_batch_and_the_last_attempt_have_a_time_each(shop: Workshop, told: Dq) -> None:
    events(shop)
    shop.land("events/a.csv", "id\n1\n")
    assert shop.run("events").success
    (head, line, *_) = told("report").stdout.splitlines()
    assert "last batch" in head
    assert "last attempt" not in line
    assert shop.run("events").success
    (_, line, *_) = told("report").stdout.splitlines()
    assert line.endswith("published, last attempt just now: nothing new")
