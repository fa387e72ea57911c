"""Generates the retail sample: three stores, a week, five tables in five formats, every fault counted.

This module makes clean rows; `retail_faults` lists the faults. Rows refer only to
products, customers and sales without faults, so that each fault is found once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from dq_pipelines.samples import retail_faults as faults
from dq_pipelines.samples.expected_faults import ExpectedFaults
from dq_pipelines.samples.fault_injection import FAULT, inject_faults
from dq_pipelines.samples.landing import csv_lines, json_lines, orc, parquet, put, text, workbook

STORES = ("harbour", "market", "station")
DAYS = tuple(date(2026, 10, 1) + timedelta(days) for days in range(7))
#: Sheets of the workbook, with the goods on each.
CATEGORIES = {
    "Drinks": ("Apple juice", "Tea", "Coffee", "Mineral water"),
    "Bakery": ("Rye bread", "Croissant", "Seed roll", "Plum cake"),
    "Dairy": ("Butter", "Kefir", "Gouda, aged", "Yoghurt"),
    "Household": ("Soap", "Candle", "Sponge", 'Foil 12"'),
    "Garden": ("Twine", "Watering can", "Tomato seed", "Gloves"),
}
SIZES = ("XS", "S", "M", "L", "XL", "double")
COUNTRIES = ("AT", "CH", "DE", "DK", "FR", "NL")
FORENAMES = ("Ada", "Björn", "Chiara", "Dara", "Emil", "Fatima", "Grete", "Hugo", "Ines", "Jamal")
SURNAMES = ("Arendt", "Brandt", "Costa", "Duarte", "Eriksen", "Fontane", "Große", "Haddad", "Ito", "Jansen")
PAYMENTS = ("card", "cash", "voucher", "app")
REASONS = ("damaged", "wrong size", "changed mind", "late")
#: Notes with the delimiter and with quotes in them are valid.
NOTES = (None, None, None, None, "gift; wrap it", 'said "no bag"', "für später")

Rng = np.random.Generator


def generate(landing: Path, *, seed: int = 7, size: float = 1.0) -> ExpectedFaults:
    """Writes five tables to `<landing>/retail/`; `size` scales customers, sales and returns.

    Raises ConfigError if `size` leaves too few rows for one fault of each kind.
    """
    rng = np.random.default_rng([seed, 2])
    products, product_faults = inject_faults("products", _products(rng), faults.PRODUCTS, rng)
    customers, customer_faults = inject_faults(
        "customers", _customers(rng, max(60, round(300 * size))), faults.CUSTOMERS, rng
    )
    lines = max(20, round(200 * size))
    sales, sale_faults = inject_faults(
        "sales", _sales(rng, lines, _good(products), _good(customers)), faults.SALES, rng
    )
    returns, return_faults = inject_faults("returns", _returns(rng, _good(sales)), faults.RETURNS, rng)
    stock, stock_faults = inject_faults("stock", _stock(rng, _good(products)), faults.STOCK, rng)
    files = {
        "retail/products.xlsx": _workbook(products),
        "retail/customers.parquet": parquet(customers.drop(FAULT)),
        **{f"retail/sales/{store}/{day}.csv": _sales_file(rows)
           for (store, day), rows in sales.partition_by("Store", "_day", as_dict=True).items()},
        **{f"retail/returns/{day}.ndjson": _returns_file(rows)
           for (day,), rows in returns.partition_by("_day", as_dict=True).items()},
        **{f"retail/stock/{day}.orc": orc(rows.drop(FAULT))
           for (day,), rows in stock.partition_by("counted_on", as_dict=True).items()},
    }  # fmt: skip
    landed = {"customers": customers, "products": products, "returns": returns, "sales": sales, "stock": stock}
    return ExpectedFaults(
        "retail",
        {table: frame.height for table, frame in landed.items()},
        customer_faults + product_faults + return_faults + sale_faults + stock_faults,
        written=put(landing, files),
    )


def _good(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col(FAULT).is_null())


def _pick(rng: Rng, values: Sequence[str | None], rows: int) -> pl.Series:
    return pl.Series(values).gather(rng.integers(len(values), size=rows))


def _sample(rng: Rng, frame: pl.DataFrame, rows: int) -> pl.DataFrame:
    return frame[rng.integers(frame.height, size=rows)]


def _money(cents: pl.Expr) -> pl.Expr:
    """Cents as text with two decimals, such as 12.05."""
    return pl.format("{}.{}", cents // 100, (cents % 100).cast(pl.String).str.zfill(2))


def _products(rng: Rng) -> pl.DataFrame:
    kinds = [(category, f"{good} {size}") for category, goods in CATEGORIES.items() for good in goods for size in SIZES]
    rows = len(kinds)
    cents = rng.integers(90, 4_000, size=rows)
    return pl.select(
        pl.format("P{}", pl.int_range(1, rows + 1).cast(pl.String).str.zfill(4)).alias("Product Id"),
        pl.lit(pl.Series([name for _, name in kinds])).alias("Name"),
        pl.lit(pl.Series([category for category, _ in kinds])).alias("Category"),
        _money(pl.lit(pl.Series(cents))).alias("Price"),
        _money(pl.lit(pl.Series(cents * 6 // 10))).alias("Cost"),
        pl.lit(pl.Series(4_000_000_000_000 + rng.integers(10**11, size=rows))).cast(pl.String).alias("Barcode"),
    )


def _workbook(products: pl.DataFrame) -> bytes:
    sheets = {
        str(category): rows.drop(FAULT)
        for (category,), rows in products.partition_by("Category", as_dict=True, maintain_order=True).items()
    }
    return workbook(sheets, numbers=("Price", "Cost"))


def _customers(rng: Rng, rows: int) -> pl.DataFrame:
    born = pl.Series(rng.integers(40 * 365, size=rows))
    joined = pl.Series(rng.integers(5 * 365, size=rows))
    people = pl.select(
        customer_id=pl.int_range(1, rows + 1),
        forename=pl.lit(_pick(rng, FORENAMES, rows)),
        surname=pl.lit(_pick(rng, SURNAMES, rows)),
        country=pl.lit(_pick(rng, COUNTRIES, rows)),
        born=pl.date(1960, 1, 1) + pl.duration(days=pl.lit(born)),
        joined=pl.date(2021, 1, 1) + pl.duration(days=pl.lit(joined)),
    )
    return people.select(
        "customer_id",
        name=pl.format("{} {}", "forename", "surname"),
        email=pl.format("{}.{}@example.org", pl.col("forename").str.head(1).str.to_lowercase(), "customer_id"),
        country="country",
        born="born",
        joined="joined",
    )


def _sales(rng: Rng, lines: int, products: pl.DataFrame, customers: pl.DataFrame) -> pl.DataFrame:
    rows = len(STORES) * len(DAYS) * lines
    product, customer = _sample(rng, products, rows), _sample(rng, customers, rows)
    places = [(store, day) for store in STORES for day in DAYS for _ in range(lines)]
    # Within opening hours; sorted within a store's day, as a till prints its lines.
    seconds = np.sort(rng.integers(8 * 3600, 20 * 3600, size=(rows // lines, lines)), axis=1).ravel()
    sold = pl.DataFrame(
        {
            "_day": pl.Series([day for _, day in places], dtype=pl.Date),
            "_second": seconds,
            "_quantity": rng.integers(1, 6, size=rows),
            "_cents": product["Price"].str.replace(".", "", literal=True).cast(pl.Int64),
        }
    )
    at = pl.col("_day").cast(pl.Datetime) + pl.duration(seconds=pl.col("_second"))
    return sold.select(
        "_day",
        pl.int_range(1_000_001, 1_000_001 + rows).cast(pl.String).alias("Sale Id"),
        at.dt.strftime("%d/%m/%Y %H:%M:%S").alias("Sold At"),
        pl.Series("Store", [store for store, _ in places]),
        pl.Series("Till", [f"T{number}" for number in rng.integers(1, 5, size=rows)]),
        customer["customer_id"].cast(pl.String).alias("Customer"),
        product["Product Id"].alias("Product"),
        pl.col("_quantity").cast(pl.String).alias("Quantity"),
        _money(pl.col("_cents")).alias("Unit Price"),
        _money(pl.col("_cents") * pl.col("_quantity")).alias("Amount"),
        _pick(rng, PAYMENTS, rows).alias("Payment"),
        pl.lit("sold").alias("Status"),
        customer["email"].alias("Email"),
        _pick(rng, NOTES, rows).alias("Note"),
    )


def _sales_file(rows: pl.DataFrame) -> bytes:
    header, *lines = csv_lines(rows.drop("_day", FAULT), separator=";")
    for number, kind in enumerate(rows[FAULT]):
        if kind == "ragged_line":
            lines[number] += ";one;too many"
        elif kind == "torn_line":
            lines[number] = ";".join(lines[number].split(";")[:4])
    return text([header, *lines])


def _returns(rng: Rng, sales: pl.DataFrame) -> pl.DataFrame:
    """One return for about every 33rd sale, one or more days after it, of the whole amount or a half."""
    rows = max(20, sales.height * 3 // 100)
    sold = sales[np.sort(rng.choice(sales.height, size=rows, replace=False))]
    share = pl.lit(pl.Series(rng.choice([0.5, 1.0], size=rows)))
    day = pl.col("_day") + pl.duration(days=pl.lit(pl.Series(rng.integers(1, 4, size=rows))))
    amount = pl.col("Amount").cast(pl.Float64)
    return sold.select(
        day.alias("_day"),
        pl.format("R{}", pl.int_range(1, rows + 1).cast(pl.String).str.zfill(6)).alias("return_id"),
        pl.col("Sale Id").cast(pl.Int64).alias("sale_id"),
        pl.format("{}T18:00:00", day).alias("returned_at"),
        amount.alias("sold_amount"),
        (amount * share).round(2).alias("amount"),
        pl.Series("reason", _pick(rng, REASONS, rows)),
    )


def _returns_file(rows: pl.DataFrame) -> bytes:
    lines = json_lines(rows.drop("_day", FAULT))
    for number, kind in enumerate(rows[FAULT]):
        if kind == "torn_line":
            lines[number] = lines[number][: len(lines[number]) // 2]
    return text(lines)


def _stock(rng: Rng, products: pl.DataFrame) -> pl.DataFrame:
    counted = (
        pl.DataFrame({"counted_on": pl.Series(DAYS, dtype=pl.Date)})
        .join(pl.DataFrame({"store": STORES}), how="cross")
        .join(products.select(product_id="Product Id"), how="cross")
    )
    rows = counted.height
    return counted.with_columns(
        pl.Series("aisle", rng.integers(1, 13, size=rows)).cast(pl.String).str.zfill(2).str.replace("^", "A"),
        pl.Series("on_hand", rng.integers(0, 200, size=rows), dtype=pl.Int32),
        pl.lit(250, dtype=pl.Int32).alias("capacity"),
    )
