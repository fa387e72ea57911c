"""What a profile says of columns is what is in them, however they are read and however many rows there are."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from dq_pipelines.monitoring.profile import profile, scan
from dq_pipelines.monitoring.profile.shapes import parts, runs_of, shape_of
from dq_pipelines.transforms.casting import typed
from dq_pipelines.transforms.options import CastOptions
from dq_pipelines.transforms.types import dtype_of


def of(**columns: list[Any]) -> Any:
    return profile(pl.LazyFrame(columns))


def test_counts_bounds_and_moments_are_those_of_the_rows() -> None:
    column = of(x=[3.0, None, 1.0, float("nan"), 2.0, 2.0])["x"]
    assert (column.rows, column.nulls, column.distinct, column.count) == (6, 2, 3, 4)
    assert (column.least, column.greatest, column.mean) == (1.0, 3.0, 2.0)
    assert column.standard_deviation == pytest.approx((2 / 3) ** 0.5)
    assert column.values.rows() == [(2.0, 2), (1.0, 1), (3.0, 1)]
    assert column.quantiles["p50"] == 2.0


@pytest.mark.parametrize(
    ("texts", "kind", "type_", "form"),
    [
        (["1", "-20", " 3"], "integer", "int64", None),
        (["1", "2", "2.5"], "float", "float64", None),
        (["1.50", "20.00", "3.25"], "decimal", "decimal(12,2)", None),
        (["01234", "00017", "99999"], "text", "string", None),
        (["yes", "no", "no"], "boolean", "boolean", None),
        (["2026-01-02", "2025-12-31"], "date", "date", None),
        (["20260102", "20251231"], "date", "date", "%Y%m%d"),
        (["02/01/2026", "31/12/2025"], "date", "date", "%d/%m/%Y"),
        (["01/02/2026", "12/31/2025"], "date", "date", "%m/%d/%Y"),
        (["2026-01-02 03:04:05", "2025-12-31 23:59:59"], "datetime", "datetime", None),
        (["2026-01-02T03:04:05Z", "2025-12-31T23:59:59+01:00"], "datetime", "timestamp", None),
        (["31/12/2025 10:00:00", "01/02/2026 11:30:00"], "datetime", "datetime", "%d/%m/%Y %H:%M:%S"),
        (["red", "green", "7"], "text", "string", None),
        (["1.2.3", "4.5.6"], "text", "string", None),
    ],
)
def test_text_is_read_as_what_silver_can_read_it_as(texts: list[str], kind: str, type_: str, form: str | None) -> None:
    column = of(x=texts * 10)["x"]
    assert (column.inferred_type.kind, column.inferred_type.type, column.inferred_type.format) == (kind, type_, form)
    cast = pl.Series(texts).to_frame("x").select(typed(pl.col("x"), pl.String(), dtype_of(type_), CastOptions(form)))
    assert cast.to_series().null_count() == 0
    assert (column.inferred_type.fits, column.inferred_type.marked) == (10 * len(texts), 0)


def test_a_day_that_may_be_a_month_is_told() -> None:
    reading = of(x=["01/02/2026", "03/04/2026", "05/06/2026"])["x"].inferred_type
    assert (reading.format, reading.or_format) == ("%d/%m/%Y", "%m/%d/%Y")


def test_words_for_nothing_are_counted_and_no_bar_to_a_type() -> None:
    column = of(x=["1", "N/A", "-", "2", "NaN", "x", None] * 5)["x"]
    assert (column.inferred_type.kind, column.inferred_type.fits, column.inferred_type.marked, column.nulls) == (
        "integer",
        10,
        20,
        5,
    )
    assert (column.least, column.greatest) == (1, 2)
    name = of(x=["Ng", "NA", "-", "N/A", "Ono"] * 5)["x"]  # a name, a dash that may be meant, and one that says nothing
    assert (name.inferred_type.kind, name.inferred_type.marked) == ("text", 5)


def test_a_few_values_that_do_not_fit_are_counted() -> None:
    column = of(x=[str(number) for number in range(95)] + ["1o", "2o", "l3", "4!", "5 "])["x"]
    assert (column.inferred_type.kind, column.inferred_type.fits) == ("integer", 96)


def test_typed_columns_are_what_they_are() -> None:
    found = profile(
        pl.LazyFrame(
            {
                "d": [date(2026, 1, 1), date(2026, 1, 3)],
                "t": [datetime(2026, 1, 1, 1, tzinfo=UTC)] * 2,
                "l": [[1], [2]],
                "n": [None] * 2,
            }
        )
    )
    assert [column.inferred_type.kind for column in found] == ["date", "datetime", "other", "other"]
    assert (found["d"].least, found["d"].greatest) == (date(2026, 1, 1), date(2026, 1, 3))
    assert found["n"].nulls == 2


def test_columns_of_the_landing_are_left_out() -> None:
    assert [column.name for column in of(x=[1], _row=[1])] == ["x"]


def test_of_many_rows_the_counts_are_exact_and_the_structure_is_that_of_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "SAMPLE", 1_000)
    count = 19_000  # of which every twentieth is an even one
    rows = pl.LazyFrame({"id": range(count), "half": [n % 2 for n in range(count)], "gap": [None, 1] * (count // 2)})
    found = profile(rows)
    assert (found.rows, found.is_whole) == (count, False)
    assert 700 < found.sample.height < 1_300
    assert (found["gap"].nulls, found["id"].least, found["id"].greatest) == (count // 2, 0, count - 1)
    assert found["id"].distinct == pytest.approx(count, rel=0.05)
    assert found["half"].distinct == 2
    # Chosen by a hash of their place: every twentieth row would never meet the other half.
    assert 0.4 < found["half"].values["count"][0] / found.sample.height < 0.6


def test_no_rows_are_a_profile_too() -> None:
    found = profile(pl.LazyFrame(schema={"x": pl.String, "y": pl.Int64}))
    assert (found.rows, found["x"].null_share, found["y"].least) == (0, 0.0, None)


def test_shapes() -> None:
    texts = pl.DataFrame({"x": ["12.0 oz", "Ærø-7", "日本", "٣"]})
    assert texts.select(shape_of(pl.col("x")))["x"].to_list() == ["99.9 aa", "Aaa-9", "aa", "9"]
    assert texts.select(runs_of(shape_of(pl.col("x"))))["x"].to_list() == ["9.9 a", "Aa-9", "a", "9"]
    assert parts("99.9 aa") == ["99", ".", "9", " ", "aa"]
