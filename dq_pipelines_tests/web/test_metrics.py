"""`/metrics` has what history and Dagster's records have, in the requested format, with a limited number of series."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster._core.scheduler.instigation import TickStatus
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as _openmetrics
from prometheus_client.parser import text_string_to_metric_families as _plain
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dq_pipelines.history.store.verdicts import History
from dq_pipelines.project import Project
from dq_pipelines.web.app import application
from dq_pipelines.web.dashboard import Site
from dq_pipelines.web.metrics import routes
from dq_pipelines.web.metrics.runs import records_of_environment
from dq_pipelines_tests.programs import program
from dq_pipelines_tests.web.scraped import another_batch, fill, queue, quiet_instance, tick
from dq_pipelines_tests.workshop import Workshop

OPEN = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
LABELS = {
    "domain",
    "table",
    "layer",
    "dimension",
    "severity",
    "stage",
    "outcome",
    "event",
    "status",
    "store",
    "kind",
    "name",
}

#: One process for all, since what they look at takes long to fill.
pytestmark = pytest.mark.xdist_group("metrics")


def openmetrics(text: str) -> list[Metric]:
    return list(_openmetrics(text))  # type: ignore[no-untyped-call]


def plain(text: str) -> list[Metric]:
    return list(_plain(text))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with quiet_instance(tmp_path_factory.mktemp("dagster")) as instance:
        workshop = Workshop(tmp_path_factory.mktemp("shop"), instance)
        fill(workshop)
        yield workshop


def client(shop: Workshop) -> TestClient:
    return TestClient(Starlette(routes=routes(lambda: shop.project, shop.history, lambda: shop.instance)))


def scraped(shop: Workshop) -> dict[tuple[str, ...], float]:
    """Value by name and labels of ours, `<label>=<value>`."""
    told = client(shop).get("/metrics", headers={"accept": OPEN}).text
    return {
        (
            sample.name,
            *(f"{name}={value}" for name, value in sorted(sample.labels.items()) if name != "domain"),
        ): sample.value
        for family in openmetrics(told)
        for sample in family.samples
        if family.name.startswith("dq_")
    }


def test_metrics_match_history(shop: Workshop) -> None:
    found = scraped(shop)
    assert found["dq_up", "store=history"] == 1
    for layer, rows in {"bronze": 4, "silver": 3, "quarantine": 1}.items():
        assert found["dq_rows_total", f"layer={layer}", "table=returns"] == rows
    assert found["dq_rows_total", "layer=gold", "table=revenue"] == 1
    assert found["dq_rows_total", "layer=bronze", "table=orders"] == 2  # the blocked batch is not in yet
    assert found["dq_batches_total", "outcome=published", "table=orders"] == 1
    assert found["dq_batches_total", "outcome=blocked", "table=orders"] == 1
    assert found["dq_blocked_batches", "table=orders"] == 1
    assert found["dq_failed_checks", "severity=critical", "table=returns"] == 1
    assert found["dq_error_ratio", "table=returns"] == 0.5
    verdict = shop.history.latest("silver/returns")
    assert verdict is not None
    assert found["dq_quality_score_ratio", "dimension=all", "table=returns"] == pytest.approx(verdict.score / 100)
    assert found["dq_quality_score_ratio", "dimension=validity", "table=returns"] == 0.5
    assert found["dq_last_success_timestamp_seconds", "table=returns"] == pytest.approx(verdict.started_at.timestamp())
    assert (
        found["dq_last_verdict_timestamp_seconds", "table=orders"]
        > found["dq_last_success_timestamp_seconds", "table=orders"]
    )
    assert found["dq_batch_duration_seconds_count", "table=returns"] == 2
    assert found["dq_batch_duration_seconds_bucket", "le=+Inf", "table=returns"] == 2
    assert 0 < found["dq_batch_duration_seconds_sum", "table=returns"] < 120
    assert found["dq_stage_seconds_total", "stage=judging", "table=returns"] > 0
    assert found["dq_cpu_seconds_total", "table=returns"] > 0
    assert found["dq_published_bytes", "table=returns"] > 100
    assert found["dq_peak_memory_bytes", "table=returns"] > 1e7
    assert time.time() - 600 < found["dq_newest_row_timestamp_seconds", "table=returns"] < time.time()


def test_runs_and_sensors(shop: Workshop) -> None:
    found = scraped(shop)
    assert found["dq_dagster_up",] == 1
    assert found["dq_dagster_runs", "status=SUCCESS"] == 2
    assert found["dq_dagster_runs", "status=FAILURE"] == 1
    assert found["dq_dagster_queue_wait_seconds",] == 0
    assert 260 < found["dq_sensor_lag_seconds", "name=orders_arrivals"] < 400  # ended 299 s ago, and 30 s are its own
    assert found["dq_tick_failed", "kind=sensor", "name=orders_arrivals"] == 0
    tick(shop.instance, "late", TickStatus.FAILURE, 10)
    waiting = queue(shop)
    found = scraped(shop)
    assert found["dq_tick_failed", "kind=sensor", "name=late"] == 1
    assert found["dq_sensor_lag_seconds", "name=late"] == 0
    assert found["dq_dagster_runs", "status=QUEUED"] == 1
    assert found["dq_dagster_queue_wait_seconds",] > 0
    shop.instance.delete_run(waiting)


def test_the_format_follows_the_accept_header(shop: Workshop) -> None:
    asked = client(shop)
    new, old = asked.get("/metrics", headers={"accept": OPEN}), asked.get("/metrics", headers={"accept": "*/*"})
    assert new.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert new.text.endswith("# EOF\n")
    assert old.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = [
        {family.name.removesuffix("_total") for family in families}
        for families in (openmetrics(new.text), plain(old.text))
    ]
    assert names[0] == names[1]
    assert asked.post("/metrics").status_code == 405


def test_more_batches_partitions_and_runs_make_no_more_series(shop: Workshop) -> None:
    before = scraped(shop)
    for number in range(50):
        another_batch(shop, number)
    after = scraped(shop)
    assert after.keys() == before.keys()
    assert (
        after["dq_rows_total", "layer=bronze", "table=returns"]
        == before["dq_rows_total", "layer=bronze", "table=returns"] + 100
    )
    assert {label.partition("=")[0] for key in after for label in key[1:]} <= LABELS | {"le"}


def test_promtool_reports_no_problem(shop: Workshop) -> None:
    told = client(shop).get("/metrics", headers={"accept": "text/plain"}).content
    said = subprocess.run([program("promtool"), "check", "metrics"], input=told, capture_output=True, check=False)
    assert said.returncode == 0, said.stderr.decode()
    assert said.stderr == b""


def test_an_empty_history_and_an_unreachable_store(tmp_path: Path) -> None:
    empty = Workshop(tmp_path)
    with empty.instance:
        bare = Starlette(routes=routes(Project, empty.history, lambda: None))
        assert 'dq_up{store="history"} 1.0' in TestClient(bare).get("/metrics").text
    assert not (tmp_path / "history.db").exists()
    gone = Starlette(routes=routes(Project, History("postgresql+psycopg2://nobody:x@127.0.0.1:1/no"), lambda: None))
    answer = TestClient(gone).get("/metrics")
    assert answer.status_code == 200
    assert 'dq_up{store="history"} 0.0' in answer.text


def test_metrics_are_served_by_the_gateway(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    records_of_environment.cache_clear()
    served = application(Site(shop.stores, str(shop.root / "assets_config"), state=shop.state))
    told = TestClient(served, base_url="http://localhost").get("/metrics").text
    assert 'dq_blocked_batches{domain="shop",table="orders"} 1.0' in told
    assert "dq_dagster_up" not in told  # nobody said where Dagster's records are
    records_of_environment.cache_clear()
