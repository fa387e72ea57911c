"""The run queue of a real `dq serve`: waiting runs hold no slot, and a burst of files gives few runs."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dq_pipelines_tests.web.served import SLOW, api_key, serving
from dq_pipelines_tests.web.test_serving_dagster import until
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

QUICK = """
source: {type: csv, path: "{landing}/quick/*.csv"}
on_arrival: true
silver: {columns: {id: int64}}
"""
STATUS = dg.DagsterRunStatus


@dataclass
class Service:
    """A gateway, and a program that asks it."""

    shop: Workshop
    address: str
    key: str

    def execute(self, table: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=60)
        connection.request("POST", f"/api/v1/jobs/{table}/execute", headers={"X-API-Key": self.key})
        answer = connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
        assert answer.status == 202, found
        connection.close()
        return found

    def runs(self, table: str, *statuses: dg.DagsterRunStatus) -> list[str]:
        """The ids of the table's runs with one of these statuses, or of all."""
        with dg.DagsterInstance.from_config(str(self.shop.root / ".dagster_home")) as instance:
            wanted = dg.RunsFilter(tags={"dq/table": table}, statuses=list(statuses))
            return [run.run_id for run in instance.get_runs(wanted)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    shop = Workshop(tmp_path_factory.mktemp("queue"))
    shop.table("quick", QUICK)
    shop.table("slow", SLOW)
    (shop.root / "slow_steps.py").write_text("import time\ndef wait(rows):\n    time.sleep(600)\n    return rows\n")
    key = api_key(shop)
    with serving(shop) as (_, address):
        yield Service(shop, address, key)


def test_waiting_runs_hold_no_slot(service: Service) -> None:
    service.shop.land("slow/a.csv", "id\n1\n")
    first = service.execute("slow")
    assert first["waits_behind"] is None
    until(lambda: service.runs("slow", STATUS.STARTED) == [first["run_id"]], "the first one is started", 240)
    others = [service.execute("slow") for _ in range(5)]
    assert [one["waits_behind"] for one in others] == [first["run_id"]] * 5
    service.shop.land("quick/a.csv", "id\n1\n")
    until(lambda: service.shop.rows("silver/quick", "id") == [1], "another table is published meanwhile", 240)
    assert service.runs("slow", STATUS.STARTED) == [first["run_id"]]
    assert sorted(service.runs("slow", STATUS.QUEUED)) == sorted(one["run_id"] for one in others)


def test_a_burst_of_files_ends_in_few_runs(service: Service) -> None:
    before, many = len(service.runs("quick")), 400
    for number in range(many):
        landed: Path = service.shop.land(f"quick/{number}.tmp", f"id\n{1000 + number}\n")
        landed.rename(service.shop.landing / "quick" / f"{number:04}.csv")
        time.sleep(1 / 200)
    until(lambda: len(service.shop.rows("silver/quick", "id")) >= many, "all of them are published", 300)
    assert len(set(service.shop.rows("silver/quick", "id"))) == many + (1 if before else 0)
    assert len(service.runs("quick")) - before <= 4
