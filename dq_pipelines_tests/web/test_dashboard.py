"""The dashboard's pages after real runs: status, failing rules, since when, and rows."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dq_pipelines.history.store.metrics import BatchMetrics, ColumnMetrics
from dq_pipelines.history.store.records import ResultRecord, VerdictRecord
from dq_pipelines.history.store.verdicts import History
from dq_pipelines_tests.web.conftest import XSS, client_of, mounted, site_of
from dq_pipelines_tests.web.html import Page
from dq_pipelines_tests.workshop import Workshop

BETWEEN = "amount__between"
IN_SET = "shop__in_set"
MEAN = "amount__mean_between"


def page(client: TestClient, path: str) -> Page:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return Page.of(answer.text)


def charts(found: str) -> dict[str, dict[str, list[object]]]:
    """By chart, the values of each of its series."""
    blocks = re.findall(r'<script type="application/json" class="chart-data"[^>]*>(.*?)</script>', found, re.DOTALL)
    drawn = [json.loads(block) for block in blocks]
    return {chart["id"]: {series["name"]: series["y"] for series in chart["series"]} for chart in drawn}


# --- at a glance -----------------------------------------------------------------------------------


def test_the_overview_of_healthy_tables(good: Workshop) -> None:
    with client_of(site_of(good)) as client:
        said = page(client, "/dashboard/").text
        assert 'id="failing"' not in client.get("/dashboard/").text
    assert "Every table that has run is healthy" in said
    assert "3 healthy . Last run" in said


def test_the_overview_shows_failing_rules_and_since_when(client: TestClient, shop: Workshop) -> None:
    found = page(client, "/dashboard/")
    assert "1 of 3 tables need attention" in found.text
    assert "1 warning , 2 healthy . Last run" in found.text
    latest = shop.history.latest("silver/sales")
    assert latest is not None
    since = [given["datetime"] for given in found.all("time")]
    assert latest.started_at.isoformat(timespec="seconds") in since
    assert f"/dashboard/tables/silver/sales/rules/{BETWEEN}" in found.links
    assert f"/runs/{latest.run_id}" in found.links


def test_a_removed_table_is_listed_separately(shop: Workshop, tmp_path: Path) -> None:
    copy = Workshop(Path(shutil.copytree(shop.root, tmp_path / "copy")))
    for name in ("sales", "by_shop"):
        (copy.root / f"assets_config/shop/{name}.yaml").unlink()
    with client_of(site_of(copy)) as client:
        found = page(client, "/dashboard/")
        assert "No longer in the YAML: gold/by_shop , silver/sales" in found.text
        assert "1 healthy . Last run" in found.text
        assert "/dashboard/tables/silver/sales" in found.links
        assert "silver/sales" in page(client, "/dashboard/tables/silver/sales").text


def test_rows_by_layer_and_quarantine_by_reason(client: TestClient) -> None:
    text = client.get("/dashboard/").text
    drawn = charts(text)
    assert drawn["layers"] == {"bronze": [2, 7], "silver": [2, 5], "gold": [2], "quarantine": [2]}
    assert drawn["quarantine"] == {"under a day": [2]}
    assert '<a href="/dashboard/quarantine">2</a>' in text
    assert "2 refused rows wait for somebody" in Page.of(client.get("/dashboard/quarantine").text).text


def test_a_table_has_its_runs_and_its_scores(client: TestClient) -> None:
    text = client.get("/dashboard/tables/silver/sales").text
    drawn = charts(text)
    assert drawn["rows"] == {"published": [3, 2], "refused": [0, 2]}
    assert (drawn["score"]["healthy"], len(drawn["score"]["warning"])) == ([100.0], 1)
    found = Page.of(text)
    assert "What was sold. Published; 2 of" in found.text
    assert "/dashboard/catalog" in found.links


def test_the_first_column_is_one_with_a_rule_on_its_values(client: TestClient) -> None:
    assert "<option selected>amount</option>" in client.get("/dashboard/tables/silver/sales?tab=metrics").text


def test_a_column_that_real_runs_measured(client: TestClient) -> None:
    drawn = charts(client.get("/dashboard/tables/silver/sales?column=amount").text)
    assert drawn["mean"]["mean"][0] == 20.0
    assert len(drawn["mean"]["mean"]) == len([*drawn["mean"].get("good", ()), *drawn["mean"].get("bad", ())]) == 2


def test_a_column_run_by_run(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    for day, mean in enumerate((20.0, 21.0, 40.0)):
        column = ColumnMetrics("amount", 9, 1, mean=mean, standard_deviation=2.0, outlier_count=day)
        found = ResultRecord("between", "between", "amount", "warning", mean < 30, False, 9, 1, 0)
        metrics = BatchMetrics(columns=(column, ColumnMetrics("shop", 9, 0)))
        at = datetime.now(UTC) - timedelta(days=3 - day)
        shop.history.record(
            VerdictRecord("silver/sales", f"b-{day}", "r", at, 1, 9, 9, 0, 0, False, results=(found,), metrics=metrics)
        )
    with client_of(site_of(shop)) as client:
        drawn = charts(client.get("/dashboard/tables/silver/sales?column=amount").text)
        other = client.get("/dashboard/tables/silver/sales?column=shop").text
    assert (drawn["mean"]["good"], drawn["mean"]["bad"]) == ([20.0, 21.0], [40.0])
    assert drawn["mean"]["mean ± deviation"] == [22.0, 23.0, 42.0]
    assert (drawn["standard-deviation"]["bad"], drawn["outlier-count"]["bad"]) == ([2.0], [2])
    assert "mean" not in charts(other)
    assert "shop has no mean" in other


def test_an_anomaly_on_its_band(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    young = {"value": 9.0, "note": "not enough history: 1 of 14 points"}
    seen: list[dict[str, Any]] = [
        young,
        *({"value": value, "expected": 10.0, "lower": 8.0, "upper": 12.0} for value in (11.0, 3.0)),
    ]
    for day, said in enumerate(seen):
        held = ResultRecord(
            "anomaly_row_count", "anomaly", None, "warning", said["value"] != 3, False, observed_value=said
        )
        at = datetime.now(UTC) - timedelta(days=3 - day)
        shop.history.record(VerdictRecord("silver/t", f"b-{day}", "r", at, 1, 9, 9, 0, 0, False, results=(held,)))
    with client_of(site_of(shop)) as client:
        text = client.get("/dashboard/tables/silver/t?tab=metrics").text
        rules = client.get("/dashboard/tables/silver/t?tab=rules").text
    (drawn,) = (series for name, series in charts(text).items() if name.startswith("anomaly"))
    assert drawn == {"expected": [12.0, 12.0], "value": [9.0, 11.0, 3.0], "anomaly": [3.0]}
    assert "8 to 12" in Page.of(text).text
    assert "warning anomaly" in Page.of(rules).text


# --- down to the rows ------------------------------------------------------------------------------


def test_failing_rows_are_those_of_quarantine(client: TestClient, shop: Workshop) -> None:
    found = page(client, f"/dashboard/tables/silver/sales/rules/{BETWEEN}")
    assert "2 of 4 rows (50.00 %)" in found.text
    assert "b.csv:2" in found.text
    assert "b.csv:3" in found.text
    assert XSS in "".join(found.texts)
    assert found.runs_scripts_of_its_own == []
    assert "min_value: 0" in found.text
    latest = shop.history.latest("silver/sales")
    assert latest is not None
    assert f"/runs/{latest.run_id}" in found.links


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (IN_SET, "This rule only warns: failing rows are published in silver/sales"),
        (MEAN, "This rule applies to the table as a whole"),
    ],
)
def test_a_rule_without_refused_rows_says_where_to_look(client: TestClient, check: str, said: str) -> None:
    assert said in page(client, f"/dashboard/tables/silver/sales/rules/{check}").text


def test_runs_are_linked_where_dagster_is(shop: Workshop) -> None:
    with client_of(site_of(shop, "https://dagster.example/ui")) as client:
        links = page(client, "/dashboard/").links
    latest = shop.history.latest("silver/sales")
    assert latest is not None
    assert f"https://dagster.example/ui/runs/{latest.run_id}" in links


# --- whatever stands in the stores -----------------------------------------------------------------


def test_names_and_values_are_escaped_everywhere(tmp_path: Path) -> None:
    evil = Workshop(tmp_path)
    wrong = ResultRecord(
        XSS, XSS, XSS, "critical", False, False, 10, 0, 3, observed_value=XSS, error=XSS, score=0.7,
    )  # fmt: skip
    held = ResultRecord("anomaly", "anomaly", XSS, "warning", False, False, observed_value={"value": 1, "note": XSS})
    verdict = VerdictRecord(
        f"silver/{XSS.replace('/', '')}", "b-1", XSS, datetime.now(UTC), 1, 10, 7, 3, 0, False, XSS, (wrong, held)
    )
    evil.history.record(verdict)
    with client_of(site_of(evil)) as client:
        first = page(client, "/dashboard/")
        (table,) = {link for link in first.links if "/tables/" in link and "/rules/" not in link}
        for found in (first, page(client, table), *(page(client, f"{table}{rule}") for rule in _rules(first, table))):
            assert found.runs_scripts_of_its_own == []
            assert "alert(1)" in found.text
            assert not found.all("img")


def _rules(first: Page, table: str) -> set[str]:
    return {link.removeprefix(table) for link in first.links if link.startswith(table) and link.endswith("anomaly")}


def test_before_the_first_run_no_history_is_created(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    with mounted(site_of(shop)) as client:
        said = page(client, "/dashboard/").text
    assert "No table has run yet" in said
    assert not (tmp_path / "history.db").exists()


def test_a_faulty_project_hides_no_history_and_is_reported(good: Workshop, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "t.yaml").write_text("surce: {}\n", encoding="utf-8")
    site = site_of(good)
    site.config = str(tmp_path)
    with client_of(site) as client:
        said = page(client, "/dashboard/").text
    assert "tables need attention" in said
    assert "silver/sales" in said
    assert "Left out:" in said
    assert "t.yaml:1:" in said


def test_a_table_that_is_left_out_is_an_error_and_the_others_are_as_they_were(good: Workshop, tmp_path: Path) -> None:
    shutil.copytree(good.root / "assets_config", tmp_path / "config")
    faulty = tmp_path / "config/shop/sales.yaml"
    faulty.write_text(faulty.read_text("utf-8").replace("source", "surce"), encoding="utf-8")
    site = site_of(good)
    site.config = str(tmp_path / "config")
    stands = {one.table: one for one in site.standings()}
    before = {one.table: one.status for one in site_of(good).standings()}
    assert stands["silver/sales"].status == "error"
    assert "sales.yaml:" in stands["silver/sales"].attempt.said  # type: ignore[union-attr]
    blocked = {one.key for one in site.known().project.left_out if not one.problems}
    assert all(stands[key].status == "error" for key in blocked)
    others = {key: one.status for key, one in stands.items() if key not in {*blocked, "silver/sales"}}
    assert others == {key: before[key] for key in others}
    with client_of(site) as client:
        said = page(client, "/dashboard/tables/silver/sales").text
        health = client.get("/api/v1/health")
        tables = {one["key"]: one for one in client.get("/api/v1/tables").json()["items"]}
        scraped = client.get("/metrics").text
    assert "the table is left out: " in said
    assert (health.status_code, health.json()["status"]) == (200, "ready")
    assert "sales.yaml:" in health.json()["dependencies"]["project"]
    assert tables["silver/sales"]["status"] == "error"
    assert "sales.yaml:" in tables["silver/sales"]["attempt"]["said"]
    assert 'dq_table_status{domain="shop",status="error",table="sales"} 1.0' in scraped


def test_a_history_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "history.db").write_bytes(b"no database, but long enough to look at" * 100)
    with mounted(site_of(Workshop(tmp_path))) as client:
        answer = client.get("/dashboard/")
    assert (answer.status_code, "Traceback" in answer.text) == (503, False)
    assert "The dashboard cannot be shown" in answer.text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/dashboard/tables/silver/slaes", "There is no table silver/slaes (nearest: silver/sales)."),
        ("/dashboard/tables/silver/sales/rules/none", "There is no result of a rule none of silver/sales."),
        ("/dashboard/tables/silver/..%2f..%2fetc", "There is no such page."),
        ("/dashboard/none", "There is no such page."),
        ("/dashboard/files/..%2Fpages.py", "There is no such page."),
    ],
)
def test_unknown_pages(client: TestClient, path: str, said: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, said in Page.of(answer.text).text) == (404, True), answer.text[-2000:]


# --- live ------------------------------------------------------------------------------------------


def test_the_change_token_changes_only_with_a_verdict(tmp_path: Path) -> None:
    from dq_pipelines.history.queries.change_token import change_token

    history = History(f"sqlite:///{tmp_path}/h.db")
    assert change_token(history) == ""
    verdict = VerdictRecord("silver/t", "b-1", "r", datetime.now(UTC), 1.0, 1, 1, 0, 0, False)
    history.record(verdict)
    first = change_token(history)
    assert change_token(history) == first != ""
    history.record(replace(verdict, duration_seconds=2.0))
    second = change_token(history)
    history.record(replace(verdict, batch="b-2"))
    assert len({first, second, change_token(history)}) == 3


def test_polling_gets_what_the_page_has(client: TestClient) -> None:
    token = client.get("/dashboard/pulse").json()["token"]
    (body,) = page(client, "/dashboard/").all("body")
    assert body["data-token"] == token != ""


# --- guarded ---------------------------------------------------------------------------------------

PAGES = ["/dashboard/", "/dashboard/tables/silver/sales", "/dashboard/pulse", "/dashboard/none"]


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_has_a_content_security_policy(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert policy["frame-ancestors"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_pages_only_read(client: TestClient, method: str) -> None:
    assert client.request(method, "/dashboard/").status_code == 405
    assert client.request(method, "/dashboard/tables/silver/sales").status_code == 405


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("LOCALHOST:3001", 200), ("127.0.0.1:3001", 200), ("127.8.8.8", 200), ("[::1]:3001", 200),
        ("evil.example", 421), ("evil.example:3001", 421), ("localhost.evil.example", 421), ("10.0.0.1", 421),
        ("127.0.0.1.evil.example", 421), ("", 421), ("[::2]", 421),
    ],
)  # fmt: skip
def test_dns_rebinding_is_refused(client: TestClient, host: str, status: int) -> None:
    assert client.get("/dashboard/pulse", headers={"Host": host}).status_code == status


def test_the_first_page_redirects_to_the_dashboard(client: TestClient) -> None:
    assert client.get("/", follow_redirects=False).headers["location"] == "/dashboard/"


# --- files -----------------------------------------------------------------------------------------


def test_files_are_of_this_package_and_kept(client: TestClient) -> None:
    found = page(client, "/dashboard/")
    paths = [given["src"] or "" for given in found.all("script") if "src" in given]
    paths += [given["href"] or "" for given in found.all("link") if given.get("rel") == "stylesheet"]
    assert len(paths) == 6
    for path in paths:
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-encoding"]) == (200, "gzip")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == answer.content
    assert b"plotly.js v" in client.get(next(path for path in paths if "plotly.min" in path)).content[:200]


def test_package_data_are_where_resources_are_looked_for() -> None:
    from importlib.resources import files

    folder = files("dq_pipelines.web.dashboard")
    for name in ("static/dashboard.css", "static/dashboard.js", "static/plotly.css", "templates/base.html.j2"):
        assert (folder / name).is_file()


# --- statuses --------------------------------------------------------------------------------------


def test_a_table_whose_first_attempt_failed_is_an_error_and_says_why(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.table("sales", 'source: {type: csv, path: "{landing}/sales.csv.gz"}\nsilver: {columns: {id: int64}}')
    shop.land("sales.csv.gz", b"\x1f\x8b\x08 no archive")
    with shop.instance:
        assert not shop.run("sales").success
    with mounted(site_of(shop)) as client:
        first, of_table = page(client, "/dashboard/"), page(client, "/dashboard/tables/silver/sales")
    assert "1 of 1 tables need attention" in first.text
    assert "1 error . Last run" in first.text
    for said in (first.text, of_table.text):
        assert "The last attempt failed:" in said
        assert "sales.csv.gz" in said


def test_open_rows_and_rechecks_are_distinguished(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    rule = "{type: expect_column_values_to_be_between, column: id, min_value: 0}"
    shop.table(
        "sales",
        f'source: {{type: csv, path: "{{landing}}/s/*.csv"}}\nsilver: {{columns: {{id: int64}}, rules: [{rule}]}}',
    )
    shop.land("s/a.csv", "id\n1\n-2\nx\n")
    with shop.instance:
        shop.run("sales")
        shop.land("s/b.csv", "id\n3\n")
        shop.run("sales")
        shop.run_job("checks__sales")
    with mounted(site_of(shop)) as client:
        said = page(client, "/dashboard/tables/silver/sales").text
        assert "warning silver/sales" in said
        assert "A re-check of published rows found every rule met" in said
        assert "1 refused row waits in quarantine; last batch: 0 of 1 rows; re-check: 0 of 2 rows" in said
        assert "re-check of published rows" in said
        # The rule of a cast has a page as long as somebody may follow a link to it.
        assert "cast" in page(client, "/dashboard/tables/silver/sales/rules/cast__id").text
