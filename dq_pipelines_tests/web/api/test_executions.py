"""Launching jobs over REST: once per idempotency key, in the caller's name, within their permissions; and the history."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from dq_pipelines.security.audit import AuditLog
from dq_pipelines_tests.web.api.test_jobs import JOBS, got
from dq_pipelines_tests.web.hosting import Hosted

pytestmark = pytest.mark.slow


def run(here: Hosted, who: str, name: str, body: Any = None, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return here.browser(who).post(f"{JOBS}/{name}/execute", json=body, headers=headers)


def runs(here: Hosted) -> int:
    return here.host.instance.get_runs_count()


def test_a_job_runs_once_in_the_callers_name_and_its_history_tells(here: Hosted) -> None:
    here.shop.land("sales/b.csv", "id,amount,shop,note\n8,-5,north,\n9,5,north,\n")
    answer = run(here, "otto", "sales", {}, "k-1")
    assert answer.status_code == 202, answer.text
    run_id = answer.json()["run_id"]
    assert answer.headers["location"] == f"/api/v1/runs/{run_id}"
    ended = here.ended(run_id)
    assert (ended.status.value, ended.tags["dq/user"]) == ("SUCCESS", "otto")
    line = got(here.browser("vera"), f"{JOBS}/sales/history?limit=1")
    verdict = line["items"][0]
    assert (verdict["run_id"], verdict["status"]) == (run_id, "SUCCESS")
    assert (verdict["rows_in"], verdict["published"], verdict["refused"], verdict["failed"]) == (2, 1, 1, 1)
    older = got(here.browser("vera"), f"{JOBS}/sales/history?limit=1&cursor={line['next']}")
    assert (older["items"][0]["rows_in"], older["next"]) == (3, None)
    last = got(here.browser("vera"), f"{JOBS}/sales")["last_run"]
    assert (last["run_id"], last["status"]) == (run_id, "SUCCESS")

    before = runs(here)
    again = run(here, "otto", "sales", {}, "k-1")
    assert (again.status_code, again.json()["run_id"], runs(here)) == (202, run_id, before)
    other = run(here, "otto", "sales", {"mode": "rerun"}, "k-1")
    assert (other.status_code, runs(here)) == (409, before)
    assert "wanted a new key" in other.json()["detail"]

    # A server that died before it could say what came of it: the run itself has the key.
    died = "UPDATE dq_done_once SET result = NULL, at = strftime('%Y-%m-%d %H:%M:%f000', 'now', '-2 minutes')"
    with sa.create_engine(here.shop.history.url).begin() as connection:
        assert connection.execute(sa.text(f"{died} WHERE result = :run"), {"run": run_id}).rowcount == 1
    assert run(here, "otto", "sales", {}, "k-1").json()["run_id"] == run_id
    assert (runs(here), len(ended.tags["dq/idempotency_key"])) == (before, 64)


def test_pipelines_are_jobs_by_another_name_with_the_same_rights(here: Hosted) -> None:
    here.shop.land("sales/c.csv", "id,amount,shop,note\n10,5,north,\n")
    path = "/api/v1/pipelines"
    assert here.browser("vera").post(f"{path}/run", json={"pipeline": "sales"}).status_code == 403
    assert here.browser("olga").post(f"{path}/run", json={"pipeline": "sales"}).status_code == 404, (
        "she may not view it"
    )
    unknown = here.browser("otto").post(f"{path}/run", json={"pipeline": "sale"})
    assert (unknown.status_code, "nearest: sales" in unknown.text) == (404, True)
    answer = here.browser("otto").post(f"{path}/run", json={"pipeline": "sales"}, headers={"Idempotency-Key": "p-1"})
    assert answer.status_code == 202, answer.text
    run_id = answer.json()["run_id"]
    assert run(here, "otto", "sales", {}, "p-1").json()["run_id"] == run_id, "the same request by its other address"
    here.ended(run_id)
    told = got(here.browser("vera"), f"{path}/status/{run_id}")
    assert (told["status"], told["rows_in"]) == ("SUCCESS", 1)
    assert told == got(here.browser("vera"), f"/api/v1/runs/{run_id}")
    assert here.browser("olga").get(f"{path}/status/{run_id}").status_code == 404


def test_of_many_simultaneous_requests_one_starts_a_run(here: Hosted) -> None:
    before, client = runs(here), here.browser("otto")

    def ask(_: int) -> Any:
        headers = {"Idempotency-Key": "k-many"}
        return client.post(f"{JOBS}/shops/execute", json={"mode": "rerun"}, headers=headers)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(6)))
    assert {answer.status_code for answer in answers} == {202}
    (run_id,) = {answer.json()["run_id"] for answer in answers}
    assert runs(here) == before + 1
    assert here.ended(run_id).status.value == "SUCCESS"
    assert got(here.browser("vera"), f"{JOBS}/shops/history")["items"][0]["batch"].endswith("-rerun")


def test_a_file_that_has_landed_is_a_partition_and_who_has_the_domain_runs_it(here: Hosted) -> None:
    answer = run(here, "olga", "deliveries", {"partition": "monday"})
    assert answer.status_code == 202, answer.text
    ended = here.ended(answer.json()["run_id"])
    assert (ended.status.value, ended.tags["dagster/partition"]) == ("SUCCESS", "monday")
    assert here.shop.rows("silver/deliveries", "id") == [1, 2]


def test_a_range_of_days_is_one_run(here: Hosted) -> None:
    for day in (1, 3):
        here.shop.land(f"counted/2026-11-0{day}.csv", f"id\n{day}\n")
    answer = run(here, "olga", "counted", {"partition": "2026-11-01...2026-11-03"})
    assert answer.status_code == 202, answer.text
    run_id = answer.json()["run_id"]
    assert here.ended(run_id).status.value == "SUCCESS"
    assert here.shop.rows("silver/counted", "id", "_partition") == [(1, "2026-11-01"), (3, "2026-11-03")]
    told = got(here.browser("olga"), f"/api/v1/runs/{run_id}")
    assert told["partition"] == "2026-11-01...2026-11-03"
    assert [(one["partition"], one["published"]) for one in told["batches"]] == [("2026-11-01", 1), ("2026-11-03", 1)]
    # Its checks alone, over the same days.
    olga = here.browser("olga")
    asked = olga.post("/api/v1/rules/run", json={"table": "silver/counted", "partition": told["partition"]})
    assert asked.status_code == 202, asked.text
    assert here.ended(asked.json()["id"]).status.value == "SUCCESS"
    told = olga.get(f"/api/v1/runs/{asked.json()['id']}").json()
    assert told["partition"] == "2026-11-01...2026-11-03"
    assert [(one["partition"], one["batch"]) for one in told["batches"]] == [("2026-11-01", ""), ("2026-11-03", "")]
    verdicts = got(olga, "/api/v1/tables/silver/counted/verdicts")["items"]
    assert [(one["partition"], one["batch"]) for one in verdicts[:2]] == [("2026-11-03", ""), ("2026-11-01", "")]
    for table, partition, said in (
        ("silver/counted", "2026-11-03...2026-11-01", "which ends before it begins"),
        ("silver/sales", "x", "silver/sales has no partitions"),
    ):
        answer = here.browser("otto").post("/api/v1/rules/run", json={"table": table, "partition": partition})
        assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.text


@pytest.mark.parametrize(
    ("name", "body", "status", "said"),
    [
        ("counted", {"partition": "2026-11-03...2026-11-01"}, 422, "which ends before it begins"),
        ("counted", {"partition": "2026-11-01...2026-11-xx"}, 422, "wanted a day of 2026-11-01 to"),
        ("deliveries", {"partition": "monday...mondey"}, 422, "got 'mondey' (nearest: monday)"),
        ("by_shop", {"mode": "rerun"}, 422, "gold/by_shop is computed again by each run"),
        ("sales", {"partition": "x"}, 422, "silver/sales has no partitions"),
        ("deliveries", {}, 422, "runs by partition: wanted one, or a range"),
        ("deliveries", {"partition": "mondey"}, 422, "got 'mondey' (nearest: monday)"),
        ("counted", {"partition": "2026-10-31"}, 422, "wanted a day of 2026-11-01 to"),
        ("counted", {"partition": "20261102"}, 422, "wanted a day of 2026-11-01 to"),
        ("counted", {"partition": "9999-12-31"}, 422, "wanted a day of 2026-11-01 to"),
        ("sales", {"mode": "setup"}, 422, "body.mode"),
        ("sales", {"modus": "rerun"}, 422, "body.modus"),
        ("sales", {"partition": "\x00"}, 422, "body.partition"),
        ("sale", {}, 404, "unknown job 'sale' (nearest: sales)"),
    ],
)
def test_an_invalid_request_starts_nothing(here: Hosted, name: str, body: Any, status: int, said: str) -> None:
    before = runs(here)
    answer = run(here, "otto", name, body)
    assert (answer.status_code, runs(here)) == (status, before), answer.text
    assert said in answer.json()["detail"]


def test_who_may_not_run_it_is_refused_and_the_log_has_it(here: Hosted) -> None:
    before = runs(here)
    for who, name in [("vera", "sales"), ("yves", "sales")]:
        answer = run(here, who, name)
        assert (answer.status_code, runs(here)) == (403, before)
    assert "be operator or admin of sales; you are admin of domain:yard, viewer of domain:shop" in answer.text
    refused = [
        event
        for _, event in AuditLog(here.shop.state).events()
        if event.what == "job.execute" and event.result == "refused"
    ]
    assert ("yves", "sales") in [(event.who, event.on) for event in refused]
