"""What runs tell an OpenLineage server, which is a real one in the test's process: each event once, and none is lost."""

from __future__ import annotations

import sys
import uuid
from datetime import datetime
from typing import Any

import dagster as dg
import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.orchestration.sensors.lineage_events import dataset_of
from dq_pipelines_tests.orchestration.listening import Hook
from dq_pipelines_tests.workshop import Workshop

BETWEEN = "expect_column_values_to_be_between"


@pytest.fixture
def orders(shop: Workshop, web: Hook) -> Workshop:
    shop.table(
        "orders",
        f"""
        description: What was ordered
        source: {{type: csv, path: "{{landing}}/orders/*.csv"}}
        silver:
          columns: {{id: int64, amount: {{type: float64, description: in euros}}}}
          rules: [{{type: {BETWEEN}, column: amount, max_value: 100, on_failure: quarantine, mostly: 0.5}}]
        """,
    )
    shop.table("revenue", "gold: {sql: select sum(amount) as total from silver.orders}")
    settings = f"name: demo\nopenlineage: {{url: 'http://127.0.0.1:{web.port}', api_key: geheim-4711}}\n"
    (shop.root / "assets_config/project.yaml").write_text(settings, encoding="utf-8")
    shop.land("orders/1.csv", "id,amount\n1,5\n2,\n3,500\n")
    return shop


def tick(shop: Workshop) -> str:
    said = shop.tick("openlineage")
    assert isinstance(said, dg.SkipReason)
    return said.skip_message or ""


def by_job(web: Hook) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for event in web.got:
        found.setdefault(event["job"]["name"], []).append(event)
    return found


def outputs(event: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"/".join(one["name"].split("/")[-2:]): one for one in event["outputs"]}


def test_a_run_its_tables_and_what_its_checks_found(orders: Workshop, web: Hook) -> None:
    ran = orders.run("orders", "revenue")
    assert ran.success
    assert tick(orders) == "1 run sent"
    jobs = by_job(web)
    assert sorted(jobs) == ["shop.orders", "shop.orders.checks", "shop.revenue", "shop.revenue.checks"]
    for events in jobs.values():
        assert [event["eventType"] for event in events] == ["START", "COMPLETE"]
        began, ended = (datetime.fromisoformat(event["eventTime"]) for event in events)
        assert began <= ended
        assert len({event["run"]["runId"] for event in events}) == 1
        assert uuid.UUID(events[0]["run"]["runId"]).version == 5
        for event in events:
            assert event["run"]["facets"]["parent"]["run"]["runId"] == ran.run_id
            assert event["job"]["namespace"] == "demo"
            assert event["producer"] == "urn:dq_pipelines"
            assert event["schemaURL"] == "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    assert len({events[0]["run"]["runId"] for events in jobs.values()}) == 4

    work = jobs["shop.orders"][1]
    assert work["job"]["facets"]["documentation"]["description"] == "What was ordered"
    assert [(one["namespace"], one["name"]) for one in work["inputs"]] == [("file", f"{orders.landing}/orders/*.csv")]
    written = outputs(work)
    assert sorted(written) == ["bronze/orders", "quarantine/orders", "silver/orders"]
    assert written["silver/orders"]["name"] == f"{orders.root}/lake/silver/orders"
    assert written["silver/orders"]["outputFacets"]["outputStatistics"]["rowCount"] == 2
    assert written["quarantine/orders"]["outputFacets"]["outputStatistics"]["rowCount"] == 1
    fields = {one["name"]: one for one in written["silver/orders"]["facets"]["schema"]["fields"]}
    assert (fields["amount"]["type"], fields["amount"]["description"]) == ("float64", "in euros")

    gold = jobs["shop.revenue"][1]
    assert [one["name"] for one in gold["inputs"]] == [written["silver/orders"]["name"]]
    assert gold["job"]["facets"]["sql"]["query"] == "select sum(amount) as total from silver.orders"
    assert list(outputs(gold)) == ["gold/revenue"]

    [judged] = jobs["shop.orders.checks"][1]["inputs"]
    assert judged["name"] == written["silver/orders"]["name"]
    found = {one["name"]: one for one in judged["inputFacets"]["dataQualityAssertions"]["assertions"]}
    assert found["amount__between"] == {
        "assertion": BETWEEN,
        "success": True,
        "column": "amount",
        "severity": "error",
        "name": "amount__between",
        "actual": "1 of 3 rows fail",
    } | {key: found["amount__between"][key] for key in ("params",) if key in found["amount__between"]}
    metrics = judged["inputFacets"]["dataQualityMetrics"]
    assert metrics["rowCount"] == 3
    amount = metrics["columnMetrics"]["amount"]
    assert {key: amount[key] for key in ("nullCount", "count", "distinctCount", "min", "max")} == {
        "nullCount": 1,
        "count": 2,
        "distinctCount": 2,
        "min": 5,
        "max": 500,
    }
    assert 5 <= amount["quantiles"]["0.05"] <= amount["quantiles"]["0.5"] <= amount["quantiles"]["0.99"] <= 500

    assert web.headers[0]["Authorization"] == "Bearer geheim-4711"
    assert tick(orders) == "0 runs sent"
    assert len(web.got) == 8


def test_a_blocked_batch_is_a_failure_with_its_sentence(orders: Workshop, web: Hook) -> None:
    orders.land("orders/1.csv", "id,amount\n1,500\n")
    assert not orders.run("orders").success
    tick(orders)
    jobs = by_job(web)
    assert [event["eventType"] for event in jobs["shop.orders"]] == ["START", "FAIL"]
    error = jobs["shop.orders"][1]["run"]["facets"]["errorMessage"]
    assert error["message"].startswith("silver/orders: nothing was published, batch ")
    [judged] = jobs["shop.orders.checks"][1]["inputs"]
    assert judged["inputFacets"]["dataQualityAssertions"]["assertions"][0]["success"] is False
    assert "outputStatistics" not in outputs(jobs["shop.orders"][1])["silver/orders"].get("outputFacets", {})


def test_checks_alone_are_no_work_on_the_table(orders: Workshop, web: Hook) -> None:
    orders.run("orders")
    tick(orders)
    web.got.clear()
    orders.run_job("checks__orders")
    tick(orders)
    assert list(by_job(web)) == ["shop.orders.checks"]


def test_a_server_that_is_away_fails_no_run_and_misses_none(orders: Workshop, web: Hook) -> None:
    web.status = 503
    for number in (1, 2):
        orders.land(f"orders/{number}.csv", f"id,amount\n{number},5\n")
        assert orders.run("orders").success
        assert tick(orders) == (f"0 of {number} runs sent; openlineage: wanted the server to take an event, got: 503")
    web.status = 200
    assert tick(orders) == "2 runs sent"
    assert len(web.got) == 8
    assert len({event["run"]["runId"] for event in web.got}) == 4


def test_a_server_that_is_not_there(orders: Workshop) -> None:
    path = orders.root / "assets_config/project.yaml"
    path.write_text("openlineage: {url: 'http://bob:geheim@127.0.0.1:9/'}\n", encoding="utf-8")
    orders.run("orders")
    assert tick(orders) == "0 of 1 runs sent; openlineage: wanted an answer of the server, got: ConnectionError"


def test_what_the_server_never_takes_is_left_out(
    orders: Workshop, web: Hook, capfd: pytest.CaptureFixture[str]
) -> None:
    orders.run("orders")
    web.status = 422
    assert tick(orders) == "1 run sent"
    assert "the server refused an event of shop.orders: 422" in capfd.readouterr().err
    web.status = 200
    assert tick(orders) == "0 runs sent"
    assert web.got == []


def test_without_the_extra_the_sentence_names_it(orders: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    orders.run("orders")
    for name in [name for name in sys.modules if name.partition(".")[0] == "openlineage"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "openlineage", None)
    with pytest.raises(ConfigError, match=r"pip install 'dq_pipelines\[openlineage\]'"):
        tick(orders)


def test_nobody_is_told_unless_it_is_asked_for(shop: Workshop) -> None:
    shop.table("t", 'source: {type: csv, path: "{landing}/t/*"}')
    assert "openlineage" not in {sensor.name for sensor in shop.definitions.sensors or ()}


@pytest.mark.parametrize(
    ("uri", "dataset"),
    [
        ("/lake/silver/orders", ("file", "/lake/silver/orders")),
        ("file:///lake/silver/orders", ("file", "/lake/silver/orders")),
        ("s3://bucket/lake/silver/orders", ("s3://bucket", "lake/silver/orders")),
        ("abfss://box@account.dfs.core.windows.net/lake/x", ("abfss://box@account.dfs.core.windows.net", "lake/x")),
    ],
)
def test_names_of_datasets(uri: str, dataset: tuple[str, str]) -> None:
    assert dataset_of(uri) == dataset
