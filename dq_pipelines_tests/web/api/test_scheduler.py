"""Schedules and sensors over REST: viewed and switched by scope; and the connectors for jobs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dq_pipelines.sources import source_from
from dq_pipelines.sources.base import Source
from dq_pipelines_tests.web.api.test_jobs import got
from dq_pipelines_tests.web.hosting import Hosted

pytestmark = pytest.mark.slow

SCHEDULER = "/api/v1/scheduler"


def turned(here: Hosted, who: str, verb: str, names: list[str] | None = None) -> dict[str, tuple[str, bool]]:
    answer = here.browser(who).post(f"{SCHEDULER}/{verb}", json=None if names is None else {"names": names})
    assert answer.status_code == 200, answer.text
    return {item["name"]: (item["became"], item["changed"]) for item in answer.json()["items"]}


def running(here: Hosted) -> dict[str, bool]:
    found = got(here.browser("vera"), SCHEDULER)
    return {one["name"]: one["running"] for one in [*found["schedules"], *found["sensors"]]}


def test_schedules_have_their_next_tick_and_the_daemon_is_not_alive(here: Hosted) -> None:
    found = got(here.browser("vera"), SCHEDULER)
    schedules, sensors = ({one["name"]: one for one in found[kind]} for kind in ("schedules", "sensors"))
    ours = schedules["deliveries_schedule"]
    assert (ours["table"], ours["cron"], ours["running"], ours["last_tick"]) == (
        "silver/deliveries",
        "0 4 * * *",
        True,
        None,
    )
    assert datetime.fromisoformat(ours["next_tick"]) > datetime.now(UTC)
    assert (sensors["counted_arrivals"]["table"], sensors["counted_arrivals"]["interval_seconds"]) == (
        "silver/counted",
        30,
    )
    assert found["alive"] is False
    assert {daemon["type"] for daemon in found["daemons"]} >= {"SCHEDULER", "SENSOR"}


def test_who_has_a_domain_sees_and_turns_its_own_alone(here: Hosted) -> None:
    found = got(here.browser("olga"), SCHEDULER)
    names = [one["name"] for one in [*found["schedules"], *found["sensors"]]]
    assert names == ["deliveries_schedule", "counted_arrivals"]
    before = running(here)
    assert turned(here, "olga", "pause") == {
        "counted_arrivals": ("paused", True),
        "deliveries_schedule": ("paused", True),
    }
    assert {name for name, runs in running(here).items() if runs != before[name]} == set(names)
    paused = got(here.browser("olga"), SCHEDULER)["schedules"][0]
    assert (paused["running"], paused["next_tick"]) == (False, None)
    assert turned(here, "olga", "pause", ["deliveries_schedule"]) == {"deliveries_schedule": ("paused", False)}
    assert turned(here, "olga", "resume") == dict.fromkeys(sorted(names), ("running", True))
    assert running(here) == before
    heard = [event for kind in ("schedule.off", "sensor.off", "schedule.on", "sensor.on") for event in here.heard(kind)]
    assert {event.who for event in heard} == {"olga"}


def test_what_is_not_theirs_is_refused_one_by_one_and_noted(here: Hosted) -> None:
    olga = here.browser("olga")
    unknown = olga.post(f"{SCHEDULER}/pause", json={"names": ["counted_arrivals", "upkeep_schedule"]})
    assert (unknown.status_code, running(here)["counted_arrivals"]) == (404, True)
    assert here.browser("vera").post(f"{SCHEDULER}/pause").status_code == 403
    # yves looks at the shop, and turns what is of the yard.
    mixed = here.browser("yves").post(f"{SCHEDULER}/pause", json={"names": ["counted_arrivals"]})
    assert mixed.json()["items"][0]["became"] == "paused"
    assert turned(here, "otto", "resume", ["counted_arrivals", "counted_arrivals"]) == {
        "counted_arrivals": ("running", True)
    }
    wrong: list[dict[str, Any]] = [{"names": ["\x00"]}, {"names": 3}, {"name": []}]
    for body in wrong:
        assert olga.post(f"{SCHEDULER}/pause", json=body).status_code == 422


def test_everything_is_paused_and_resumed(here: Hosted) -> None:
    before = running(here)
    paused = turned(here, "otto", "pause")
    assert set(paused) == set(before)
    assert not any(running(here).values())
    turned(here, "otto", "resume", [name for name, runs in before.items() if runs])
    assert running(here) == before


def test_every_source_has_a_schema_and_an_example_that_it_takes(here: Hosted) -> None:
    found: dict[str, Any] = got(here.browser("olga"), "/api/v1/connectors")
    kinds = {source["type"]: source for source in found["sources"]}
    assert {"csv", "excel", "parquet", "delta"} <= set(kinds)
    for kind, source in kinds.items():
        assert isinstance(source_from(source["example"]), Source)
        assert source["description"]
        assert source["json_schema"]["properties"]["type"]
        assert source["json_schema"]["required"], kind
    assert "delimiter" in kinds["csv"]["json_schema"]["properties"]
    assert [(sink["layer"], sink["writes"]) for sink in found["sinks"]] == [
        ("silver", ["append", "merge", "overwrite"]),
        ("gold", ["overwrite"]),
    ]
    assert [engine["name"] for engine in found["engines"]] == ["polars", "duckdb", "postgresql", "spark"]
    assert all(engine["description"] for engine in found["engines"])
