"""The faults of the retail sample, counted in the landed files without the generator's own columns.

Each question is asked of every row, so that a count also proves that no other fault answers to it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl
import pyarrow.orc
import pytest

from dq_pipelines.samples import ExpectedFaults, generate
from dq_pipelines.samples.functions import customer_value

Row = dict[str, Any]
Landing = tuple[Path, ExpectedFaults]
EMAIL = re.compile(r"[^@ ]+@[^@ ]+[.][a-z]{2,}")


@pytest.fixture(scope="module", params=[7, 23])
def landing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Landing:
    folder = tmp_path_factory.mktemp("landing")
    return folder / "retail", generate("retail", folder, seed=request.param)


def products(folder: Path) -> list[Row]:
    book = fastexcel.read_excel(folder / "products.xlsx")
    assert book.sheet_names == ["Drinks", "Bakery", "Dairy", "Household", "Garden"]
    return [row for name in book.sheet_names for row in book.load_sheet(name, dtypes="string").to_polars().to_dicts()]


def sales(folder: Path) -> tuple[list[Row], int]:
    """The lines with as many fields as the header, and how many others there are."""
    rows: list[Row] = []
    others = 0
    for path in sorted(folder.glob("sales/*/*.csv")):
        header, *lines = path.read_text().splitlines()
        names = header.split(";")
        for line in lines:
            # Only the note may hold the delimiter.
            fields = re.sub(r'"[^"]*(?:""[^"]*)*"', lambda quoted: quoted[0].replace(";", ","), line).split(";")
            if len(fields) == len(names):
                rows.append(dict(zip(names, fields, strict=True)))
            else:
                others += 1
    return rows, others


def returns(folder: Path) -> tuple[list[Row], int]:
    lines = [line for path in sorted(folder.glob("returns/*.ndjson")) for line in path.read_text().splitlines()]
    whole = [json.loads(line) for line in lines if line.endswith("}")]
    return whole, len(lines) - len(whole)


def stock(folder: Path) -> list[Row]:
    return [row for path in folder.glob("stock/*.orc") for row in pyarrow.orc.read_table(path).to_pylist()]


def repeated(rows: Iterable[Row], *key: str) -> int:
    counts = Counter(tuple(row[name] for name in key) for row in rows)
    return sum(count for count in counts.values() if count > 1)


def number(text: str) -> Decimal | None:
    return Decimal(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None


def expected(truth: ExpectedFaults, table: str) -> dict[str, int]:
    return {fault.kind: fault.count for fault in truth.faults if fault.table == table}


def test_products(landing: Landing) -> None:
    folder, truth = landing
    rows = products(folder)
    priced = [row for row in rows if number(row["Price"]) is not None]
    assert len(rows) == truth.landed["products"]
    assert expected(truth, "products") == {
        "negative_price": sum(Decimal(row["Price"]) <= 0 for row in priced),
        "price_as_text": len(rows) - len(priced),
        "no_name": sum(row["Name"] is None for row in rows),
        "bad_barcode": sum(re.fullmatch(r"\d{13}", row["Barcode"]) is None for row in rows),
        "sold_below_cost": sum(Decimal(row["Price"]) < Decimal(row["Cost"]) for row in priced),
    }


def test_customers(landing: Landing) -> None:
    folder, truth = landing
    rows = pl.read_parquet(folder / "customers.parquet").to_dicts()
    assert len(rows) == truth.landed["customers"]
    assert expected(truth, "customers") == {
        "bad_email": sum(EMAIL.fullmatch(row["email"]) is None for row in rows),
        "no_name": sum(row["name"] is None for row in rows),
        "shared_id": repeated(rows, "customer_id"),
        "born_after_joining": sum(row["born"] >= row["joined"] for row in rows),
        "unknown_country": sum(row["country"] not in ("AT", "CH", "DE", "DK", "FR", "NL") for row in rows),
    }


def parses(text: str) -> bool:
    try:
        datetime.strptime(text, "%d/%m/%Y %H:%M:%S")  # noqa: DTZ007 - the tills know no zone
    except ValueError:
        return False
    return True


def off(row: Row) -> bool:
    amount = number(row["Amount"])
    return amount is not None and amount != Decimal(row["Unit Price"]) * int(row["Quantity"])


def test_sales(landing: Landing) -> None:
    folder, truth = landing
    rows, others = sales(folder)
    known_products = {row["Product Id"] for row in products(folder)}
    known_customers = set(pl.read_parquet(folder / "customers.parquet")["customer_id"].cast(pl.String))
    wanted = expected(truth, "sales")
    assert len(rows) + others == truth.landed["sales"]
    assert others == wanted.pop("ragged_line") + wanted.pop("torn_line")
    assert wanted == {
        "no_customer": sum(row["Customer"] == "" for row in rows),
        "unknown_customer": sum(row["Customer"] not in known_customers | {""} for row in rows),
        "unknown_product": sum(row["Product"] not in known_products for row in rows),
        "negative_amount": sum((number(row["Amount"]) or 0) < 0 for row in rows),
        "no_quantity": sum(int(row["Quantity"]) < 1 for row in rows),
        "clock_reset": sum("/1970 " in row["Sold At"] for row in rows),
        "wrong_total": sum(map(off, rows)),
        "unknown_payment": sum(row["Payment"] not in ("card", "cash", "voucher", "app") for row in rows),
        "unparsable_date": sum(not parses(row["Sold At"]) for row in rows),
        "unparsable_amount": sum(number(row["Amount"]) is None for row in rows),
        "sent_twice": len(rows) - len({row["Sale Id"] for row in rows}),
        "void_line": sum(row["Status"] == "void" for row in rows),
        "training_till": sum(row["Till"].startswith("TRAINING") for row in rows),
        "bad_email": sum(EMAIL.fullmatch(row["Email"]) is None for row in rows),
        "long_note": sum(len(row["Note"]) > 80 for row in rows),
    }


def test_sales_refer_to_good_rows_only(landing: Landing) -> None:
    folder, _ = landing
    rows, _ = sales(folder)
    bad_products = {
        row["Product Id"] for row in products(folder) if None in row.values() or number(row["Price"]) is None
    }
    people = pl.read_parquet(folder / "customers.parquet")
    bad_customers = set(people.filter(people["customer_id"].is_duplicated() | people["name"].is_null())["customer_id"])
    assert not {row["Product"] for row in rows} & bad_products
    assert not {row["Customer"] for row in rows} & {str(customer) for customer in bad_customers}


def test_good_lines_with_delimiter_and_quotes_are_there(landing: Landing) -> None:
    text = "".join(path.read_text() for path in (landing[0] / "sales").glob("*/*.csv"))
    assert text.count('"gift; wrap it"') > 10
    assert text.count('"said ""no bag"""') > 10


def test_returns(landing: Landing) -> None:
    folder, truth = landing
    rows, torn = returns(folder)
    sold = {int(row["Sale Id"]) for row in sales(folder)[0]}
    assert len(rows) + torn == truth.landed["returns"]
    assert expected(truth, "returns") == {
        "unknown_sale": sum(row["sale_id"] is not None and row["sale_id"] not in sold for row in rows),
        "larger_than_sale": sum(row["amount"] > row["sold_amount"] for row in rows),
        "nothing_refunded": sum(row["amount"] <= 0 for row in rows),
        "no_sale": sum(row["sale_id"] is None for row in rows),
        "shared_id": repeated(rows, "return_id"),
        "unparsable_date": sum(re.fullmatch(r"[\d-]{10}T[\d:]{8}", row["returned_at"]) is None for row in rows),
        "torn_line": torn,
        "unknown_reason": sum(row["reason"] not in ("damaged", "wrong size", "changed mind", "late") for row in rows),
    }


def test_stock(landing: Landing) -> None:
    folder, truth = landing
    rows = stock(folder)
    known = {row["Product Id"] for row in products(folder)}
    assert len(rows) == truth.landed["stock"]
    assert {path.stem for path in folder.glob("stock/*.orc")} == {f"{row['counted_on']}" for row in rows}
    assert expected(truth, "stock") == {
        "negative_stock": sum(row["on_hand"] < 0 for row in rows),
        "unknown_product": sum(row["product_id"] not in known for row in rows),
        "counted_twice": repeated(rows, "store", "product_id", "counted_on"),
        "bad_aisle": sum(re.fullmatch(r"A\d{2}|cellar", row["aisle"]) is None for row in rows),
        "over_capacity": sum(row["on_hand"] > row["capacity"] for row in rows),
    }


def test_customer_value_counts_everyone_once() -> None:
    people = pl.LazyFrame({"customer_id": range(1, 6), "name": list("abcde"), "country": ["DE"] * 5})
    bought = pl.LazyFrame(
        {
            "sale_id": [1, 2, 3, 4, 5],
            "customer_id": [1, 1, 2, 3, None],
            "sold_at": [datetime(2026, 10, day) for day in range(1, 6)],  # noqa: DTZ001
            "amount": [Decimal("10.00"), Decimal("5.50"), Decimal("4.00"), Decimal("1.00"), Decimal("99.00")],
        }
    )
    back = pl.LazyFrame({"sale_id": [2, 2], "amount": [Decimal("1.50"), Decimal("1.00")]})
    value = customer_value(people, bought, back).collect()
    assert value["customer_id"].to_list() == [1, 2, 3, 4, 5]
    assert value["purchases"].to_list() == [2, 1, 1, 0, 0]
    assert value["net_value"].to_list() == [13.0, 4.0, 1.0, 0.0, 0.0]
    assert value["segment"].to_list() == ["top", "upper", "lower", "none", "none"]
