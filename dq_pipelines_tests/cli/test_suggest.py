"""`dq suggest` on data: what it prints is a table that loads, runs and refuses what is wrong; it writes nothing over."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import openpyxl
import polars as pl
import pytest

from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.project import load_project
from dq_pipelines_tests.cli.conftest import Dq

ORDERS = "".join(
    f"{n},{n % 7 + 1},{f'2026-01-{n % 28 + 1:02}'},{n % 50}.50,{['card', 'cash'][n % 2]},{'N/A' if n == 5 else n % 9}\n"
    for n in range(1, 401)
)


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "shop" / "orders.csv"
    path.parent.mkdir(parents=True)
    path.write_text("id,customer,day,amount,paid,stock\n" + ORDERS + "401,3,soon,1.50,cash,2\n", encoding="utf-8")
    return path


def test_what_is_printed_is_a_table_that_runs(dq: Dq, orders: Path, tmp_path: Path) -> None:
    ran = dq("suggest", orders.relative_to(tmp_path))
    assert ran.returncode == 0, ran.stderr
    assert "# each of 401 values is different [sure, 0.97]" in ran.stdout
    assert "stock: {type: int64, null_values: [N/A]}  # `N/A` means that there is no value (1 row)" in ran.stdout
    assert "day: date  # 99.8 % of the values are of this type; 1 are not, and go to quarantine" in ran.stdout
    config = tmp_path / "conf" / "shop"
    config.mkdir(parents=True)
    (config / "orders.yaml").write_text(ran.stdout, encoding="utf-8")
    checked = dq("check", "conf")
    assert checked.returncode == 0, checked.stderr
    (table,) = load_project(tmp_path / "conf")
    assert {name: column.type for name, column in table.landed.silver.columns.items()} == {
        "id": "int64", "customer": "int64", "day": "date", "amount": "decimal(12,2)", "paid": "string", "stock": "int64",
    }  # fmt: skip
    watched = [anomaly.about for anomaly in table.landed.silver.anomalies]
    assert watched == ["row_count", "mean of amount", "null_share of stock"]
    outcome = refine(TableRun(table, Lake.at(str(tmp_path / "lake"))))
    assert outcome is not None
    assert (outcome.counts.published, outcome.counts.refused) == (400, 1)
    assert [result.rule.type for result in outcome.results if not result.success] == ["cast"]


def test_apply_writes_the_file_once(dq: Dq, orders: Path, tmp_path: Path) -> None:
    ran = dq("suggest", orders, "--apply", DQ_CONFIG="conf")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "wrote conf/shop/orders.yaml: 6 columns" in ran.stderr
    written = tmp_path / "conf" / "shop" / "orders.yaml"
    before = written.read_text(encoding="utf-8")
    assert before == dq("suggest", orders).stdout
    assert dq("check", "conf").returncode == 0
    ran = dq("suggest", orders, "--apply")
    assert (ran.returncode, "shop/orders.yaml exists and is not overwritten" in ran.stderr) == (2, True)
    ran = dq("suggest", orders, "--apply", "--domain", "other")
    assert (ran.returncode, "shop/orders.yaml exists" in ran.stderr) == (2, True), "names are unique"
    assert written.read_text(encoding="utf-8") == before
    assert [path.name for path in (tmp_path / "conf").rglob("*.yaml")] == ["orders.yaml"]


def test_a_table_of_the_project_is_told_what_it_lacks(dq: Dq, tmp_path: Path) -> None:
    folder = tmp_path / "conf" / "shop"
    folder.mkdir(parents=True)
    pl.DataFrame({"id": range(1, 9), "name": list("abcdefgh")}).write_parquet(tmp_path / "customers.parquet")
    pl.DataFrame({"n": range(200), "customer_id": [n % 8 + 1 for n in range(200)]}).write_parquet(
        tmp_path / "orders.parquet"
    )
    unique = "{type: expect_column_values_to_be_unique, column: %s}"
    for name, key in (("customers", "id"), ("orders", "n")):
        text = f"source: {{type: parquet, path: {tmp_path}/{name}.parquet}}\nsilver:\n  keys: [{key}]\n  rules:\n    - {unique % key}\n"
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    for table in load_project(tmp_path / "conf"):
        refine(TableRun(table, Lake.at(str(tmp_path / "lake"))))
    places = {"DQ_CONFIG": "conf", "DQ_LAKE": str(tmp_path / "lake")}
    ran = dq("suggest", "orders", **places)
    assert ran.returncode == 0, ran.stderr
    assert (
        "{type: expect_column_values_to_exist_in, column: customer_id, table: silver/customers, key: id}" in ran.stdout
    )
    assert "expect_column_values_to_be_unique" not in ran.stdout
    assert dq("suggest", "silver/orders").stdout == ran.stdout
    ran = dq("suggest", "orders", "--apply")
    assert (ran.returncode, "conf/shop/orders.yaml exists" in ran.stderr) == (2, True)
    ran = dq("suggest", "ordres")
    assert (ran.returncode, ran.stderr) == (
        2,
        "dq suggest: 'ordres' is neither a file nor a table of the project (nearest: orders)\n",
    )


def test_a_file_that_is_none_is_said_in_a_sentence(dq: Dq, tmp_path: Path) -> None:
    ran = dq("suggest", "none/there.csv")
    assert (ran.returncode, ran.stderr.count("\n"), "there.csv" in ran.stderr) == (2, 1, True)
    (tmp_path / "empty.csv").write_text("a,b\n", encoding="utf-8")
    ran = dq("suggest", "empty.csv")
    assert (ran.returncode, "a: string  # no value was seen" in ran.stdout) == (0, True)


def test_of_a_sheet_with_titles_the_header_is_found(dq: Dq, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (
        ["Stock of the yard"],
        [],
        ["id", "item", "price"],
        [1, "bolt", 2.5],
        [2, "nut", 3.5],
        [3, "washer", 4.5],
    ):
        book.active.append(row)
    book.save(tmp_path / "stock.xlsx")
    ran = dq("suggest", "stock.xlsx")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "source: {type: excel, path: stock.xlsx, header_row: 3}" in ran.stdout
    assert "item: string" in ran.stdout


def test_of_a_workbook_the_sheet_with_the_table_is_taken(dq: Dq, tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    cover, data, codes = book.active, book.create_sheet("Data 2026"), book.create_sheet("codes")
    assert cover is not None
    cover.title = "Read me"
    for line in (["Stock of our shops"], ["by hand"], ["see Data"]):
        cover.append(line)
    data.append(["id", "town", "stock"])
    codes.append(["code", "means"])
    for n in range(60):
        data.append([n, ["Bend", "Gary"][n % 2], n * 3])
    for n in range(5):
        codes.append([n, "x"])
    book.save(tmp_path / "stock.xlsx")
    ran = dq("suggest", "stock.xlsx")
    assert (ran.returncode, ran.stderr) == (
        0,
        "stock.xlsx: sheet 'Data 2026' has the most values of 3 sheets; --sheet names another one: 'Read me', 'codes'\n",
    )
    assert "source: {type: excel, path: stock.xlsx, sheet: Data 2026}" in ran.stdout
    assert "town: string" in ran.stdout
    for sheet in ("codes", "2"):
        ran = dq("suggest", "stock.xlsx", "--sheet", sheet)
        assert (ran.returncode, ran.stderr, "means: string" in ran.stdout) == (0, "", True)
    ran = dq("suggest", "stock.xlsx", "--sheet", "code")
    assert (ran.returncode, "wanted the sheet 'code'" in ran.stderr, "nearest: codes" in ran.stderr) == (2, True, True)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    ran = dq("suggest", "a.csv", "--sheet", "x")
    assert (ran.returncode, ran.stderr) == (2, "dq suggest --sheet: wanted a workbook, got a.csv\n")


def test_the_page_shows_the_profile_and_asks_for_nothing(dq: Dq, orders: Path, tmp_path: Path) -> None:
    from playwright.sync_api import Request

    from dq_pipelines_tests.chromium import chromium

    text = orders.read_text(encoding="utf-8") + '402,3,2026-01-01,1.50,"<b onclick=""x"">",2\n'
    orders.write_text(text, encoding="utf-8")
    ran = dq("suggest", orders, "--html", "out/page.html")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "wrote out/page.html\n")
    asked: list[str] = []

    def remember(request: Request) -> None:
        asked.append(request.url)

    with chromium() as browser:
        schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for width, scheme in zip((1280, 390), schemes, strict=True):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.on("request", remember)
            page.goto(f"file://{tmp_path}/out/page.html")
            assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing runs out of the window"
            assert page.locator("section[id]").count() == 6
            assert page.locator("#c4 .histogram b").count() > 10
            assert "<b onclick" in page.locator("#c5 .bars").first.inner_text(), "values are text"
            assert page.locator("#c5 .bars [onclick]").count() == 0
            dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 21, 27)"
            assert dark == (scheme == "dark")
