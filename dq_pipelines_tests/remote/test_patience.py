"""A store that is away for a while: the run says so, waits, and finishes; nothing stands aside for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dq_pipelines.lake.skipped_inputs import read_skipped_inputs
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines_tests.remote.afar import Bucket
from dq_pipelines_tests.remote.flaky import Proxy, before
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

ORDERS = """
    source: {type: csv, path: "BUCKET/orders/*.csv"}
    retries: {tries: 3, wait: 1s}
    silver: {columns: {id: int64}}
"""


@pytest.fixture
def proxy(s3_server: str, s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """What stands between us and the store; the bucket's own client does not go through it."""
    assert s3.name
    with before(s3_server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        yield proxy


@pytest.fixture
def shop(tmp_path: Path, s3: Bucket) -> Iterator[Workshop]:
    """The landing is in the bucket, the lake on disk."""
    workshop = Workshop(tmp_path)
    workshop.table("orders", ORDERS.replace("BUCKET", s3.uri))
    with workshop.instance:
        yield workshop


def test_a_run_waits_for_a_store_that_comes_back(shop: Workshop, s3: Bucket, proxy: Proxy) -> None:
    s3.put("orders/a.csv", "id\n1\n")
    proxy.down()
    said: list[str] = []

    def log(line: str) -> None:
        said.append(line)
        if "trying again" in line:
            proxy.up()

    outcome = refine(TableRun(shop.project.tables["orders"], shop.lake, log=log))
    assert outcome is not None
    assert shop.rows("silver/orders", "id") == [1]
    assert "Connection refused" in said[0]
    assert said[0].endswith("s (2 of 3)")
    assert read_skipped_inputs(shop.lake, "orders") == {}


def test_an_answer_that_is_cut_off(shop: Workshop, s3: Bucket, proxy: Proxy) -> None:
    text = "id\n" + "".join(f"{n}\n" for n in range(100_000))
    s3.put("orders/a.csv", text)
    proxy.cut(len(text) // 2)
    said: list[str] = []
    outcome = refine(TableRun(shop.project.tables["orders"], shop.lake, log=said.append))
    assert outcome is not None
    assert proxy.cuts_left == 0, "no answer was cut off"
    assert outcome.counts.published == 100_000
    assert read_skipped_inputs(shop.lake, "orders") == {}


def test_it_gives_up_in_the_end_and_may_be_retried(shop: Workshop, s3: Bucket, proxy: Proxy) -> None:
    shop.table("orders", ORDERS.replace("BUCKET", s3.uri).replace("tries: 3, wait: 1s", "tries: 2, wait: 10ms"))
    s3.put("orders/a.csv", "id\n1\n")
    proxy.down()
    ran = shop.run("orders")
    assert "Connection refused" in ran.failures["orders"]
    [failure] = [event for event in ran.result.all_events if event.is_step_failure]
    assert failure.step_failure_data.user_failure_data is not None
    logged = [entry.user_message for entry in shop.instance.all_logs(ran.run_id)]
    assert any(line.endswith("s (2 of 2)") for line in logged), logged
    proxy.up()
    assert shop.run("orders").success
    assert shop.rows("silver/orders", "id") == [1]


def test_waiting_is_cancelled_within_two_seconds(shop: Workshop, s3: Bucket, proxy: Proxy) -> None:
    shop.table("orders", ORDERS.replace("BUCKET", s3.uri).replace("wait: 1s", "wait: 2m"))
    s3.put("orders/a.csv", "id\n1\n")
    proxy.down()
    waits, cancelled = threading.Event(), threading.Event()

    def may_commit() -> None:
        if cancelled.is_set():
            raise dg.DagsterExecutionInterruptedError("cancelled")

    work = TableRun(shop.project.tables["orders"], shop.lake, may_commit=may_commit, log=lambda _: waits.set())
    ended = threading.Event()

    def run() -> None:
        with pytest.raises(dg.DagsterExecutionInterruptedError):
            refine(work)
        ended.set()

    runner = threading.Thread(target=run)
    runner.start()
    assert waits.wait(30)
    cancelled.set()
    assert ended.wait(60)  # the store stays away, and the run would wait for it for minutes
    runner.join()


def test_a_lake_is_waited_for_too(s3: Bucket, proxy: Proxy, tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.land("orders/a.csv", "id\n1\n")
    workshop.table("orders", ORDERS.replace("BUCKET", "{landing}"))
    lake = Lake.at(f"{s3.uri}/lake")
    proxy.down()
    said: list[str] = []

    def log(line: str) -> None:
        said.append(line)
        if "trying again" in line:
            proxy.up()

    with workshop.instance:
        assert refine(TableRun(workshop.project.tables["orders"], lake, log=log)) is not None
    assert "Connection refused" in said[0]
    assert lake.table("silver/orders").scan().collect()["id"].to_list() == [1]
