"""A table's page in tabs: each has an address, shows its part, and works without scripts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dq_pipelines.errors import PublishError
from dq_pipelines.lake.tables import Lake
from dq_pipelines.project.authors import Author
from dq_pipelines.project.editing import Editing
from dq_pipelines.project.files import mark_of, table_files
from dq_pipelines.security.audit import AuditLog
from dq_pipelines.web.dashboard.column_choice import first_column
from dq_pipelines.web.dashboard.lake_errors import told
from dq_pipelines.web.dashboard.table_page import TABS
from dq_pipelines_tests.web.conftest import XSS, build, client_of, site_of
from dq_pipelines_tests.web.html import Page
from dq_pipelines_tests.workshop import Workshop

SALES = "/dashboard/tables/silver/sales"


def said(client: TestClient, tab: str, more: str = "") -> str:
    answer = client.get(f"{SALES}?tab={tab}{more}")
    assert answer.status_code == 200
    return Page.of(answer.text).text


@pytest.mark.parametrize("tab", [*TABS, "rubbish"])
def test_each_tab_has_an_address_and_runs_no_script_of_its_own(client: TestClient, tab: str) -> None:
    found = Page.of(client.get(f"{SALES}?tab={tab}").text)
    assert found.runs_scripts_of_its_own == []
    current = [link for link in found.all("a") if link.get("aria-current") == "page" and "tables" in str(link["href"])]
    assert [link["href"] for link in current] == [SALES if tab in ("status", "rubbish") else f"{SALES}?tab={tab}"]
    assert {f"{SALES}?tab={name}" for name in TABS if name != "status"} <= set(found.links)


def test_rules_are_said_in_words_with_the_gx_name_and_those_never_judged(shop: Workshop, client: TestClient) -> None:
    text = said(client, "rules")
    for words in ("amount is at least 0", "expect_column_values_to_be_between", "shop is one of north, south"):
        assert words in text
    assert "the mean of amount is between 0 and 1000" in text
    assert "2 refused rows wait in quarantine" in text
    assert "every input row is published, in quarantine, or dropped by a rule or a step" in text
    file = shop.root / "assets_config" / "demo" / "sales.yaml"
    file = file if file.exists() else next(shop.root.rglob("sales.yaml"))
    before = file.read_text()
    try:
        file.write_text(before.rstrip() + "\n    - {type: expect_column_values_to_be_unique, column: id}\n")
        with client_of(site_of(shop)) as fresh:
            assert "not judged id is unique expect_column_values_to_be_unique" in said(fresh, "rules")
    finally:
        file.write_text(before)


def test_data_has_rows_and_profiles_and_is_in_the_audit_log(shop: Workshop, client: TestClient) -> None:
    text = client.get(f"{SALES}?tab=data").text
    page = Page.of(text)
    assert "The first 5 published rows." in page.text
    assert re.search(r"amount float64 0 4 -2 to 6, mean 2", page.text), "the profile of the last batch, before refusals"
    assert f"{SALES}?tab=metrics&column=amount" in page.links
    # What was refused is not published.
    assert XSS not in page.text
    reads = [event for _, event in AuditLog(shop.state).events() if event.what == "read.preview"]
    assert (reads[-1].on, reads[-1].more) == ("silver/sales", {"rows": 5})


def test_lineage_of_columns_in_both_directions(client: TestClient) -> None:
    text = said(client, "lineage")
    assert "bronze/sales.amount amount gold/by_shop.amount" in text
    assert "bronze/sales.shop shop gold/by_shop.shop" in text
    gold = Page.of(client.get("/dashboard/tables/gold/by_shop?tab=lineage").text).text
    assert "silver/sales.amount amount" in gold


def test_batches_quarantine_and_metrics(client: TestClient) -> None:
    batches = said(client, "batches")
    assert batches.count("warning 20") + batches.count("healthy 20") == 2
    assert "expect_column_values_to_be_between" in said(client, "quarantine")
    text = client.get(f"{SALES}?tab=metrics").text
    assert "<option selected>amount</option>" in text
    charts = [json.loads(one) for one in re.findall(r'class="chart-data"[^>]*>(.*?)</script>', text, re.DOTALL)]
    assert charts[0]["title"] == "Mean of amount"
    assert "Mean of amount" in client.get(f"{SALES}?column=amount").text, "an address of an earlier release"


def test_the_yaml_and_its_changes_with_who_made_them(shop: Workshop, client: TestClient) -> None:
    assert "expect_column_mean_to_be_between" in said(client, "yaml")
    assert "No change was made through this server" in said(client, "history")
    root = shop.root / "assets_config"
    file = table_files(str(root))["sales"]
    before = file.content
    after = before.replace(b"What was sold", b"What was really sold")
    try:
        Editing(root, "otto").change(file, after, mark_of(before), Author("otto"))
        text = client.get(f"{SALES}?tab=history").text
        assert "replaced by otto" in Page.of(text).text
        link = next(link for link in Page.of(text).links if "version=" in link)
        difference = Page.of(client.get(link.replace("&amp;", "&")).text).text
        assert "-description: What was sold" in difference
        assert "+description: What was really sold" in difference
    finally:
        file.path.write_bytes(before)


def test_a_table_that_never_ran_has_a_page(shop: Workshop) -> None:
    shop.table("later", 'source: {type: csv, path: "{landing}/later/*.csv"}\nsilver: {columns: {x: int64}, keys: [x]}')
    with client_of(site_of(shop)) as fresh:
        for tab in TABS:
            assert fresh.get(f"/dashboard/tables/silver/later?tab={tab}").status_code == 200, tab
        rules = Page.of(fresh.get("/dashboard/tables/silver/later?tab=rules").text).text
        data = Page.of(fresh.get("/dashboard/tables/silver/later?tab=data").text).text
    assert "not judged x is present" in rules
    assert "Nothing has been published yet." in data


@pytest.mark.parametrize(
    ("silver", "wanted"),
    [
        ("{keys: [id], columns: {id: int64}}", "speed"),
        ("{rules: [{type: expect_column_values_to_be_unique, column: speed}]}", "size"),
        ("{rules: [{type: expect_column_mean_to_be_between, column: size, min_value: 1}]}", "size"),
        ("{rules: [{type: expect_column_value_lengths_to_be_between, column: name, min_value: 1}]}", "speed"),
        ("{anomalies: [{metric: mean, column: weight}]}", "weight"),
        ("{anomalies: [{metric: null_share, column: name}]}", "speed"),
        ("{keys: [id], rules: [{type: expect_column_values_to_be_between, column: id, min_value: 1}]}", "speed"),
        ("{rules: [{type: expect_column_values_to_be_between, column: gone, min_value: 1}]}", "speed"),
        ("{columns: {speed: datetime}}", "size"),
    ],
)
def test_the_first_column_is_a_measure_and_no_key(tmp_path: Path, silver: str, wanted: str) -> None:
    shop = Workshop(tmp_path)
    shop.table("t", f'source: {{type: csv, path: "x.csv"}}\nsilver: {silver}')
    table, columns = shop.project.tables["t"], ["id", "shop_id", "name", "speed", "size", "weight"]
    assert first_column(table, columns, set(columns) - {"name"}) == wanted
    assert first_column(table, ["id", "name"], {"id"}) == "name", "no chart at all, rather than one of a key"
    assert first_column(table, ["id"], {"id"}) == "id"
    assert first_column(table, [], set()) is None
    assert first_column(None, columns, set(columns) - {"name"}) == "speed"


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def _written_over(path: Path) -> None:
    path.write_bytes(b"rubbish" * 99)


@pytest.mark.parametrize("harm", [Path.unlink, _cut, _written_over])
def test_rows_that_cannot_be_read_do_not_tell_where_the_lake_is(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    shop = build(tmp_path)
    for path in (tmp_path / "lake" / "silver" / "sales").rglob("*.parquet"):
        harm(path)
    with client_of(site_of(shop)) as client:
        answer = client.get(f"{SALES}?tab=data")
    assert (answer.status_code, "The rows cannot be read: " in answer.text) == (200, True)
    assert tmp_path.name not in answer.text


def test_a_log_that_cannot_be_read_does_not_tell_it_either(tmp_path: Path) -> None:
    shop = build(tmp_path)
    for path in (tmp_path / "lake" / "silver" / "sales" / "_delta_log").glob("*"):
        path.write_text("{")
    with client_of(site_of(shop)) as client:
        for address in (f"{SALES}?tab=data", SALES, "/dashboard/", "/dashboard/catalog"):
            assert str(tmp_path) not in client.get(address).text, address


@pytest.mark.parametrize(
    ("root", "text", "said"),
    [
        ("/data/my lake", "No such file: /data/my%20lake/silver/a.parquet", "No such file: silver/a.parquet"),
        ("/data/my lake", "file:///data/my%20lake/silver/a: wanted rows", "silver/a: wanted rows"),
        ("/data/lake", "/data/lake: wanted to read it", "the lake: wanted to read it"),
        ("s3://bucket/lake", "s3://bucket/lake/silver/a.parquet is torn", "silver/a.parquet is torn"),
        ("/data/lake", "No such file: ...ta/lake/silver/a.parquet", None),
        ("/data/lake", "cannot open /mnt/other/lake/a.parquet", None),
        ("s3://bucket/lake", "https://store.example/bucket/lake/a: 403", None),
        ("/data/lake", "got 3/4 of the rows, wanted a/b\nat /data/lake/x", "got 3/4 of the rows, wanted a/b"),
    ],
)
def test_errors_of_the_lake_are_told_without_addresses(root: str, text: str, said: str | None) -> None:
    found = told(PublishError(text), Lake.at(root))
    assert found == said if said is not None else found.startswith("a file of the table is missing or damaged")
