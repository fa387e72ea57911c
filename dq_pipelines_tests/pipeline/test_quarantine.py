"""Refused rows: whole, as text, with every reason, and every row accounted for."""

from __future__ import annotations

import polars as pl
import pytest

from dq_pipelines_tests.workshop import Workshop

SALES = """
    source: {type: csv, path: "{landing}/sales/*.csv", delimiter: ";"}
    silver:
      columns:
        id: int64
        sold: {type: date, from: Sold At, format: "%d/%m/%Y"}
        amount: {type: "decimal(8,2)"}
        code: string
      TRANSFORM
      rules:
        - {type: expect_column_values_to_be_between, column: amount, min_value: 0}
        - {type: expect_column_value_lengths_to_equal, column: code, value: 3}
        - type: expect_column_pair_values_a_to_be_greater_than_b
          column_A: amount
          column_B: id
          ignore_row_if: either_value_is_missing
"""
LINES = [
    "id;Sold At;amount;code",
    "1;01/02/2026;10.00;abc",  # 2: good
    "2;31/02/2026;20.00;abc",  # 3: no such day
    "x;01/02/2026;30,00;ab",  # 4: two casts fail, and a rule
    "4;01/02/2026;-1.50;abcd",  # 5: three rules at once
    "5;01/02/2026;7.00;abc;more;fields",  # 6: no record
    '"6";01/02/2026;"7.00";abc',  # 7: good, quoted
    "7;01/02/2026;7.001;abc",  # 8: a third decimal does not fit
]


@pytest.fixture
def sales(shop: Workshop) -> Workshop:
    shop.table("sales", SALES.replace("TRANSFORM", ""))
    shop.land("sales/a.csv", "\n".join(LINES) + "\n")
    return shop


def quarantine(shop: Workshop, table: str = "sales") -> pl.DataFrame:
    return shop.lake.table(f"quarantine/{table}").scan().sort("_row").collect()


def reasons(frame: pl.DataFrame) -> dict[int, list[tuple[str, str | None, str | None]]]:
    return {row["_row"]: [(r["rule"], r["column"], r["value"]) for r in row["_reasons"]] for row in frame.to_dicts()}


def test_its_shape(sales: Workshop) -> None:
    assert sales.run("sales").success
    frame = quarantine(sales)
    assert frame.schema == {
        "id": pl.String,
        "sold": pl.String,
        "amount": pl.String,
        "code": pl.String,
        "_reasons": pl.List(pl.Struct({"rule": pl.String, "column": pl.String, "value": pl.String})),
        "_source": pl.String,
        "_row": pl.Int64,
        "_batch": pl.String,
        "_ingested_at": pl.Datetime("us", "UTC"),
        "_id": pl.String,
        "_status": pl.String,
        "_status_at": pl.Datetime("us", "UTC"),
        "_status_by": pl.String,
        "_into": pl.String,
        "_correction": pl.String,
        "_status_note": pl.String,
    }
    assert set(frame["_source"]) == {str(sales.landing / "sales/a.csv")}
    assert set(frame["_status"]) == {"open"}
    assert frame["_id"].is_unique().all()
    assert frame["_batch"].n_unique() == 1
    assert frame["_ingested_at"].null_count() == 0


def test_every_reason_with_the_raw_text(sales: Workshop) -> None:
    assert sales.run("sales").success
    greater, code = "expect_column_pair_values_a_to_be_greater_than_b", "expect_column_value_lengths_to_equal"
    assert reasons(quarantine(sales)) == {
        3: [("cast", "sold", "31/02/2026")],
        4: [("cast", "id", "x"), ("cast", "amount", "30,00"), (code, "code", "ab")],
        5: [
            ("expect_column_values_to_be_between", "amount", "-1.50"),
            (code, "code", "abcd"),
            (greater, "amount, id", "amount=-1.50, id=4"),
        ],
        6: [("unreadable", None, LINES[5])],
        8: [("cast", "amount", "7.001")],
    }


def test_rows_are_kept_whole_and_raw_where_they_did_not_fit(sales: Workshop) -> None:
    assert sales.run("sales").success
    cells = quarantine(sales).select("_row", "id", "sold", "amount", "code").rows()
    assert cells == [
        (3, "2", "31/02/2026", "20.00", "abc"),
        (4, "x", "2026-02-01", "30,00", "ab"),
        (5, "4", "2026-02-01", "-1.50", "abcd"),
        (6, None, None, None, None),
        (8, "7", "2026-02-01", "7.001", "abc"),
    ]
    assert sales.rows("silver/sales", "id") == [1, 6]


def test_numbers_and_history_say_the_same(sales: Workshop) -> None:
    ran = sales.run("sales")
    silver = ran.materialized["silver/sales"]
    assert [silver[name] for name in ("rows_in", "published", "refused", "dropped")] == [7, 2, 5, 0]
    assert silver["failed_casts"] == {"id": 1, "sold": 1, "amount": 2}
    assert silver["unreadable_lines"] == 1
    # The row of two failed casts waits once.
    assert (silver["open_in_quarantine"], silver["refused"]) == (5, 5)
    assert ran.materialized["quarantine/sales"]["refused"] == 5
    assert ran.number("silver/sales:rows_accounted_for", "element_count") == 7
    verdict = sales.history.latest("silver/sales")
    assert verdict is not None
    assert (verdict.rows_in, verdict.published, verdict.refused, verdict.dropped) == (7, 2, 5, 0)
    misread = {one.check: one.unexpected_count for one in verdict.results if one.rule in ("cast", "unreadable")}
    assert misread == {"id__cast": 1, "sold__cast": 1, "amount__cast": 2, "unreadable": 1}
    assert 0 < silver["quality_score"] < 100


#: A step -> rows (by id) that are published, and how many it dropped.
STEPS = {
    "transform: [{sql: select * from self}]": ([1, 6], 0),
    "transform: [{sql: \"select * from self where code = 'abc'\"}]": ([1, 6], 1),
    'transform: [{filter: "id > 1"}]': ([6], 1),
    'transform: [{derive: {twice: "amount * 2"}}]': ([1, 6], 0),
    'transform: [{python: "dq_pipelines_tests.pipeline.test_quarantine:doubled"}]': ([1, 1, 6, 6], -3),
}


def doubled(rows: pl.LazyFrame) -> pl.LazyFrame:
    """A step that makes two rows of each."""
    return pl.concat([rows, rows])


@pytest.mark.parametrize("step", STEPS)
def test_steps_lose_no_row_unseen(sales: Workshop, step: str) -> None:
    sales.table("sales", SALES.replace("TRANSFORM", step))
    ran = sales.run("sales")
    ids, dropped = STEPS[step]
    assert ran.success
    silver = ran.materialized["silver/sales"]
    assert sales.rows("silver/sales", "id") == ids
    assert silver["dropped"] == dropped
    assert silver["rows_in"] == 7 == silver["published"] + silver["refused"] + silver["dropped"]
    assert ran.checks["silver/sales:rows_accounted_for"].passed
    # What could not be cast is refused with its raw text, whatever a step does with rows.
    assert {("cast", "sold", "31/02/2026"), ("cast", "id", "x")} <= set(sales.refused("sales"))


def test_bronze_holds_every_line(sales: Workshop) -> None:
    assert sales.run("sales").success
    bronze = sales.lake.table("bronze/sales").scan().sort("_row").collect()
    assert bronze["_row"].to_list() == [2, 3, 4, 5, 6, 7, 8]
    assert bronze["amount"].to_list() == ["10.00", "20.00", "30,00", "-1.50", None, "7.00", "7.001"]
    assert bronze["_unreadable"].to_list() == [None] * 4 + [LINES[5]] + [None] * 2
    assert {"_source", "_row", "_batch", "_ingested_at"} <= set(bronze.columns)


def test_a_column_without_a_type_passes_as_it_landed(shop: Workshop) -> None:
    shop.table("raw", 'source: {type: csv, path: "{landing}/raw.csv"}')
    shop.land("raw.csv", "a,b\n001,x\n,y\n")
    assert shop.run("raw").success
    assert shop.rows("silver/raw", "a", "b") == [("001", "x"), (None, "y")]


MISREAD = """
    source: {type: csv, path: "{landing}/sales/*.csv"}
    silver:
      columns: {id: int64, low: int64, high: int64}
      TRANSFORM
      rules:
        - {type: expect_column_values_to_not_be_null, column: LOW}
        - {type: expect_column_values_to_be_between, column: LOW, min_value: 0, on_failure: block}
        - {type: expect_column_pair_values_a_to_be_greater_than_b, column_A: high, column_B: LOW, ignore_row_if: neither}
        - {type: expect_column_values_to_be_unique, column: id}
        - {type: expect_column_values_to_not_be_null, column: high, row_condition: "id > 0", mostly: 0.6}
"""


@pytest.mark.parametrize(("step", "low"), [("", "low"), ("transform: [{rename: {low: least}}]", "least")])
def test_a_cell_that_could_not_be_read_is_no_other_rules_business(shop: Workshop, step: str, low: str) -> None:
    """Its row is refused for the cast; rules on that column pass over the row as over one outside their condition."""
    shop.table("sales", MISREAD.replace("TRANSFORM", step).replace("LOW", low))
    shop.land("sales/a.csv", "id,low,high\n1,1,2\n2,x,2\n3,1,y\n4,,5\n5,3,\n6,9,2\nz,1,2\nz,1,2\n")
    ran = shop.run("sales")
    assert ran.success
    pair = ("expect_column_pair_values_a_to_be_greater_than_b", f"high, {low}")
    assert reasons(quarantine(shop)) == {
        3: [("cast", "low", "x")],
        4: [("cast", "high", "y")],
        5: [("expect_column_values_to_not_be_null", low, None), (*pair, f"high=5, {low}=null")],
        6: [(*pair, f"high=null, {low}=3"), ("expect_column_values_to_not_be_null", "high", None)],
        7: [(*pair, f"high=2, {low}=9")],
        8: [("cast", "id", "z")],
        9: [("cast", "id", "z")],
    }
    not_null = f"silver/sales:{low}__not_null"
    assert [ran.number(not_null, name) for name in ("element_count", "unexpected_count")] == [7, 1]
    assert ran.checks["silver/sales:rows_accounted_for"].passed
