"""Auxiliary queries of rules, answered by Polars: each answer becomes a column of the judged rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import narwhals as nw
import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.engine.backends.base import Lookup
from dq_pipelines.engine.backends.polars.texts import TextReader
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.plan import ScanPlan
from dq_pipelines.rules.core.auxiliary_queries import (
    AuxiliaryQuery,
    ByGx,
    ByText,
    Determined,
    Exists,
    InOrder,
    LimitsFromColumn,
    Repeats,
    RowSql,
)
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.condition import Condition
from dq_pipelines.transforms import exact_sql

_VALUE = "_value"


def with_answer(
    frame: pl.LazyFrame,
    query: AuxiliaryQuery,
    name: str,
    lookup: Lookup,
    *,
    repeated: pl.LazyFrame | None = None,
    measured: Any = None,
) -> pl.LazyFrame:
    """`frame` with the answer to `query` in a column of this name.

    `repeated` are the keys that occur more than once, `measured` is the answer of `measured_answers` or of Great
    Expectations; None where that is not known yet.
    """
    match query:
        case RowSql(sql=sql):
            return exact_sql.with_columns(frame, {name: sql})
        case Exists():
            return _with_existence(frame, query, name, lookup)
        case Repeats():
            return _with_repeats(frame, query, name, repeated)
        case InOrder():
            return _with_order(frame, query, name)
        case Determined():
            return _with_usual_values(frame, query, name, measured)
        case LimitsFromColumn():
            return _with_measured(frame, query, name, measured)
        case ByText():
            return _with_text_read(frame, query, name)
        case ByGx():
            return _with_gx(frame, name, measured)
    raise TypeError(f"{type(query).__name__} is no query that Polars answers")


def _with_existence(frame: pl.LazyFrame, query: Exists, name: str, lookup: Lookup) -> pl.LazyFrame:
    dtype = frame.collect_schema().get(query.column)
    if dtype is None:
        return frame
    key = pl.col(exact(query.key)).cast(dtype, strict=False)
    parents = (
        lookup(query.table).select(key.alias(query.column)).drop_nulls().unique().with_columns(pl.lit(True).alias(name))
    )
    joined = frame.join(parents, on=exact(query.column), how="left", maintain_order="left")
    exists = pl.col(name).fill_null(False)
    return joined.with_columns(pl.when(pl.col(exact(query.column)).is_not_null()).then(exists).alias(name))


def _with_repeats(frame: pl.LazyFrame, query: Repeats, name: str, repeated: pl.LazyFrame | None) -> pl.LazyFrame:
    if repeated is None:
        return frame.with_columns(pl.lit(False).alias(name))
    key_names = {column: f"{name}_{column}" for column in query.columns}
    keys = repeated.select(
        *(pl.col(exact(column)).alias(key) for column, key in key_names.items()), pl.lit(True).alias(name)
    )
    schema = frame.collect_schema()
    # The repeated keys hold null for NaN, as rules see it: the rows must be looked up by the same key.
    seen = [
        pl.col(exact(name)).fill_nan(None) if schema[name].is_float() else pl.col(exact(name)) for name in query.columns
    ]
    joined = frame.join(
        keys, left_on=seen, right_on=list(key_names.values()), how="left", nulls_equal=True, maintain_order="left"
    )
    # Polars keeps a key that it has compared with an expression, and none that it has compared with a column.
    return joined.with_columns(pl.col(name).fill_null(False)).drop(key_names.values(), strict=False)


def _with_order(frame: pl.LazyFrame, query: InOrder, name: str) -> pl.LazyFrame:
    known = nw.from_native(frame)
    columns = Columns(dict(known.collect_schema()))
    value = columns[query.column].ordered
    if query.row_condition is not None:
        value = nw.when(Condition.parse(query.row_condition).expr(columns)).then(value)
    compared: pl.LazyFrame = known.with_columns(value.alias(name)).to_native()
    here, before = pl.col(name), pl.col(name).forward_fill().shift(1)
    ahead, behind = (before, here) if query.descending else (here, before)
    holds = ahead > behind if query.strictly else ahead >= behind
    return compared.with_columns(pl.when(here.is_not_null()).then(holds.fill_null(True)).alias(name))


def measured_answers(frame: pl.LazyFrame, plan: ScanPlan) -> dict[LimitsFromColumn | Determined, Any]:
    """What the plan's rules must know of whole columns before the scan, by the query: one pass over these columns.

    Numbers by their name for `LimitsFromColumn`; for `Determined` the frame of the usual values.
    """
    columns = Columns(plan.schema)
    queries = [query for query in plan.auxiliary_queries if isinstance(query, LimitsFromColumn | Determined)]
    if not queries:
        return {}
    frames = [
        _usual_values(frame, query) if isinstance(query, Determined) else _measures(frame, query, columns)
        for query in queries
    ]
    answers = zip(queries, collect_all(frames), strict=True)
    return {query: rows if isinstance(query, Determined) else rows.row(0, named=True) for query, rows in answers}


def _measures(frame: pl.LazyFrame, query: LimitsFromColumn, columns: Columns) -> pl.LazyFrame:
    value = columns[query.column]
    if query.row_condition is not None:
        condition = Condition.parse(query.row_condition).expr(columns)
        value = replace(value, expr=nw.when(condition).then(value.expr))
    measures: pl.LazyFrame = nw.from_native(frame).select(**query.measures(value)).to_native()
    return measures


def _usual_values(frame: pl.LazyFrame, query: Determined) -> pl.LazyFrame:
    """By the values of `by`, in `_key_0` and so on, the usual `_value` of the rows that have them; null where two are usual."""
    known = nw.from_native(frame)
    columns = Columns(dict(known.collect_schema()))
    judged = known if query.row_condition is None else known.filter(Condition.parse(query.row_condition).expr(columns))
    pairs: pl.LazyFrame = judged.select(**_keyed(query, columns)).to_native()
    keys = [name for name in _keyed(query, columns) if name != _VALUE]
    counted = pairs.drop_nulls().group_by(*keys, _VALUE).len()
    most = pl.col(_VALUE).filter(pl.col("len") == pl.col("len").max())
    return counted.group_by(keys).agg(pl.when(most.len() == 1).then(most.first()).alias(_VALUE))


def _keyed(query: Determined, columns: Columns) -> dict[str, nw.Expr]:
    keys = {f"_key_{place}": columns[column].expr for place, column in enumerate(query.by)}
    return {**keys, _VALUE: columns[query.column].expr}


def _with_usual_values(frame: pl.LazyFrame, query: Determined, name: str, values: pl.DataFrame | None) -> pl.LazyFrame:
    """By a join with the usual values: a window would hold all rows with all columns."""
    known = nw.from_native(frame)
    wanted = _keyed(query, Columns(dict(known.collect_schema())))
    here = {part: f"{name}{part}" for part in wanted}
    frame = known.with_columns(**{here[part]: expr for part, expr in wanted.items()}).to_native()
    usual = f"{name}_usual"
    if values is None:
        joined = frame.with_columns(pl.lit(None, dtype=frame.collect_schema()[here[_VALUE]]).alias(usual))
    else:
        keys = [here[part] for part in wanted if part != _VALUE]
        joined = frame.join(values.lazy().rename({**here, _VALUE: usual}), on=keys, how="left", maintain_order="left")
    all_present = pl.all_horizontal(pl.col(part).is_not_null() for part in here.values())
    holds = pl.when(all_present).then((pl.col(here[_VALUE]) == pl.col(usual)).fill_null(False))
    return joined.with_columns(holds.alias(name)).drop(usual, *here.values())


def _with_measured(
    frame: pl.LazyFrame, query: LimitsFromColumn, name: str, measures: Mapping[str, Any] | None
) -> pl.LazyFrame:
    known = nw.from_native(frame)
    value = Columns(dict(known.collect_schema()))[query.column]
    if measures is None:
        measures = dict.fromkeys(query.measures(value))
    answered: pl.LazyFrame = known.with_columns(query.holds(value, measures).alias(name)).to_native()
    return answered


def _with_gx(frame: pl.LazyFrame, name: str, answers: Any) -> pl.LazyFrame:
    """The answers of Great Expectations over the same rows in the same order."""
    if answers is None:
        return frame.with_columns(pl.lit(None, dtype=pl.Boolean).alias(name))
    column: pl.LazyFrame = answers.alias(name).to_frame().lazy()
    return pl.concat([frame, column], how="horizontal")


def _with_text_read(frame: pl.LazyFrame, query: ByText, name: str) -> pl.LazyFrame:
    """Python's own answer, computed once for each distinct text of a morsel."""
    reader = TextReader(query)
    known = nw.from_native(frame)
    value = Columns(dict(known.collect_schema()))[query.column]

    def answers(texts: pl.Series) -> pl.Series:
        distinct = texts.drop_nulls().unique()
        holds = pl.Series(reader.answers(distinct.to_list()), dtype=pl.Boolean)
        return texts.replace_strict(distinct, holds, default=None, return_dtype=pl.Boolean)

    texts: pl.LazyFrame = known.with_columns(value.text.alias(name)).to_native()
    return texts.with_columns(pl.col(name).map_batches(answers, return_dtype=pl.Boolean, is_elementwise=True))
