"""What an import makes of a file that a person has worked in: each kind of cell, and whatever was done to rows and columns."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont

from dq_pipelines.errors import SourceError
from dq_pipelines.pipeline.exchange.corrections_exchange import ImportResult, ReturnedFile, export, import_corrections
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter, set_status
from dq_pipelines.pipeline.quarantine.refused_rows import DISMISSED
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines_tests.workshop import Workshop, at_once

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    silver:
      keys: [id]
      columns: {id: int64, amount: int64, text: string, day: {type: date, format: "%d.%m.%Y"}}
      rules: [{type: expect_column_values_to_not_be_null, column: amount}, {type: expect_column_values_to_be_between, column: amount, min_value: LEAST}]
"""

#: What a cell of text becomes, and the text that is published, or what is said.
CELLS: list[tuple[Any, str | None]] = [
    (0, "0"), (0.0, "0"), (False, "false"), (True, "true"), (-0.5, "-0.5"), (1e-07, "1e-07"), (7.0, "7"),
    (date(2026, 2, 28), "2026-02-28"), (datetime(2026, 2, 28, 13, 5), "2026-02-28T13:05:00"), (time(9, 30), "09:30:00"),  # noqa: DTZ001
    (timedelta(hours=34, minutes=30), "34:30:00"), ("0012", "0012"), ("1e5", "1e5"), ("2026-02-28", "2026-02-28"), (" x ", " x "),
    ("a\nb", "a\nb"), ("'", ""), (None, None), (CellRichText("a", TextBlock(InlineFont(b=True), "b"), "c"), "abc"),
    (123_456_789_012_345, "123456789012345"),
]  # fmt: skip
NOT_TAKEN: list[tuple[Any, str]] = [
    ("#N/A", "text is the error #N/A: write a value, or leave the cell empty"),
    ("#DIV/0!", "text is the error #DIV/0!: write a value, or leave the cell empty"),
    ("=1+1", "text is a formula that no program has calculated: write its value"),
    (1e15, "text is a number of which a spreadsheet keeps 15 digits, 1e+15: write it as a text, with an apostrophe before it"),
]  # fmt: skip


def shop_with(shop: Workshop, lines: list[str], least: int = 0) -> TableRun:
    shop.table("orders", ORDERS.replace("LEAST", str(least)))
    shop.land("orders/a.csv", "\n".join(["id,amount,text,day", *lines]) + "\n")
    assert shop.run("orders").success
    return TableRun(shop.project.tables["orders"], shop.lake)


def refused(shop: Workshop, count: int = 3) -> TableRun:
    """A row that is published, and so many that are not."""
    return shop_with(shop, ["1,10,a,01.02.2026", *(f"{n},-{n},text {n},0{n}.02.2026" for n in range(2, count + 2))])


def again(work: TableRun) -> TableRun:
    return at_once(replace(work))


def back(work: TableRun, path: Path, by: str = "ann") -> ImportResult:
    return import_corrections(again(work), ReturnedFile.read(path), by=by)


def in_sheet(path: Path, change: Callable[[Any], None]) -> Path:
    book = load_workbook(path, rich_text=True)
    change(book.worksheets[0])
    book.save(path)
    return path


def in_csv(path: Path, change: Callable[[list[list[str]]], Any]) -> Path:
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    change(lines)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)
    return path


def test_each_kind_of_cell(shop: Workshop) -> None:
    cells = [value for value, _ in (*CELLS, *NOT_TAKEN)]
    work, path = shop_with(shop, [f"{n},,old,01.02.2026" for n in range(len(cells))]), shop.root / "orders.xlsx"
    assert export(work, path) == len(cells)

    def change(sheet: Any) -> None:
        assert [cell.value for cell in sheet[1]][2:6] == ["id", "amount", "text", "day"]
        for row, value in enumerate(cells, start=2):
            # The number 0 in an empty cell is a value; a date is written as the column has it.
            sheet.cell(row, 4).value = 0 if row % 2 else 0.0
            sheet.cell(row, 4).number_format = "General"
            cell = sheet.cell(row, 5)
            cell.number_format = "General"
            cell.value = value
            sheet.cell(row, 6).value = date(2026, 2, 28)

    done = back(work, in_sheet(path, change))
    rows = {row["id"]: row for row in shop.rows("silver/orders")}
    assert [rows[n]["text"] for n in range(len(CELLS))] == [text for _, text in CELLS]
    assert {(row["amount"], row["day"]) for row in rows.values()} == {(0, date(2026, 2, 28))}
    assert done.problems == tuple(f"row {n}: {said}" for n, (_, said) in enumerate(NOT_TAKEN, start=len(CELLS) + 2))


@pytest.mark.slow
def test_what_a_sheet_cannot_hold_is_mended_in_a_csv(shop: Workshop) -> None:
    long = "x" * 40_000
    work, path = shop_with(shop, [f"2,-5,{long},01.02.2026"]), shop.root / "orders.xlsx"
    export(work, path)
    sheet = load_workbook(path).worksheets[0]
    assert (len(str(sheet["E2"].value)), sheet["E2"].protection.locked, sheet["D2"].protection.locked) == (
        32_767,
        True,
        False,
    )
    copy = path.with_name("copy.xlsx")
    copy.write_bytes(path.read_bytes())
    done = back(work, in_sheet(copy, lambda sheet: sheet.__setitem__("E2", "short")))
    assert done.problems == ("row 2: text is locked: a sheet holds a part of its text; mend it in a .csv",)
    assert back(work, in_sheet(path, lambda sheet: sheet.__setitem__("D2", 5))).problems == ()
    assert shop.rows("silver/orders", "id", "text") == [(2, long)]


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_locked_cells(shop: Workshop, ending: str) -> None:
    work, path = refused(shop, 6), shop.root / f"orders{ending}"
    export(work, path)
    head = ["_id", "_status", "id", "amount", "text", "day", "_why", "_source", "_row"]
    changes = {
        2: ("_why", "x"),
        3: ("_source", "x"),
        4: ("_row", "7"),
        5: ("id", "70"),
        6: ("_id", "b-1:a:2"),
        7: ("_status", "fixed"),
    }

    def in_lines(lines: list[list[str]]) -> None:
        for row, (name, to) in changes.items():
            lines[row - 1][head.index(name)] = to

    def in_cells(sheet: Any) -> None:
        for row, (name, to) in changes.items():
            sheet.cell(row, head.index(name) + 1).value = to

    if ending == ".csv":
        in_csv(path, in_lines)
    else:
        in_sheet(path, in_cells)
    before = shop.versions()
    assert back(work, path).problems == (
        "row 2: _why is locked: it says why the row was refused",
        "row 3: _source is locked: it says where the row came from",
        "row 4: _row is locked: it says where the row came from",
        "row 5: id is locked: it is a key, and no rule has refused the row for it",
        "row 6: _id is locked: it says which row this is",
        "row 7: _status is 'fixed', wanted open or dismissed",
    )
    assert shop.versions() == before


@pytest.mark.slow
def test_keys_of_a_line_that_nobody_could_read_are_free(shop: Workshop) -> None:
    work, path = shop_with(shop, ["2,5,a,01.02.2026,more"]), shop.root / "orders.csv"
    export(work, path)
    in_csv(path, lambda lines: lines[1].__setitem__(slice(2, 6), ["2", "5", "a", "01.02.2026"]))
    assert back(work, path).problems == ()
    assert shop.rows("silver/orders", "id", "amount") == [(2, 5)]


@pytest.mark.slow
def test_rows_that_are_gone_doubled_added_sorted_or_cut(shop: Workshop) -> None:
    work, path = refused(shop, 7), shop.root / "orders.csv"
    export(work, path)

    def change(lines: list[list[str]]) -> None:
        for line in lines[1:]:
            line[3] = line[3].removeprefix("-")
        lines[1:] = lines[:0:-1]  # ids 8 to 2
        del lines[7]  # the row of id 2, which was the first
        lines.append([*lines[1]])  # id 8 twice, the same
        lines.append([*lines[2][:3], "99", *lines[2][4:]])  # id 7 twice, otherwise
        lines.append(["", "open", "9", *lines[3][3:]])
        lines.append(["", *[""] * 9])
        lines[4] = lines[4][:5]  # id 5
        lines.append([*lines[5][:3], "66", *lines[5][4:7], "elsewhere", *lines[5][8:]])  # id 4 twice, once locked

    done = back(work, in_csv(path, change))
    gone = "row 2: 1 exported row is no longer in the file, from this one on; missing rows stay as they are"
    assert done.notes == (gone,)
    assert [problem.split(": ", 1) for problem in done.problems] == [
        ["row 3", "rows 3 and 9 have one _id and differ: none is taken"],
        ["row 5", "wanted 10 cells, got 5"],
        ["row 6", "has the _id of row 12: none of them is taken"],
        ["row 9", "rows 3 and 9 have one _id and differ: none is taken"],
        ["row 10", "has no _id: rows cannot be added here, let them land"],
        ["row 12", "_source is locked: it says where the row came from"],
    ]
    assert shop.rows("silver/orders", "id", "amount") == [(1, 10), (3, 3), (6, 6), (8, 8)]


@pytest.mark.slow
def test_columns_that_are_moved_added_renamed_missing_or_doubled(shop: Workshop) -> None:
    work, path = refused(shop), shop.root / "orders.csv"

    def exported(change: Callable[[list[list[str]]], Any]) -> Path:
        export(work, path)
        return in_csv(path, change)

    def each(lines: list[list[str]], change: Callable[[list[str]], Any]) -> None:
        for line in lines:
            change(line)

    def told(change: Callable[[list[list[str]]], Any]) -> str:
        with pytest.raises(SourceError) as said:
            back(work, exported(change))
        return str(said.value).removeprefix(f"{path}: ")

    renamed = "row 1: column 'amnt' is none of the table's (nearest: amount), and column 'amount' is missing: give it its name again"
    assert told(lambda lines: lines[0].__setitem__(3, "amnt")) == renamed
    assert told(lambda lines: lines[0].__setitem__(0, "id_")).startswith("wanted the column '_id'")
    assert (
        told(lambda lines: lines[0].__setitem__(4, "amount"))
        == "row 1: two columns are named 'amount'; keep one of them"
    )
    note = "row 1: column 'note' is none of the table's, and is ignored"
    added = back(work, exported(partial(with_column, name="note")))
    assert (added.notes, added.problems, added.replayed.published) == ((note,), (), ())
    gone = back(work, exported(lambda lines: each(lines, lambda line: line.pop(4))))
    assert (gone.notes, gone.problems) == (("row 1: column 'text' is missing; its cells stay as they are",), ())
    nameless = back(work, exported(partial(with_column, name="")))
    assert nameless.notes == ("row 2: 'seen' is in a column without a name, which is ignored",)

    def moved(lines: list[list[str]]) -> None:
        lines[1][3] = "22"
        each(lines, lambda line: line.insert(0, line.pop(3)))
        each(lines, lambda line: line.append(line.pop(5)))

    done = back(work, exported(moved))
    assert (done.notes, done.problems, len(done.replayed.published)) == ((), (), 1)
    assert shop.rows("silver/orders", "id", "amount", "text") == [(1, 10, "a"), (2, 22, "text 2")]


def with_column(lines: list[list[str]], name: str) -> None:
    """One more column, with something in it."""
    for number, line in enumerate(lines):
        line.append("seen" if number else name)


def mended(work: TableRun, path: Path, amounts: dict[str, str], status: str = "open") -> Path:
    """A CSV in which rows have other amounts, by their ids."""
    export(work, path)

    def change(lines: list[list[str]]) -> None:
        for line in lines[1:]:
            if line[2] in amounts:
                line[1], line[3] = status, amounts[line[2]]

    return in_csv(path, change)


@pytest.mark.slow
def test_two_people_at_once(shop: Workshop) -> None:
    """Each row is published once; who comes later is told where that is not what the other one wrote."""
    work, done = refused(shop), dict[str, ImportResult]()
    files = {
        by: mended(work, shop.root / f"{by}.csv", cells)
        for by, cells in {"ann": {"2": "5", "3": "6"}, "bob": {"2": "5", "3": "7"}}.items()
    }

    def bring(by: str) -> None:
        done[by] = back(work, files[by], by)

    people = [Thread(target=bring, args=[by]) for by in files]
    for person in people:
        person.start()
    for person in people:
        person.join()
    first, later = sorted(files, key=lambda by: -len(done[by].replayed.published))
    assert (len(done[first].replayed.published), done[first].problems) == (2, ())
    assert done[later].replayed.published == ()
    said = (
        f"row 3: is published already by {first}, with another value of amount: "
        f"correct {shop.landing}/orders/a.csv, so that it lands again, to change it"
    )
    assert (done[later].problems, done[later].settled) == ((said,), 1)
    assert shop.rows("silver/orders", "id", "amount") == [(1, 10), (2, 5), (3, {"ann": 6, "bob": 7}[first])]
    work = again(work)
    row = next(row for row in shop.rows("quarantine/orders") if row["id"] == "4")
    late = mended(work, shop.root / "late.csv", {"4": "8"})
    given_up = mended(work, shop.root / "given_up.csv", {"4": "-4"}, "dismissed")
    assert set_status(again(work), RefusedRowFilter(ids=[row["_id"]]), DISMISSED, "eve") == 1
    assert back(work, late).problems == ("row 2: is dismissed by eve: run dq quarantine reopen before you mend it",)
    assert (back(work, given_up).problems, back(work, given_up).settled) == ((), 1)
    assert back(work, mended_late(given_up, files[first])).problems == (
        f"row 2: is published already by {first}: a published row cannot be dismissed",
    )


def mended_late(path: Path, other: Path) -> Path:
    """Of another file, with its first row to be dismissed."""
    path.write_bytes(other.read_bytes())
    return in_csv(path, lambda lines: lines[1].__setitem__(slice(1, 4), ["dismissed", "2", "-2"]))


@pytest.mark.slow
def test_a_file_from_before_a_rerun(shop: Workshop) -> None:
    """What the rerun lets through is settled; what it refuses is mended, also where its cells look otherwise by now."""
    work, path = refused(shop), shop.root / "old.csv"
    mended(work, path, {"3": "30"})
    changed = (
        ORDERS.replace("LEAST", "-2")
        .replace('{type: date, format: "%d.%m.%Y"}', "string")
        .replace("amount: int64", 'amount: "decimal(9,2)"')
    )
    shop.table("orders", changed)
    assert shop.run("orders", mode="rerun").success
    work = TableRun(shop.project.tables["orders"], shop.lake)
    done = back(work, path)
    assert (len(done.replayed.published), done.problems, done.settled) == (1, (), 1)
    rows = {row["id"]: (float(row["amount"]), row["day"]) for row in shop.rows("silver/orders")}
    assert rows == {1: (10, "01.02.2026"), 2: (-2, "02.02.2026"), 3: (30, "03.02.2026")}
    assert sorted((row["id"], row["_status"]) for row in shop.rows("quarantine/orders")) == [
        ("3", "fixed"),
        ("4", "open"),
    ]
    shop.table("orders", changed.replace("min_value: -2", "min_value: -9"))
    assert shop.run("orders", mode="rerun").success
    in_csv(path, lambda lines: lines[3].__setitem__(3, "40"))
    (said,) = back(TableRun(shop.project.tables["orders"], shop.lake), path).problems
    assert said.startswith("row 4: no refused row has the id ")
    assert said.endswith("a rerun has published or dropped it, or it was erased or has expired")
