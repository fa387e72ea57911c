"""`dq quarantine`, and the jobs of the same names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from openpyxl import load_workbook

from dq_pipelines_tests.cli.conftest import Dq
from dq_pipelines_tests.workshop import Workshop

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    silver:
      columns: {id: int64, amount: int64}
      rules: [{type: expect_column_values_to_be_between, column: amount, min_value: LEAST}]
"""


@pytest.fixture
def orders(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    shop.table("orders", ORDERS.replace("LEAST", "0"))
    shop.land("orders/a.csv", "id,amount\n1,10\n2,-5\nx,3\n")
    assert shop.run("orders").success
    for name, place in (("DQ_CONFIG", "assets_config"), ("DQ_LAKE", "lake")):
        monkeypatch.setenv(name, str(shop.root / place))
    monkeypatch.setenv("DQ_HISTORY_URL", shop.history.url)
    return shop


@pytest.mark.usefixtures("orders")
def test_counts_and_rows(dq: Dq) -> None:
    counts = json.loads(dq("quarantine", "list", "--json").stdout)
    assert [(row["rule"], row["column"], row["status"], row["rows"]) for row in counts] == [
        ("cast", "id", "open", 1),
        ("expect_column_values_to_be_between", "amount", "open", 1),
    ]
    (row,) = json.loads(dq("quarantine", "list", "silver/orders", "--rule", "cast", "--json").stdout)
    assert (row["id"], row["_row"], row["_status"]) == ("x", 4, "open")
    shown = dq("quarantine", "list", "orders").stdout
    assert "id: cast, wanted int64, got x" in shown
    assert "wanted min_value 0" in shown
    assert "amount=-5" in shown
    assert dq("quarantine", "list", "order").stderr == "dq quarantine: unknown table 'order' (nearest: orders)\n"


def test_the_fault_of_another_table_keeps_nobody_from_refused_rows(orders: Workshop, dq: Dq) -> None:
    folder = next((orders.root / "assets_config").glob("*/orders.yaml")).parent
    (folder / "faulty.yaml").write_text("surce: {}\n")
    ran = dq("quarantine", "list", "--json")
    assert (ran.returncode, len(json.loads(ran.stdout))) == (0, 2)
    assert ran.stderr.startswith("left out: ")
    assert "faulty.yaml:1:" in ran.stderr
    assert dq("quarantine", "list", "orders").returncode == 0
    ran = dq("quarantine", "list", "faulty")
    assert ran.returncode == 2
    assert ran.stderr.startswith("dq quarantine: faulty is left out: ")


@pytest.mark.usefixtures("orders")
@pytest.mark.parametrize("width", [40, 80, 160])
def test_names_that_other_commands_take_stay_whole(dq: Dq, width: int) -> None:
    shown = dq("quarantine", "list", COLUMNS=str(width)).stdout
    rules = {(row["rule"], row["column"]) for row in json.loads(dq("quarantine", "list", "--json").stdout)}
    assert len(rules) == 2
    for rule, column in rules:
        assert re.search(rf"{rule}\b.*\b{column}\b", shown), shown
        assert dq("quarantine", "list", "orders", "--rule", rule, "--json").stdout != "[]\n"
    assert ("1 row open, of 1 batch" in shown) == (width < 100)
    shown = dq("quarantine", "list", "orders", COLUMNS=str(width)).stdout
    assert "expect_column_values_to_be_between" in shown
    assert "amount=-5" in shown


def test_replay_dismiss_and_reopen(orders: Workshop, dq: Dq) -> None:
    orders.table("orders", ORDERS.replace("LEAST", "-10"))
    assert dq("quarantine", "dismiss", "orders", "--rule", "cast").stdout == "orders: 1 row is dismissed now\n"
    assert dq("quarantine", "replay", "orders", "--dry-run").stdout == "orders: 1 would be published, 0 refused still\n"
    assert dq("quarantine", "replay", "orders").stdout == "orders: 1 published, 0 refused still\n"
    assert dq("quarantine", "reopen", "orders").stdout == "orders: 1 row is open now\n"
    assert dq("quarantine", "replay", "orders").stdout == "orders: 0 published, 1 refused still\n"
    assert orders.rows("silver/orders", "id") == [1, 2]
    (last,) = (
        record
        for record in orders.history.of_table("silver/orders")
        if record.batch.startswith("p-") and record.published
    )
    assert (last.rows_in, last.published, last.refused) == (1, 1, 0)
    latest = orders.history.latest("silver/orders")
    assert latest is not None
    assert latest.rows_in == 3, "a replay is no verdict on a batch"


def test_out_and_in_again(orders: Workshop, dq: Dq, tmp_path: Path) -> None:
    path = tmp_path / "orders.xlsx"
    assert dq("quarantine", "export", "orders", path).stdout == f"2 open rows of orders in {path}\n"
    book = load_workbook(path)
    book.worksheets[0]["D2"] = 5
    book.save(path)
    ran = dq("quarantine", "import", path)
    assert (ran.returncode, ran.stdout) == (0, "silver/orders: 1 published, 0 dismissed, 0 refused still\n")
    assert orders.rows("silver/orders", "id", "amount") == [(1, 10), (2, 5)]
    book.worksheets[0]["C3"] = "3x"
    book.save(path)
    ran = dq("quarantine", "import", path)
    assert ran.returncode == 1
    assert f"{path}: row 3: id: cast, wanted int64, got 3x" in ran.stderr


@pytest.mark.usefixtures("orders")
def test_an_outcome_is_told_once(dq: Dq, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    for verb in (["dismiss", "orders", "--rule", "cast"], ["reopen", "orders"], ["replay", "orders"]):
        ran = dq("quarantine", *verb)
        assert (len(ran.stdout.splitlines()), ran.stderr) == (1, "")
    assert dq("quarantine", "export", "orders", path).stderr == ""
    path.write_text(path.read_text(encoding="utf-8").replace(",-5,", ",5,"), encoding="utf-8")
    ran = dq("quarantine", "import", path, "--table", "orders")
    assert (len(ran.stdout.splitlines()), ran.stderr) == (1, "")


def test_rows_of_an_earlier_version_are_told_apart(orders: Workshop, dq: Dq, tmp_path: Path) -> None:
    orders.land("orders/a.csv", "id,amount\n1,10\n2,-6\nx,3\n")
    assert orders.run("orders").success
    ran = dq("quarantine", "list", "orders", "--json")
    assert {(row["amount"], row["_status"]) for row in json.loads(ran.stdout)} == {("-6", "open"), ("3", "open")}
    assert ran.stderr == "2 rows are superseded and not listed; dq quarantine list --status superseded lists them\n"
    old = json.loads(dq("quarantine", "list", "orders", "--status", "superseded", "--json").stdout)
    assert {row["amount"] for row in old} == {"-5", "3"}
    counts = json.loads(dq("quarantine", "list", "--json").stdout)
    assert {(row["status"], row["rows"]) for row in counts} == {("open", 1), ("superseded", 1)}
    ran = dq("quarantine", "export", "orders", tmp_path / "orders.csv")
    assert ran.stdout.startswith("2 open rows of orders")
    assert ran.stderr == (
        "quarantine/orders: 2 rows are superseded, since later versions of their inputs have landed; left out\n"
    )


def test_as_jobs(orders: Workshop, tmp_path: Path) -> None:
    path = tmp_path / "orders.xlsx"
    assert orders.run_job("quarantine_export", config={"table": "orders", "path": str(path)}).success
    book = load_workbook(path)
    book.worksheets[0]["D2"] = 5
    book.save(path)
    ran = orders.run_job("quarantine_import", config={"path": str(path)})
    assert ran.success
    assert ran.materialized["silver/orders"]["published"] == 1
    assert orders.rows("silver/orders", "id", "amount") == [(1, 10), (2, 5)]
    orders.land("orders/b.csv", "id,amount\n7,-7\n")
    assert orders.run("orders").success
    orders.table("orders", ORDERS.replace("LEAST", "-10"))
    ran = orders.run_job("quarantine_replay", config={"table": "orders", "rule": "expect_column_values_to_be_between"})
    assert ran.materialized["silver/orders"]["dagster/row_count"] == 3
    (by,) = {row["_status_by"] for row in orders.rows("quarantine/orders") if row["_status"] == "replayed"}
    assert by == f"run {ran.run_id}"
    ran = orders.run_job("quarantine_replay", config={"table": "order"})
    assert "no table 'order' lands (nearest: orders)" in ran.failures["quarantine_replay_rows"]
    ran = orders.run_job("quarantine_import", config={"path": str(tmp_path / "none.xlsx")})
    assert "found none" in ran.failures["quarantine_import_rows"]
