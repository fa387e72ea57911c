"""How the rows of a batch fit the table: a function of frames and schemas, without a lake."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from dq_pipelines.errors import RuleError
from dq_pipelines.lake.schema_evolution import Policy
from dq_pipelines.lake.tables import LakeTable
from dq_pipelines.pipeline.bronze.batch import SYSTEM_COLUMNS, UNREADABLE
from dq_pipelines.pipeline.preparation.batch_schema import FittedBatch, LandedColumns, TableColumns, fit_batch
from dq_pipelines.pipeline.preparation.passthrough import landed_again
from dq_pipelines.project.tables import Silver

PUBLISHED = pl.Schema({"id": pl.Int64(), "amount": pl.Float64()})
STORE = LakeTable("silver/orders", "/nowhere", kind="delta")
COLUMNS = {"id": "int64", "amount": "float64"}


def rows(unreadable: str | None = None, **columns: Any) -> pl.LazyFrame:
    """One bronze row with these landed columns."""
    system = dict.fromkeys(SYSTEM_COLUMNS, "1") | {UNREADABLE: unreadable}
    schema = {name: pl.String() for name in (*system, *columns)}
    return pl.LazyFrame([{**columns, **system}], schema)


def table(
    published: pl.Schema | None = PUBLISHED, policy: Policy = "add_columns", bronze: Any = None, **model: Any
) -> TableColumns:
    return TableColumns(
        Silver.model_validate({"columns": COLUMNS, **model}), pl.Schema(bronze or {}), published, policy, STORE
    )


def fit(table: TableColumns, *frames: pl.LazyFrame, carried: bool = False) -> FittedBatch:
    return fit_batch(frames, [frozenset(frame.collect_schema()) for frame in frames], table, carried=carried)


def published(fitted: FittedBatch) -> list[tuple[Any, ...]]:
    return fitted.prepared.rows.select(fitted.columns).collect().rows()


def kinds(fitted: FittedBatch) -> list[tuple[str, str]]:
    assert fitted.drift is not None
    return [(change.column, change.kind) for change in fitted.drift.changes]


def test_rows_are_typed_and_have_the_tables_columns() -> None:
    fitted = fit(table(), rows(id="1", amount="2.5"))
    assert (fitted.columns, published(fitted), kinds(fitted)) == (("id", "amount"), [(1, 2.5)], [])


def test_before_the_table_is_made_there_is_nothing_to_differ_from() -> None:
    fitted = fit(table(published=None), rows(id="1", amount="2.5", note="x"))
    assert (fitted.drift, fitted.columns) == (None, ("id", "amount", "note"))


def test_a_part_of_a_rerun_is_not_compared_by_itself() -> None:
    assert fit(table(published=None, policy="rebuild"), rows(id="1", amount="2.5")).drift is None


def test_new_columns_are_taken_on_behind_those_of_the_table() -> None:
    fitted = fit(table(), rows(note="x", id="1", amount="2.5"))
    assert (fitted.columns, kinds(fitted)) == (("id", "amount", "note"), [("note", "new")])
    assert published(fitted) == [(1, 2.5, "x")]


def test_what_the_policy_refuses_leaves_the_rows_as_they_are() -> None:
    fitted = fit(table(policy="strict"), rows(note="x", id="1", amount="2.5"))
    assert fitted.drift is not None
    assert [change.column for change in fitted.drift.refused] == ["note"]
    assert fitted.columns == ("note", "id", "amount")


def test_a_declared_column_that_did_not_land_is_null_where_the_table_has_it() -> None:
    fitted = fit(table(bronze={"id": pl.String(), "amount": pl.String()}), rows(id="1"))
    assert (published(fitted), kinds(fitted)) == ([(1, None)], [("amount", "missing")])


def test_a_declared_column_that_never_landed_is_an_error() -> None:
    with pytest.raises(RuleError, match="amount"):
        fit(table(published=None), rows(id="1"))


def test_a_column_that_some_batches_lack_is_missing() -> None:
    fitted = fit(table(), rows(id="1"), rows(id="2", amount="2.5"))
    assert sorted(published(fitted)) == [(1, None), (2, 2.5)]
    assert kinds(fitted) == [("amount", "missing")]


def test_columns_that_other_batches_have_brought_are_left_out() -> None:
    # As a table, bronze shows every column in every row.
    waiting = rows(id="1", amount="2.5", other="x")
    fitted = fit_batch([waiting], [frozenset({"id", "amount"})], table())
    assert fitted.columns == ("id", "amount")
    assert "other" not in fitted.bronze.collect_schema()


def test_lines_that_nobody_could_read_are_no_rows_and_stay_in_bronze() -> None:
    fitted = fit(table(), rows(id="1", amount="2.5"), rows("1;;;", id=None, amount=None))
    assert published(fitted) == [(1, 2.5)]
    assert fitted.bronze.collect().height == 2


def test_landed_cells_travel_along_where_they_are_to_be_written_to_bronze() -> None:
    fitted = fit(table(), rows(id="1", amount="two"), carried=True)
    assert (fitted.columns, published(fitted)) == (("id", "amount"), [(1, None)])
    assert landed_again(fitted.prepared.rows).select("id", "amount").collect().rows() == [("1", "two")]


def test_the_fit_is_the_same_each_time_and_changes_nothing() -> None:
    before, landing = table(), rows(note="x", id="1", amount="2.5")
    assert published(fit(before, landing)) == published(fit(before, landing))
    assert before == table()


def test_landed_columns_are_those_of_any_batch_and_partly_those_not_of_all() -> None:
    landed = LandedColumns.of(rows(a="1", b="2", c="3"), [frozenset("ab"), frozenset("b")])
    assert list(landed.columns) == ["a", "b"]
    assert landed.partly == {"a"}
