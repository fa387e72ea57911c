"""Refused rows out to a person and back in: what the workbook says and locks, and what comes of what was changed in it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from dq_pipelines.errors import PublishError, SourceError
from dq_pipelines.pipeline.exchange.corrections_exchange import ImportResult, ReturnedFile, export, import_corrections
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines_tests.workshop import Workshop

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    silver:
      keys: [id]
      columns: {id: int64, amount: int64, day: {type: date, from: Day, format: "%d.%m.%Y"}, size: string}
      transform: [{rename: {size: fit}}, {derive: {twice: "amount * 2"}}]
      rules:
        - {type: expect_column_values_to_be_between, column: amount, min_value: 0}
        - {type: expect_column_values_to_be_in_set, column: fit, value_set: [S, M, L]}
        - {type: expect_column_pair_values_a_to_be_greater_than_b, column_A: amount, column_B: id, or_equal: true}
"""
LINES = [
    "id,amount,Day,size",
    "1,10,01.02.2026,S",
    "2,-5,02.02.2026,M",
    "3,50,03.02.2026,XXL",
    "x,7,04.02.2026,L",
    "5,8,31.02.2026,=1+1",
    "9,1,01.01.2026,S,more",
]


@pytest.fixture
def shop_of_orders(shop: Workshop) -> Workshop:
    shop.table("orders", ORDERS)
    shop.land("orders/a.csv", "\n".join(LINES) + "\n")
    assert shop.run("orders").success
    return shop


def work(shop: Workshop) -> TableRun:
    return TableRun(shop.project.tables["orders"], shop.lake)


def exported(shop: Workshop) -> Path:
    path = shop.root / "out" / "orders.xlsx"
    assert export(work(shop), path) == 5
    return path


def sheet_of(path: Path) -> tuple[Any, Worksheet, dict[str, int]]:
    book = load_workbook(path)
    sheet = book.worksheets[0]
    return book, sheet, {str(cell.value): number for number, cell in enumerate(sheet[1], start=1)}


def mended(path: Path, changes: Mapping[int, Mapping[str, Any]]) -> Path:
    """A copy of the workbook with other cells, by the row of the sheet."""
    book, sheet, places = sheet_of(path)
    for row, cells in changes.items():
        for name, value in cells.items():
            sheet.cell(row, places[name]).value = value
    copy = path.with_name("mended.xlsx")
    book.save(copy)
    return copy


def back(shop: Workshop, path: Path, **how: bool) -> ImportResult:
    return import_corrections(work(shop), ReturnedFile.read(path), by="ann", **how)


def test_what_a_person_sees_and_may_change(shop_of_orders: Workshop) -> None:
    _, sheet, places = sheet_of(exported(shop_of_orders))
    rows = {row: {name: sheet.cell(row, place) for name, place in places.items()} for row in range(2, 7)}
    assert [rows[row]["fit"].value for row in rows] == ["M", "XXL", "L", "'=1+1", None]
    assert rows[5]["fit"].data_type == "s", "what begins with = is a text here, and nothing to compute"
    blamed = {row: [name for name, cell in cells.items() if cell.comment] for row, cells in rows.items()}
    assert blamed == {2: ["id", "amount"], 3: ["fit"], 4: ["id"], 5: ["day", "fit"], 6: []}
    comment = rows[2]["amount"].comment
    assert comment is not None
    assert "got -5" in comment.text
    free = {row: {name for name, cell in cells.items() if not cell.protection.locked} for row, cells in rows.items()}
    assert free[2] == {"_status", "id", "amount", "day", "fit"}, "the key is to blame as well"
    assert free[3] == {"_status", "amount", "day", "fit"}, "a key is locked, and so is what a step makes"
    assert sheet.protection.sheet
    lists = {str(rule.sqref): rule.formula1 for rule in sheet.data_validations.dataValidation}
    assert '"S,M,L"' in lists.values()
    assert sheet.freeze_panes == "C2"


def test_mended_rows_are_published_and_the_others_told(shop_of_orders: Workshop) -> None:
    changes: dict[int, dict[str, Any]] = {
        2: {"amount": 5},  # a number, where the sheet had text
        3: {"fit": "L"},
        4: {"id": "4x"},
        5: {"day": "2026-02-28", "fit": "S"},  # a date as ISO has it, where 28.02.2026 would have landed
        6: {"_status": "dismissed"},
    }
    path = mended(exported(shop_of_orders), changes)
    before = shop_of_orders.versions()
    dry = back(shop_of_orders, path, dry_run=True)
    assert (len(dry.replayed.published), dry.dismissed, dry.problems) == (
        3,
        1,
        ("row 4: id: cast, wanted int64, got 4x",),
    )
    assert shop_of_orders.versions() == before
    done = back(shop_of_orders, path)
    assert (done.replayed.published, done.problems) == (dry.replayed.published, dry.problems)
    assert shop_of_orders.rows("silver/orders", "id", "amount", "fit", "twice") == [
        (1, 10, "S", 20), (2, 5, "M", 10), (3, 50, "L", 100), (5, 8, "S", 16),
    ]  # fmt: skip
    said = {row["_row"]: (row["_status"], row["_reasons"]) for row in shop_of_orders.rows("quarantine/orders")}
    assert {row: status for row, (status, _) in said.items()} == {
        3: "fixed", 4: "fixed", 5: "open", 6: "fixed", 7: "dismissed",
    }  # fmt: skip
    assert said[5][1][0]["value"] == "x", "what was mended and fails is the person's alone"
    again = back(shop_of_orders, path)
    assert (again.replayed.published, again.settled, len(again.problems)) == ((), 4, 1)


def test_what_may_not_be_changed(shop_of_orders: Workshop) -> None:
    path = mended(
        exported(shop_of_orders),
        {2: {"twice": 7}, 3: {"_status": "dismised"}, 4: {"_id": "b-1:a.csv:9"}, 5: {"fit": None}, 6: {}},
    )
    before = shop_of_orders.versions()
    assert back(shop_of_orders, path).problems == (
        "row 2: column 'twice' is made by a step and cannot be corrected: correct the columns that it is made of",
        "row 3: _status is 'dismised' (nearest: dismissed), wanted open or dismissed",
        "row 4: _id is locked: it says which row this is",
        "row 5: day: cast, wanted date as %d.%m.%Y, got 31.02.2026",
    )
    assert shop_of_orders.versions() == before


def test_a_typed_source_takes_only_its_own_types(shop: Workshop) -> None:
    shop.table(
        "orders",
        """
        source: {type: parquet, path: "{landing}/orders/*.parquet"}
        silver:
          rules: [{type: expect_column_values_to_be_between, column: amount, min_value: 0}]
        """,
    )
    import polars as pl

    (shop.landing / "orders").mkdir(parents=True)
    pl.DataFrame({"id": [1, 2], "amount": [-1, -2]}).write_parquet(shop.landing / "orders/a.parquet")
    assert shop.run("orders").success
    path = shop.root / "orders.xlsx"
    export(work(shop), path)
    done = back(shop, mended(path, {2: {"amount": "much"}, 3: {"amount": "2"}}))
    assert done.problems == ("row 2: amount: 'much' is no Int64",)
    assert shop.rows("silver/orders", "id", "amount") == [(2, 2)]


def test_csv_for_what_no_sheet_holds(shop_of_orders: Workshop) -> None:
    path = shop_of_orders.root / "orders.csv"
    assert export(work(shop_of_orders), path, RefusedRowFilter(column="fit")) == 2
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    lines[0]["fit"] = "L"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    assert ReturnedFile.read(path).table_of(shop_of_orders.project, "orders") == "orders"
    assert len(back(shop_of_orders, path).replayed.published) == 1


def test_characters_that_no_workbook_holds(shop: Workshop) -> None:
    shop.table("orders", ORDERS)
    shop.land("orders/a.csv", "id,amount,Day,size\n1,1,01.02.2026,\x07_x0041_\n2,1,01.02.2026," + "x" * 40_000 + "\n")
    assert shop.run("orders").success
    path = shop.root / "orders.xlsx"
    assert export(work(shop), path) == 2
    done = back(shop, path)
    assert (done.replayed.published, done.problems) == ((), ()), "nothing was changed, not even what was cut"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.xlsx", None, "found none"),
        ("text.xlsx", b"not a workbook", "wanted a workbook"),
        ("empty.csv", b"", "got an empty file"),
        ("other.csv", b"_idd,a\n1,2\n", "wanted the column '_id' (nearest: _idd)"),
        ("binary.csv", b"\xff\xfe\x00", "wanted CSV in UTF-8"),
    ],
)
def test_files_that_are_none_of_ours(shop_of_orders: Workshop, name: str, content: bytes | None, said: str) -> None:
    path = shop_of_orders.root / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError) as told:
        back(shop_of_orders, path)
    assert said in str(told.value)
    assert str(path) in str(told.value)


def test_places_that_take_no_file(shop_of_orders: Workshop) -> None:
    with pytest.raises(PublishError, match=r"wanted a file ending in \.xlsx or \.csv"):
        export(work(shop_of_orders), shop_of_orders.root / "orders.pdf")
    (shop_of_orders.root / "file").write_text("")
    with pytest.raises(PublishError, match="wanted to write the refused rows"):
        export(work(shop_of_orders), shop_of_orders.root / "file" / "orders.csv")
