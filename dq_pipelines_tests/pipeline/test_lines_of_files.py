"""What becomes of each line of a CSV in a run: rows are accounted for from the file on, and decoration is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from dq_pipelines.sources.csv import Csv
from dq_pipelines_tests.workshop import Workshop

SALES = 'Sales of May\n\nid,note,amount\n#1,plain,1\n--2,"two\nlines",2\nEnd of line chair,x,3\n4,short\n\n5,x,abc\n(5 rows)\n'


@pytest.fixture
def sales(shop: Workshop) -> Workshop:
    shop.table(
        "sales",
        """
        source: {type: csv, path: "{landing}/*.csv"}
        silver:
          columns: {amount: int64}
          rules: [{type: expect_column_values_to_be_between, column: amount, max_value: 2, on_failure: drop}]
        """,
    )
    shop.land("a.csv", SALES)
    return shop


def test_rows_are_accounted_for_from_the_lines_of_the_file(sales: Workshop) -> None:
    """Records in the file = published + refused + dropped; what else stands in it is told with bronze."""
    ran = sales.run("sales")
    assert ran.success
    told = ran.materialized["bronze/sales"]
    lines = {name: told[f"{name}_lines"] for name in ("preamble", "header", "footer", "blank")}
    assert lines == {"preamble": 1, "header": 1, "footer": 1, "blank": 2}
    assert (told["lines_in_files"], told["records_in_files"]) == (SALES.count("\n"), 5)
    assert [file["lines"] for file in told["files"]] == [SALES.count("\n")]
    silver = ran.materialized["silver/sales"]
    assert silver["published"] + silver["refused"] + silver["dropped"] == told["records_in_files"]
    assert sales.rows("silver/sales", "id") == ["#1", "--2"]
    assert ran.checks["silver/sales:rows_accounted_for"].passed
    assert sorted(sales.rows("bronze/sales", "_row")) == [4, 5, 7, 8, 10]


def test_a_reader_that_loses_a_record_lands_nothing(sales: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are counted apart from the reader: where it brings fewer records, the file stands aside."""
    rows: Callable[..., pl.LazyFrame] = Csv._rows

    def losing(*told: Any) -> pl.LazyFrame:
        return rows(*told).filter(pl.col("id") != "--2")

    monkeypatch.setattr(Csv, "_rows", losing)
    ran = sales.run("sales")
    assert "wanted a row for each of the 5 records in it, got 4 rows" in ran.failures["sales"]
    assert sales.rows("bronze/sales") == []
    assert not ran.checks["bronze/sales:inputs_readable"].passed


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("Name,Total\n#1001,10.50\n#1002,3\n", ["#1001", "#1002"]),
        ("Name,Total\n--all,1\n//nas/x,2\nEnd of line,3\n", ["--all", "//nas/x", "End of line"]),
        ("Name\n# x\n-----\n(2 rows)\n", ["# x", "(2 rows)", "-----"]),
    ],
)
def test_records_that_look_like_comments_are_published(shop: Workshop, content: str, names: list[str]) -> None:
    shop.table("t", 'source: {type: csv, path: "{landing}/t.csv"}\nsilver: {}\n')
    shop.land("t.csv", content)
    assert shop.run("t").success
    assert shop.rows("silver/t", "Name") == sorted(names, key=repr)
