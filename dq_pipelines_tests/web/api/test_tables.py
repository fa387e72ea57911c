"""Tables, quarantine, rules and quality over REST, with runs that judge rules and replay rows."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dq_pipelines.history.store.attempts import Attempt, Attempts
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.quarantine.quarantine_status import ALL
from dq_pipelines.pipeline.quarantine.quarantine_summary import FIRST_PAGE, page
from dq_pipelines.pipeline.runtime.processes import this_process
from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines_tests.web.conftest import XSS, bad_day, build
from dq_pipelines_tests.web.hosting import Hosted, hosting
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

USERS = {
    "vera": [Grant(Role.VIEWER)],
    "otto": [Grant(Role.OPERATOR)],
    "stew": [Grant(Role.STEWARD, "domain:shop")],
    "flo": [Grant(Role.ADMIN, "domain:elsewhere")],
}
BETWEEN = "expect_column_values_to_be_between"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    shop = build(tmp_path_factory.mktemp("tables"))
    bad_day(shop)
    shop = Workshop(shop.root)
    shop.table("new", 'source: {type: csv, path: "{landing}/new/*.csv"}\nsilver: {columns: {id: int64}}', "elsewhere")
    with hosting(shop, USERS) as made:
        yield made


@pytest.fixture
def vera(here: Hosted) -> TestClient:
    return here.as_user("vera")


def items(client: TestClient, path: str, **wanted: Any) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    found, cursor = [], None
    while True:
        answer = client.get(f"/api/v1{path}", params=wanted | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["items"]) <= wanted.get("limit", 1000)
        found += answer.json()["items"]
        cursor = answer.json()["next"]
        if cursor is None:
            return found


def test_tables_have_their_status(vera: TestClient) -> None:
    found = {one["key"]: one for one in items(vera, "/tables", limit=2)}
    assert list(found) == ["gold/by_shop", "silver/new", "silver/sales", "silver/shops"]
    assert found["silver/new"]["standing"] is None
    standing = found["silver/sales"]["standing"]
    assert (standing["rows_in"], standing["published"], standing["refused"], standing["open"]) == (4, 2, 2, 2)
    statuses = {key: one["status"] for key, one in found.items()}
    assert statuses == {
        "gold/by_shop": "healthy", "silver/new": "never_run", "silver/sales": "warning", "silver/shops": "healthy",
    }  # fmt: skip
    assert [one["key"] for one in items(vera, "/tables", domain="elsewhere")] == ["silver/new"]


def test_a_scope_limits_the_visible_tables(here: Hosted) -> None:
    flo = here.as_user("flo")
    assert [one["key"] for one in items(flo, "/tables")] == ["silver/new"]
    for path in ("tables/silver/sales/verdicts", "tables/silver/sales/quarantine", "quality/metrics/silver/sales"):
        answer = flo.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["detail"]) == (
            404,
            "unknown table 'silver/sales' (nearest: silver/new)",
        ), path
    assert flo.get("/api/v1/metrics/history?table=silver/sales&metric=row_count").status_code == 404
    assert items(flo, "/metrics/latest") == []
    assert flo.get("/api/v1/quality/scores").json() == {"all": None, "domains": [], "tables": []}


def test_verdicts_come_newest_first_with_what_each_rule_found(here: Hosted, vera: TestClient) -> None:
    found = items(vera, "/tables/silver/sales/verdicts", limit=1)
    assert [(one["rows_in"], one["published"], one["refused"]) for one in found] == [(4, 2, 2), (3, 3, 0)]
    kept = here.shop.history.of_table("silver/sales")
    assert [one["run_id"] for one in found] == [one.run_id for one in kept]
    [between] = [result for result in found[0]["results"] if result["rule"] == BETWEEN]
    assert (between["column"], between["success"], between["unexpected_count"]) == ("amount", False, 2)
    [one] = items(vera, "/tables/silver/sales/verdicts", batch=kept[1].batch)
    assert one["batch"] == kept[1].batch
    answer = vera.get("/api/v1/tables/silver/sale/verdicts")
    assert (answer.status_code, answer.json()["detail"]) == (404, "unknown table 'silver/sale' (nearest: silver/sales)")


def test_refused_rows_have_all_cells_and_reasons(vera: TestClient) -> None:
    found = items(vera, "/tables/silver/sales/quarantine", limit=1)
    assert [(row["cells"]["id"], row["row"], row["status"]) for row in found] == [("4", 2, "open"), ("5", 3, "open")]
    assert found[0]["cells"]["note"] == XSS
    assert found[0]["reasons"] == [{"rule": BETWEEN, "column": "amount", "value": "-1.0"}]
    assert found[0]["source"].endswith("sales/b.csv")
    path = "/tables/silver/sales/quarantine"
    assert items(vera, path, rule=BETWEEN, column="amount", status="open", batch=found[0]["batch"]) == found
    for nothing in ({"status": "fixed"}, {"rule": "cast"}, {"column": "id"}, {"batch": "b-x"}):
        assert items(vera, path, **nothing) == []
    assert items(vera, "/tables/gold/by_shop/quarantine") == []


def test_a_page_of_refused_rows_goes_on_though_more_come(here: Hosted, tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    shutil.copytree(here.shop.root / "lake", folder)
    shop = Workshop(tmp_path)
    shutil.copytree(here.shop.root / "assets_config", tmp_path / "assets_config")
    shutil.copytree(here.shop.state.folder, shop.state.folder)
    (tmp_path / "history.db").write_bytes((here.shop.root / "history.db").read_bytes())
    lake = Lake.at(str(folder))
    first = page(lake, "silver/sales", ALL, None, 1)
    place = FIRST_PAGE.after(first)
    whole = page(lake, "silver/sales", ALL, None, 100)
    shop.table(
        "sales", (tmp_path / "assets_config/shop/sales.yaml").read_text().replace(str(here.shop.root), str(tmp_path))
    )
    shop.land("sales/c.csv", "id,amount,shop,note\n9,-9,north,\n")
    with shop.instance:
        assert shop.run("sales").success
    assert len(page(lake, "silver/sales", ALL, None, 100)) == len(whole) + 1
    assert page(lake, "silver/sales", ALL, None, 100, place) == whole[1:]


def test_rules_are_judged_without_materializing(here: Hosted) -> None:
    otto = here.as_user("otto")
    versions = here.shop.versions()
    answer = otto.post("/api/v1/rules/run", json={"table": "silver/sales", "rules": [BETWEEN, "rows_accounted_for"]})
    assert answer.status_code == 202, answer.text
    run = answer.json()
    assert (run["job"], run["user"], run["tables"]) == ("checks__sales", "otto", ["silver/sales"])
    assert answer.headers["location"] == f"/api/v1/runs/{run['id']}"
    assert here.ended(run["id"]).status.value == "SUCCESS"
    assert here.shop.versions() == versions
    found = otto.get(f"/api/v1/runs/{run['id']}").json()
    assert [(one["table"], one["batch"]) for one in found["batches"]] == [("silver/sales", "")]
    planned = here.host.instance.get_run_by_id(run["id"])
    assert planned is not None
    checks = {one["check"]: one["rule"] for one in items(otto, "/tables/silver/sales/verdicts")[0]["results"]}
    asked = {check.name for check in planned.asset_check_selection or ()}
    assert {checks[name] for name in asked} == {BETWEEN, "rows_accounted_for"}


def test_who_may_not_ask_rules_is_told_why(here: Hosted) -> None:
    body = {"table": "silver/sales"}
    assert here.as_user("vera").post("/api/v1/rules/run", json=body).status_code == 403
    assert here.as_user("stew").post("/api/v1/rules/run", json=body).status_code == 403
    assert here.as_user("flo").post("/api/v1/rules/run", json=body).status_code == 404
    answer = here.as_user("otto").post("/api/v1/rules/run", json=body | {"rules": [BETWEEN[:-1]]})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert f"(nearest: {BETWEEN})" in answer.json()["detail"]


def test_a_steward_has_rows_judged_anew_and_the_log_knows(here: Hosted) -> None:
    stew = here.as_user("stew")
    assert here.as_user("otto").post("/api/v1/tables/silver/sales/quarantine/replay").status_code == 403
    answer = stew.post("/api/v1/tables/gold/by_shop/quarantine/replay")
    assert (answer.status_code, "gold/by_shop is computed" in answer.json()["detail"]) == (422, True)
    rule = here.shop.root / "assets_config/shop/sales.yaml"
    rule.write_text(rule.read_text().replace("min_value: 0}", "min_value: -1}", 1))
    answer = stew.post("/api/v1/tables/silver/sales/quarantine/replay", json={"rule": BETWEEN})
    assert answer.status_code == 202, answer.text
    run = answer.json()
    assert (run["user"], run["tables"]) == ("stew", ["silver/sales"])
    assert here.ended(run["id"]).status.value == "SUCCESS"
    found = {row["cells"]["id"]: row for row in items(stew, "/tables/silver/sales/quarantine")}
    assert {number: (row["status"], row["status_by"]) for number, row in found.items()} == {
        "4": ("replayed", "stew"),
        "5": ("open", None),
    }
    lines = [(event.who, event.what, event.on, event.result) for _, event in AuditLog(here.shop.state).events()]
    assert ("stew", "quarantine.replay", "silver/sales", "done") in lines
    assert ("otto", "heal", "POST /api/v1/tables/silver/sales/quarantine/replay", "refused") in lines


def test_metrics_are_told_by_column_by_table_and_over_time(vera: TestClient) -> None:
    found = vera.get("/api/v1/quality/metrics/silver/sales").json()
    amount = next(one for one in found["columns"] if one["column"] == "amount")
    assert (found["batches"], amount["count"], amount["min"], amount["max"]) == (1, 4, -2, 6)
    both = vera.get("/api/v1/quality/metrics/silver/sales?since=2000-01-01T00:00:00Z").json()
    amount = next(one for one in both["columns"] if one["column"] == "amount")
    assert (both["batches"], amount["count"], amount["min"], amount["max"]) == (2, 7, -2, 30)
    last = {one["table"]: one["values"] for one in items(vera, "/metrics/latest", limit=1)}
    assert (last["silver/sales"]["row_count"], last["silver/sales"]["refused_share"]) == (4, 0.5)
    assert "silver/new" not in last
    told = vera.get("/api/v1/metrics/history?table=silver/sales&metric=mean&column=amount").json()
    assert [point["value"] for point in told["points"]] == [20, 2]
    told = vera.get("/api/v1/metrics/history?table=silver/sales&metric=row_count&limit=1").json()
    assert ([point["value"] for point in told["points"]], told["unit"]) == ([4], "rows")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("metric=row_coun", "query.metric: unknown metric 'row_coun' (nearest: row_count)"),
        ("metric=mean", "query.column: mean is a metric of columns: wanted a column, got none"),
        ("metric=row_count&column=x", "query.column: row_count is a metric of tables: wanted no column, got 'x'"),
    ],
)
def test_an_unknown_metric_is_refused_with_the_nearest(vera: TestClient, query: str, said: str) -> None:
    answer = vera.get(f"/api/v1/metrics/history?table=silver/sales&{query}")
    assert (answer.status_code, answer.json()["detail"]) == (422, said)


def test_scores_are_of_all_of_domains_and_of_tables(vera: TestClient) -> None:
    found = vera.get("/api/v1/quality/scores").json()
    tables = {one["name"]: one["score"] for one in found["tables"]}
    assert set(tables) == {"gold/by_shop", "silver/sales", "silver/shops"}
    assert found["all"]["score"] == pytest.approx(sum(tables.values()) / 3)
    assert [(one["name"], one["tables"]) for one in found["domains"]] == [("shop", 3)]


def test_attempts_have_the_reason_of_their_failure(vera: TestClient, here: Hosted) -> None:
    first = items(vera, "/tables/silver/sales/attempts", limit=1)
    assert [one["outcome"] for one in first][-2:] == ["published", "published"], "a page after the other"
    assert {one["table"] for one in first} == {"silver/sales"}
    assert vera.get("/api/v1/tables/silver/none/attempts").status_code == 404
    killed = Attempt("silver/shops", None, "gone", datetime.now(UTC), process=f"{this_process().rpartition(':')[0]}:1")
    Attempts(here.shop.history).record(killed)
    time.sleep(1.1)  # the stores are asked at most once a second
    told = items(vera, "/tables/silver/shops/attempts")[0]
    assert (told["outcome"], told["run_id"], "killed" in told["said"]) == ("failed", "gone", True)
    found = {one["key"]: one for one in items(vera, "/tables")}["silver/shops"]
    assert (found["status"], found["attempt"]["run_id"]) == ("error", "gone")
