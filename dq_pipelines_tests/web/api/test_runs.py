"""Runs over REST: records of Dagster and history, visibility by scope, and cancelling."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

from dq_pipelines.lake.table_lock import claimed
from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import User
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.dagster_client.launching import Launch
from dq_pipelines_tests.web.conftest import build
from dq_pipelines_tests.web.hosting import Hosted, hosting
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

USERS = {
    "vera": [Grant(Role.VIEWER)],
    "otto": [Grant(Role.OPERATOR)],
    "flo": [Grant(Role.OPERATOR, "domain:slow")],
    "tess": [Grant(Role.OPERATOR, "team:tills"), Grant(Role.VIEWER, "domain:slow")],
}
#: A table whose one step waits until it is stopped.
SLOW = """
owners: ["team:clock"]
source: {type: csv, path: "{landing}/slow/*.csv"}
silver: {columns: {id: int64}, rules: [{type: expect_column_values_to_not_be_null, column: id}]}
"""


def build_slow(root: Path) -> Workshop:
    """`build`, and a table of the domain `slow` with a file to land."""
    shop = build(root)
    shop.table("slow", SLOW, "slow")
    shop.land("slow/a.csv", "id\n1\n")
    return shop


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosting(build_slow(tmp_path_factory.mktemp("runs")), USERS) as made:
        yield made


def launched(here: Hosted, *assets: str, by: str = "otto") -> str:
    return Launch(assets=assets).submit(caller(by), here.host)


def caller(name: str) -> Caller:
    return Caller(User(name, frozenset(USERS[name])))


@pytest.fixture(scope="module")
def done(here: Hosted) -> str:
    """A run that has ended: it published two rows of a table of the domain `shop`."""
    here.shop.land("shops/b.csv", "shop\neast\nwest\n")
    run = launched(here, "bronze/shops", "silver/shops", "quarantine/shops")
    assert here.ended(run).status.value == "SUCCESS"
    return run


@contextmanager
def held_up(here: Hosted, table: str = "slow") -> Iterator[str]:
    """A run that goes on until it is stopped, or the block ends: somebody else works on its table."""
    with claimed(here.shop.lake, table, lambda _: None):
        run = launched(here, f"bronze/{table}", f"silver/{table}")
        until = time.monotonic() + 60
        while not working(here, run):
            assert time.monotonic() < until
            time.sleep(0.1)
        yield run


def working(here: Hosted, run: str) -> bool:
    records = here.host.instance.get_records_for_run(run, of_type=dg.DagsterEventType.STEP_START).records
    return bool(records)


def test_a_run_says_who_launched_what_and_what_came_of_it(here: Hosted, done: str) -> None:
    found = here.as_user("vera").get(f"/api/v1/runs/{done}").json()
    told = {name: found[name] for name in ("id", "status", "user", "tables", "job", "link")}
    assert told == {
        "id": done,
        "status": "SUCCESS",
        "user": "otto",
        "tables": ["bronze/shops", "quarantine/shops", "silver/shops"],
        "job": "__ASSET_JOB",
        "link": f"/runs/{done}",
    }
    [batch] = found["batches"]
    assert (batch["table"], batch["rows_in"], batch["published"]) == ("silver/shops", 2, 2)
    assert (found["rows_in"], found["refused"], found["checks_failed"]) == (2, 0, 0)
    assert found["checks_passed"] == batch["checks_passed"] > 0
    assert found["created_at"] <= found["started_at"] <= found["ended_at"]


def test_an_unknown_run_is_not_there(here: Hosted) -> None:
    answer = here.as_user("vera").get("/api/v1/runs/6a0b8f6e-4b0e-4c0d-9a53-0f7f6f2b9d11")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert here.as_user("otto").post("/api/v1/runs/nobody/cancel").status_code == 404


def test_an_operator_cancels_a_run_and_it_publishes_nothing(here: Hosted) -> None:
    with held_up(here) as run:
        answer = here.as_user("otto").post(f"/api/v1/runs/{run}/cancel")
        assert (answer.status_code, answer.json()["id"]) == (202, run), answer.text
        assert here.ended(run).status.value == "CANCELED"
    again = here.as_user("otto").post(f"/api/v1/runs/{run}/cancel")
    assert (again.status_code, again.json()["detail"]) == (409, f"run {run} has ended: it is CANCELED")
    assert here.shop.rows("silver/slow") == []
    events = [event for _, event in AuditLog(here.shop.state).events()]
    assert [(event.who, event.result) for event in events if event.what == "cancel" and event.on == run] == [
        ("otto", "done")
    ]


def test_a_run_that_starts_is_cancelled_when_it_has_started(here: Hosted) -> None:
    with claimed(here.shop.lake, "slow", lambda _: None):
        run = launched(here, "bronze/slow", "silver/slow")
        starting = here.host.instance.get_run_by_id(run)
        assert starting is not None
        assert starting.status.value in ("NOT_STARTED", "STARTING")
        answer = here.as_user("otto").post(f"/api/v1/runs/{run}/cancel")
        assert answer.status_code == 202, answer.text
        assert here.ended(run).status.value == "CANCELED"


def test_who_may_not_cancel_is_told_why_and_the_log_knows(here: Hosted, done: str) -> None:
    for name, status in (("vera", 403), ("flo", 404), ("tess", 404)):
        answer = here.as_user(name).post(f"/api/v1/runs/{done}/cancel")
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), name
    with held_up(here) as run:
        refused = here.as_user("tess").post(f"/api/v1/runs/{run}/cancel")
        assert refused.status_code == 403, refused.text
        assert (
            "be operator or admin of bronze/slow, silver/slow; you are operator of team:tills"
            in refused.json()["detail"]
        )
        assert here.host.instance.get_run_by_id(run).status.value == "STARTED"  # type: ignore[union-attr]
        assert here.as_user("flo").post(f"/api/v1/runs/{run}/cancel").status_code == 202
        here.ended(run)
    events = [event for _, event in AuditLog(here.shop.state).events()]
    assert ("tess", "cancel", run, "refused") in [(one.who, one.what, one.on, one.result) for one in events]
    assert ("vera", "refused") in [(one.who, one.result) for one in events if one.what == "cancel"]


def test_who_has_a_scope_sees_the_runs_of_their_tables(here: Hosted, done: str) -> None:
    def seen(name: str) -> set[str]:
        found = here.as_user(name).get("/api/v1/runs").json()["items"]
        return {table.partition("/")[2] for run in found for table in run["tables"]}

    slow = here.host.instance.run_storage.add_run(
        dg.DagsterRun("checks__slow", status=dg.DagsterRunStatus.SUCCESS, tags={"dq/user": "otto"})
    )
    assert here.as_user("flo").get(f"/api/v1/runs/{done}").status_code == 404
    assert here.as_user("flo").get(f"/api/v1/runs/{slow.run_id}").status_code == 200
    assert seen("flo") == {"slow"}
    assert seen("otto") == {"slow", "shops"}


@pytest.fixture(scope="module")
def many(here: Hosted) -> list[str]:
    """Thirty runs as Dagster keeps them, every third failed; newest first."""
    made = []
    began = datetime.now(UTC)
    for number in range(30):
        run = dg.DagsterRun(
            "checks__sales" if number % 2 else "domain__shop",
            status=dg.DagsterRunStatus.FAILURE if number % 3 == 0 else dg.DagsterRunStatus.SUCCESS,
            tags={"dq/user": f"u{number % 5}", "dagster/partition": f"p{number % 7}"},
        )
        here.host.instance.run_storage.add_historical_run(run, began + timedelta(seconds=number))
        made.append(run.run_id)
    return made[::-1]


def pages(here: Hosted, name: str = "vera", **wanted: Any) -> list[list[str]]:
    client, found, cursor = here.as_user(name), [], None
    while True:
        answer = client.get("/api/v1/runs", params=wanted | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        found.append([run["id"] for run in answer.json()["items"]])
        cursor = answer.json()["next"]
        if cursor is None:
            return found


@pytest.mark.parametrize(
    ("wanted", "which"),
    [
        ({}, lambda _: True),
        ({"status": "FAILURE"}, lambda number: number % 3 == 0),
        ({"status": ["FAILURE", "QUEUED"], "user": "u3"}, lambda number: number % 15 == 3),
        ({"job": "checks__sales"}, lambda number: number % 2),
        ({"table": "quarantine/sales"}, lambda number: number % 2 == 0),
        ({"table": "silver/sales", "partition": "p0"}, lambda number: number % 7 == 0),
        ({"user": "nobody"}, lambda _: False),
    ],
)
def test_pages_hold_each_run_once_newest_first(here: Hosted, many: list[str], wanted: Any, which: Any) -> None:
    found = pages(here, limit=4, **wanted)
    assert all(len(page) <= 4 for page in found)
    flat = [run for page in found for run in page]
    assert len(set(flat)) == len(flat)
    assert [run for run in flat if run in many] == [run for place, run in enumerate(many) if which(29 - place)]


def test_a_page_goes_on_where_its_last_run_was_purged(here: Hosted, many: list[str]) -> None:
    client = here.as_user("vera")
    first = client.get("/api/v1/runs", params={"limit": 3, "status": "SUCCESS"}).json()
    last = first["items"][-1]["id"]
    record = here.host.instance.get_run_record_by_id(last)
    assert record is not None
    here.host.instance.delete_run(last)
    second = client.get("/api/v1/runs", params={"limit": 3, "status": "SUCCESS", "cursor": first["next"]}).json()
    here.host.instance.run_storage.add_historical_run(record.dagster_run, record.create_timestamp)
    wanted = [run for place, run in enumerate(many) if (29 - place) % 3][3:6]
    assert [run["id"] for run in second["items"]] == wanted


def test_runs_are_found_by_when_they_were_made(here: Hosted, many: list[str]) -> None:
    client = here.as_user("vera")
    at = [client.get(f"/api/v1/runs/{run}").json()["created_at"] for run in (many[5], many[10])]
    answer = client.get("/api/v1/runs", params={"created_before": at[0], "created_after": at[1]})
    assert [run["id"] for run in answer.json()["items"]] == many[6:10]


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=WzFd", "status=GONE", "user=%00", "created_after=x", "limit=0", "limit=9e99"]
)
def test_invalid_filters_are_refused(here: Hosted, query: str) -> None:
    answer = here.as_user("vera").get(f"/api/v1/runs?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_an_unknown_table_is_told_with_the_nearest(here: Hosted) -> None:
    answer = here.as_user("vera").get("/api/v1/runs?table=silver/sale")
    # Who sees everything may ask for a table that is gone.
    assert (answer.status_code, answer.json()["items"]) == (200, [])
    answer = here.as_user("flo").get("/api/v1/runs?table=silver/slo")
    assert (answer.status_code, answer.json()["detail"]) == (404, "unknown table 'silver/slo' (nearest: silver/slow)")


def log(here: Hosted, run: str, **wanted: Any) -> list[dict[str, Any]]:
    client, found, cursor = here.as_user("vera"), [], None
    while True:
        answer = client.get(f"/api/v1/runs/{run}/logs", params=wanted | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next"]
        if cursor is None:
            return found


def test_a_log_is_read_in_pages_and_searched(here: Hosted, done: str) -> None:
    events = log(here, done, limit=3)
    assert [one["kind"] for one in events if one["step"] == "shops"][:2] == ["ASSET_MATERIALIZATION_PLANNED"] * 2
    assert [event["number"] for event in events] == sorted({event["number"] for event in events})
    assert "RUN_SUCCESS" in [event["kind"] for event in events]
    assert len(events) == len(here.host.instance.all_logs(done))
    said = log(here, done, search="MATERIALIZED VALUE SILVER")
    assert [(one["kind"], one["asset"]) for one in said] == [("ASSET_MATERIALIZATION", "silver/shops")]
    assert all(event["level"] != "DEBUG" for event in log(here, done, level="INFO", limit=2))
    assert log(here, done, level="ERROR") == []


def test_the_log_of_a_running_run_grows(here: Hosted) -> None:
    client = here.as_user("otto")
    with held_up(here) as run:
        first = client.get(f"/api/v1/runs/{run}/logs", params={"limit": 1000}).json()
        assert first["next"] is not None
        client.post(f"/api/v1/runs/{run}/cancel")
        here.ended(run)
    rest = client.get(f"/api/v1/runs/{run}/logs", params={"cursor": first["next"]}).json()
    assert rest["next"] is None
    assert rest["items"][0]["number"] > first["items"][-1]["number"]
    assert "RUN_CANCELED" in [event["kind"] for event in rest["items"]]


def test_what_processes_wrote_comes_in_parts(here: Hosted, done: str) -> None:
    client = here.as_user("vera")
    manager = here.host.instance.compute_log_manager
    captured = here.host.instance.get_records_for_run(done, of_type=dg.DagsterEventType.LOGS_CAPTURED).records
    [told] = [one.event_log_entry.dagster_event.logs_captured_data for one in captured]  # type: ignore[union-attr]
    key = manager.build_log_key_for_run(done, told.file_key)
    assert isinstance(manager, LocalComputeLogManager)
    wrote = "é" * 70_000 + "last"
    Path(manager.get_captured_local_path(key, "out")).write_text("x" + wrote, encoding="utf-8")
    parts, cursor = [], None
    while True:
        found = client.get(f"/api/v1/runs/{done}/output", params={"cursor": cursor} if cursor else {}).json()
        parts += found["items"]
        cursor = found["next"]
        if cursor is None:
            break
    assert "".join(part["text"] for part in parts) == "x" + wrote
    assert [part["steps"] for part in parts] == [["shops"]] * 3
    assert "STEP_SUCCESS" in client.get(f"/api/v1/runs/{done}/output?stream=stderr").json()["items"][0]["text"]


def test_an_unknown_caller_is_refused_as_problem_details(here: Hosted) -> None:
    for path in ("/api/v1/runs", "/apikey", "/api/v1/health"):
        answer = here.client().get(path, headers={"accept": "text/html"})
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert answer.json()["detail"] == "authentication required: log in, or send an API key"
