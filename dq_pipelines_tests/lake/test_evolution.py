"""Laws of schema evolution: no value changes, nothing is done twice, and the order of columns never matters."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq_pipelines.lake.schema_evolution import Policy, common, conformed, drift, exactly, likeness

POLICIES: tuple[Policy, ...] = ("strict", "add_columns", "widen", "evolve", "rebuild")


def _integers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


#: A type -> its values.
VALUES: dict[pl.DataType, st.SearchStrategy[Any]] = {
    pl.Int8(): _integers(8),
    pl.Int16(): _integers(16),
    pl.Int32(): _integers(32),
    pl.Int64(): _integers(64),
    pl.Float32(): st.floats(width=32, allow_nan=False),
    pl.Float64(): st.floats(allow_nan=False),
    pl.Decimal(5, 2): st.decimals(-999, 999, places=2),
    pl.Decimal(12, 4): st.decimals(-(10**7), 10**7, places=4),
    pl.Decimal(38, 0): st.integers(-(10**37), 10**37).map(Decimal),
    pl.Boolean(): st.booleans(),
    pl.Date(): st.dates(date(1, 1, 1)),
    pl.Datetime("us"): st.datetimes(),
    pl.String(): st.text(max_size=5),
    pl.List(pl.Int32()): st.lists(_integers(32), max_size=3),
    pl.List(pl.Int64()): st.lists(_integers(64), max_size=3),
}
TYPES = st.sampled_from(list(VALUES))
NAMES = st.sampled_from(["id", "amount", "note", "Note 2", "*", "^x.*$", "a.b", "colour"])
SCHEMAS = st.dictionaries(NAMES, TYPES, min_size=1, max_size=5).map(pl.Schema)


@st.composite
def frames(draw: st.DrawFn, schema: st.SearchStrategy[pl.Schema] = SCHEMAS) -> pl.DataFrame:
    columns = draw(schema)
    height = draw(st.integers(0, 3))
    cells = {
        name: draw(st.lists(st.none() | VALUES[dtype], min_size=height, max_size=height))
        for name, dtype in columns.items()
    }
    return pl.DataFrame([pl.Series("x", values, dtype=columns[name]).alias(name) for name, values in cells.items()])


@given(before=SCHEMAS, after=SCHEMAS, policy=st.sampled_from(POLICIES))
def test_evolving_is_idempotent(before: pl.Schema, after: pl.Schema, policy: Policy) -> None:
    """What was once taken on is no drift when it comes again, but for the columns that did not come."""
    evolved = drift(before, after, policy).schema
    again = drift(evolved, evolved, policy)
    assert again.changes == ()
    assert again.schema == evolved
    coming = drift(evolved, after, policy)
    assert coming.schema == evolved
    assert not coming.rewrites


@given(schema=SCHEMAS, policy=st.sampled_from(POLICIES), random=st.randoms())
def test_order_never_matters(schema: pl.Schema, policy: Policy, random: Any) -> None:
    shuffled = list(schema.items())
    random.shuffle(shuffled)
    found = drift(schema, pl.Schema(shuffled), policy)
    assert found.is_none
    assert found.refused == ()
    assert list(found.schema.items()) == list(schema.items()), "the table's order stays"
    assert bool(found.changes) == (shuffled != list(schema.items()))


@given(before=SCHEMAS, after=SCHEMAS)
def test_each_policy_allows_what_the_one_before_does(before: pl.Schema, after: pl.Schema) -> None:
    refused = [set(drift(before, after, policy).refused) for policy in POLICIES]
    assert all(later <= earlier for earlier, later in pairwise(refused))
    assert not refused[-1]


@given(before=SCHEMAS, after=SCHEMAS)
def test_strict_takes_on_no_change_and_add_columns_no_type(before: pl.Schema, after: pl.Schema) -> None:
    if not drift(before, after, "strict").refused:
        assert drift(before, after, "strict").schema == before
        assert set(before) == set(after)
    if not drift(before, after, "add_columns").refused:
        assert drift(before, after, "add_columns").schema.items() >= before.items()


@given(frame=frames(), after=SCHEMAS)
def test_every_published_value_survives(frame: pl.DataFrame, after: pl.Schema) -> None:
    found = drift(frame.schema, after, "evolve")
    if found.refused:
        return
    new = exactly(frame.lazy(), found.schema).collect()
    assert new.schema == found.schema
    for name, dtype in frame.schema.items():
        assert new[name].null_count() == frame[name].null_count()
        if dtype.is_nested() and found.schema[name] == pl.String:
            assert new[name].str.json_decode(dtype).to_list() == frame[name].to_list()
        elif found.schema[name] == pl.String and dtype == pl.Boolean:
            assert [None if text is None else text == "true" for text in new[name]] == frame[name].to_list()
        elif found.schema[name] == pl.String and dtype == pl.Datetime("us"):
            assert new[name].str.to_datetime(time_unit="us").to_list() == frame[name].to_list()
        elif found.schema[name] == pl.String and dtype == pl.Date:
            assert new[name].str.to_date().to_list() == frame[name].to_list()
        else:
            assert new[name].cast(dtype).to_list() == frame[name].to_list()


@given(one=TYPES, other=TYPES, data=st.data())
def test_a_common_type_holds_every_value_of_both(one: pl.DataType, other: pl.DataType, data: st.DataObject) -> None:
    wide = common(one, other)
    assert wide == common(other, one)
    if wide is None:
        return
    assert common(wide, one) == wide
    for dtype in (one, other):
        values = pl.Series("x", [data.draw(VALUES[dtype])], dtype=dtype)
        there = values.cast(wide)
        assert there.cast(dtype).to_list() == values.to_list()


#: Two types -> the one that holds both, or None.
COMMON = [
    (pl.Int8(), pl.Int64(), pl.Int64()),
    (pl.Int32(), pl.Float64(), pl.Float64()),
    (pl.Int64(), pl.Float64(), None),
    (pl.Int64(), pl.Decimal(10, 2), pl.Decimal(21, 2)),
    (pl.Decimal(12, 2), pl.Decimal(10, 4), pl.Decimal(14, 4)),
    (pl.Decimal(38, 0), pl.Decimal(5, 2), None),
    (pl.Decimal(5, 2), pl.Float64(), None),
    (pl.Float32(), pl.Float64(), pl.Float64()),
    (pl.Date(), pl.Datetime("us"), pl.Datetime("us")),
    (pl.Datetime("us"), pl.Datetime("us", "UTC"), None),
    (pl.String(), pl.Int64(), None),
    (pl.Boolean(), pl.Int8(), None),
    (pl.List(pl.Int8()), pl.List(pl.Int32()), pl.List(pl.Int32())),
]


@pytest.mark.parametrize(("one", "other", "wide"), COMMON)
def test_common_types(one: pl.DataType, other: pl.DataType, wide: pl.DataType | None) -> None:
    assert common(one, other) == common(other, one) == wide


def test_bytes_become_no_text() -> None:
    found = drift(pl.Schema({"x": pl.Binary()}), pl.Schema({"x": pl.String()}), "evolve")
    assert [change.column for change in found.refused] == ["x"]


def test_a_column_without_a_value_is_of_any_type() -> None:
    assert drift(pl.Schema({"x": pl.Int64()}), pl.Schema({"x": pl.Null()}), "strict").changes == ()


# --- new names ------------------------------------------------------------------------------------------


def renamed(before: dict[str, pl.DataType], after: dict[str, pl.DataType], like: str = "") -> dict[str, str | None]:
    found = drift(pl.Schema(before), pl.Schema(after), "add_columns", alike=lambda gone, new: f"{gone}={new}" == like)
    assert found.schema == pl.Schema(before | {name: kind for name, kind in after.items() if name not in before})
    return {change.column: change.now for change in found.changes if change.kind == "renamed"}


TEXT, NUMBER = pl.String(), pl.Int64()


def test_a_new_name_is_told_by_its_likeness_the_likest_first() -> None:
    assert renamed({"customer_id": TEXT, "x": TEXT}, {"CustomerID": TEXT, "customer": TEXT}) == {
        "customer_id": "CustomerID"
    }
    assert renamed({"amount": TEXT}, {"colour": TEXT}) == {}
    assert renamed({"amount": NUMBER}, {"amounts": TEXT}) == {}, "another type is another column"


def test_or_by_its_values() -> None:
    assert renamed({"town": TEXT}, {"place": TEXT}, "town=place") == {"town": "place"}


@given(one=st.text(), other=st.text())
def test_likeness_is_symmetric_enough_to_be_told(one: str, other: str) -> None:
    assert 0 <= likeness(one, other) <= 1
    assert likeness(one, one) in (0.0, 1.0)


def test_rows_that_need_no_change_keep_their_schema_in_one_union_after_another() -> None:
    rows, others = pl.LazyFrame({"a": [1]}), pl.LazyFrame({"a": [2]})
    pl.concat([rows, others]).collect_schema()
    rows.collect_schema()
    same = conformed(rows, {"a": pl.Int64()})
    assert pl.concat([same, others]).collect()["a"].to_list() == [1, 2]
    pl.concat([same, others]).collect_schema()
    assert same.collect_schema() == {"a": pl.Int64()}
