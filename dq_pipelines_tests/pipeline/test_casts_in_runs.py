"""Casts in runs: a value that does not fit refuses its own row, with the value as it landed, and nothing else."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime

import openpyxl
import polars as pl
import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines_tests.workshop import Workshop


def csv(shop: Workshop, columns: str, text: str) -> None:
    shop.table(
        "t", f'{{source: {{type: csv, path: "{{landing}}/*.csv"}}, silver: {{columns: {{id: int64, {columns}}}}}}}'
    )
    shop.land("1.csv", text)


def workbook(*rows: list[str | int]) -> bytes:
    book, file = openpyxl.Workbook(write_only=True), io.BytesIO()
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    book.save(file)
    return file.getvalue()


def test_a_year_has_four_digits_and_is_none_that_no_calendar_has(shop: Workshop) -> None:
    csv(
        shop,
        'd: {type: date, format: "%d/%m/%Y"}, at: timestamp',
        "id,d,at\n1,15/03/2024,2024-03-15\n2,15/03/24,\n3,,24-03-15 10:00:00\n4,,0000-01-01\n5,,10000-01-01\n6,,-0001-01-01\n",
    )
    assert shop.run("t").success
    assert shop.rows("silver/t", "id", "d", "at") == [(1, date(2024, 3, 15), datetime(2024, 3, 15, tzinfo=UTC))]
    assert sorted(value or "" for _, _, value in shop.refused("t")) == sorted(
        ["15/03/24", "24-03-15 10:00:00", "0000-01-01", "10000-01-01", "-0001-01-01"]
    )


def test_ids_of_a_workbook_are_the_text_that_a_csv_has(shop: Workshop) -> None:
    """On day 2 a code is text: the codes of day 1 are still the same keys, also under `strict`."""
    shop.table(
        "t",
        """
        source: {type: excel, path: "{landing}/*.xlsx"}
        silver: {keys: [code], columns: {code: string, day: {type: date, origin: excel}}}
        """,
    )
    shop.land("1.xlsx", workbook(["code", "day"], [1001, 45293], [44201234567, 45294]))
    assert shop.run("t").success
    shop.land("2.xlsx", workbook(["code", "day"], [1001, 45295], ["A7", 60]))
    ran = shop.run("t")
    assert ran.success, ran.failures
    assert shop.rows("silver/t", "code", "day") == [("1001", date(2024, 1, 4)), ("44201234567", date(2024, 1, 3))]
    assert [(rule, column) for rule, column, _ in shop.refused("t")] == [("cast", "day")]


def test_a_number_is_no_date_without_an_option(shop: Workshop) -> None:
    csv(
        shop,
        "a: timestamp, b: {type: timestamp, unit: ms}, c: {type: date, origin: excel_1904}, e: {type: int64, round: half_even}",
        "id,a,b,c,e\n1,,1704189600000,0,2.5\n2,1704189600,,,\n3,,2024-01-02T10:00Z,1904-01-02,x\n4,,2024-01-02T10:00Z,1904-01-02,3\n",
    )
    assert shop.run("t").success
    ten = datetime(2024, 1, 2, 10, tzinfo=UTC)
    assert shop.rows("silver/t", "id", "b", "c", "e") == [(1, ten, date(1904, 1, 1), 2), (4, ten, date(1904, 1, 2), 3)]
    assert shop.refused("t") == [("cast", "a", "1704189600"), ("cast", "e", "x")]


def test_a_date_that_python_has_not_refuses_its_row_alone(shop: Workshop) -> None:
    """Whether or not it is declared: no statistic, preview or sample can be made of the year 57385, or of year 0."""
    file = io.BytesIO()
    days = pl.Series([20_240_102, 3, -719_529], dtype=pl.Int32).cast(pl.Date)
    pl.DataFrame({"id": [1, 2, 3], "d": days}).write_parquet(file)
    for name, columns in (("passing", ""), ("declared", "d: date")):
        shop.table(
            name, f'{{source: {{type: parquet, path: "{{landing}}/*.parquet"}}, silver: {{columns: {{{columns}}}}}}}'
        )
    shop.land("1.parquet", file.getvalue())
    for mode in (None, "rerun"):
        ran = shop.run("passing", "declared", mode=mode)
        assert ran.success, ran.failures
        for name in ("passing", "declared"):
            assert shop.rows(f"silver/{name}", "id") == [2]
            assert shop.refused(name) == [
                ("cast", "d", "-719529 days since 1970-01-01"),
                ("cast", "d", "20240102 days since 1970-01-01"),
            ]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ('{type: timestamp, format: "%Y-%m-%d %H:%M:%S %Z"}', "wanted %z, which reads offsets such as +0200"),
        ('{type: date, format: "%d/%m"}', "wanted year, month and day"),
        ('{type: datetime, format: "%Y-%m-%d %H"}', "wanted minutes (%M) with the hour"),
        ("{type: date, unit: s, origin: excel}", "wanted one of format, unit and origin, got unit and origin"),
        ("{type: boolean, round: down}", "round is for integers, decimals and float32, got type boolean"),
        ("{type: int64, trim: true}", "trim is for string"),
        ("{type: int64, round: up}", "'half_even', 'half_up' or 'down'"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_with_its_place(shop: Workshop, column: str, said: str) -> None:
    csv(shop, f"x: {column}", "id,x\n")
    with pytest.raises(ConfigError) as raised:
        _ = shop.project
    assert said in str(raised.value)
    assert "t.yaml:1: " in str(raised.value)


@pytest.mark.parametrize(
    ("steps", "published", "refused"),
    [
        ("{cast: {a: int64}}", [(1, 10)], [("cast", "a", "x"), ("cast", "a", "1.5")]),
        # The value as the file has it, though the column was cast before and has another name since.
        ("{cast: {a: float64}}, {cast: {a: int64}}, {rename: {a: b}}", [(1, 10)], [("cast", "a", "x"), ("cast", "a", "1.5")]),
        # A filter, a key and a query may forget such a row, and must not.
        ('{cast: {a: int64}}, {filter: "a > 5"}', [(1, 10)], [("cast", "a", "x"), ("cast", "a", "1.5")]),
        ('{sql: "select * from self"}, {cast: {a: int64}}, {sql: "select id, a from self"}', [(1, 10)],
         [("cast", "a", "x"), ("cast", "a", "1.5")]),
        ('{derive: {a: "try_cast(a as int)"}}', [(1, 10), (2, None), (3, None)], []),
    ],
)  # fmt: skip
def test_a_step_that_casts_refuses_the_rows_of_values_that_do_not_fit(
    shop: Workshop, steps: str, published: list[tuple[int, int | None]], refused: list[tuple[str, str, str]]
) -> None:
    source = 'source: {type: csv, path: "{landing}/*.csv"}'
    shop.table("t", f"{source}\nsilver: {{columns: {{id: int64}}, transform: [{steps}]}}\n")
    shop.land("1.csv", "id,a\n1,10\n2,x\n3,1.5\n")
    ran = shop.run("t")
    assert ran.success, ran.failures
    assert shop.rows("silver/t", "id", "b" if "rename" in steps else "a") == published
    assert sorted(shop.refused("t")) == sorted(refused)
    assert ran.checks["silver/t:rows_accounted_for"].passed
