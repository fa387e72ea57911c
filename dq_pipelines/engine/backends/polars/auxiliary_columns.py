"""What rules ask beside the scan, answered by Polars: each answer becomes a column of the judged rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import narwhals as nw
import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.engine.backends.polars.texts import Reader
from dq_pipelines.rules.core.auxiliary_queries import (
    AuxiliaryQuery,
    ByGx,
    ByText,
    Determined,
    Exists,
    InOrder,
    Measured,
    Repeats,
    RowSql,
)
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.condition import Condition
from dq_pipelines.transforms import exact_sql

#: Gives the published rows of `<layer>/<table>`, for rules that look into another table.
Lookup = Callable[[str], pl.LazyFrame]

_VALUE = "_value"


def with_answer(
    frame: pl.LazyFrame,
    query: AuxiliaryQuery,
    name: str,
    lookup: Lookup,
    *,
    repeated: pl.LazyFrame | None,
    measured: Any,
) -> pl.LazyFrame:
    """`frame` with the answer to `query` in a column of this name.

    `repeated` are the keys that occur more than once and `measured` what the column measures, None where that
    is not known yet.
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
        case Measured():
            return _with_measured(frame, query, name, measured)
        case ByText():
            return _with_text_read(frame, query, name)
        case ByGx():
            return _with_gx(frame, name, measured)
    raise TypeError(f"{type(query).__name__} is nothing that Polars can find out")


def _with_existence(frame: pl.LazyFrame, query: Exists, name: str, lookup: Lookup) -> pl.LazyFrame:
    dtype = frame.collect_schema().get(query.column)
    if dtype is None:
        return frame
    key = pl.col(exact(query.key)).cast(dtype, strict=False)
    parents = (
        lookup(query.table).select(key.alias(query.column)).drop_nulls().unique().with_columns(pl.lit(True).alias(name))
    )
    joined = frame.join(parents, on=exact(query.column), how="left", maintain_order="left")
    found = pl.col(name).fill_null(False)
    return joined.with_columns(pl.when(pl.col(exact(query.column)).is_not_null()).then(found).alias(name))


def _with_repeats(frame: pl.LazyFrame, query: Repeats, name: str, repeated: pl.LazyFrame | None) -> pl.LazyFrame:
    if repeated is None:
        return frame.with_columns(pl.lit(False).alias(name))
    there = {column: f"{name}_{column}" for column in query.columns}
    keys = repeated.select(
        *(pl.col(exact(column)).alias(key) for column, key in there.items()), pl.lit(True).alias(name)
    )
    schema = frame.collect_schema()
    # The repeated keys hold null for NaN, as rules see it: the rows must be looked up by the same key.
    seen = [
        pl.col(exact(name)).fill_nan(None) if schema[name].is_float() else pl.col(exact(name)) for name in query.columns
    ]
    joined = frame.join(
        keys, left_on=seen, right_on=list(there.values()), how="left", nulls_equal=True, maintain_order="left"
    )
    # Polars keeps a key beside an expression that it was compared with, and none beside a column.
    return joined.with_columns(pl.col(name).fill_null(False)).drop(there.values(), strict=False)


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


def usual_values(frame: pl.LazyFrame, query: Determined) -> pl.LazyFrame:
    """For each that `by` has, in `_key_0` and so on, the usual `_value` of the rows that are alike in it; null where two are."""
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


def _with_usual_values(frame: pl.LazyFrame, query: Determined, name: str, found: pl.DataFrame | None) -> pl.LazyFrame:
    """By a join with the usual values: a window would hold all rows with all columns."""
    known = nw.from_native(frame)
    wanted = _keyed(query, Columns(dict(known.collect_schema())))
    here = {part: f"{name}{part}" for part in wanted}
    frame = known.with_columns(**{here[part]: expr for part, expr in wanted.items()}).to_native()
    usual = f"{name}_usual"
    if found is None:
        joined = frame.with_columns(pl.lit(None, dtype=frame.collect_schema()[here[_VALUE]]).alias(usual))
    else:
        keys = [here[part] for part in wanted if part != _VALUE]
        joined = frame.join(found.lazy().rename({**here, _VALUE: usual}), on=keys, how="left", maintain_order="left")
    there = pl.all_horizontal(pl.col(part).is_not_null() for part in here.values())
    holds = pl.when(there).then((pl.col(here[_VALUE]) == pl.col(usual)).fill_null(False))
    return joined.with_columns(holds.alias(name)).drop(usual, *here.values())


def _with_measured(frame: pl.LazyFrame, query: Measured, name: str, found: Mapping[str, Any] | None) -> pl.LazyFrame:
    known = nw.from_native(frame)
    value = Columns(dict(known.collect_schema()))[query.column]
    if found is None:
        found = dict.fromkeys(query.measures(value))
    measured: pl.LazyFrame = known.with_columns(query.holds(value, found).alias(name)).to_native()
    return measured


def _with_gx(frame: pl.LazyFrame, name: str, answers: Any) -> pl.LazyFrame:
    """GX's own answers, which were asked for of the same rows in the same order."""
    if answers is None:
        return frame.with_columns(pl.lit(None, dtype=pl.Boolean).alias(name))
    found: pl.LazyFrame = answers.alias(name).to_frame().lazy()
    return pl.concat([frame, found], how="horizontal")


def _with_text_read(frame: pl.LazyFrame, query: ByText, name: str) -> pl.LazyFrame:
    """Python's own answer, asked once for each distinct text of a morsel."""
    reader = Reader(query)
    known = nw.from_native(frame)
    value = Columns(dict(known.collect_schema()))[query.column]

    def answers(texts: pl.Series) -> pl.Series:
        distinct = texts.drop_nulls().unique()
        said = pl.Series(reader.answers(distinct.to_list()), dtype=pl.Boolean)
        return texts.replace_strict(distinct, said, default=None, return_dtype=pl.Boolean)

    texts: pl.LazyFrame = known.with_columns(value.text.alias(name)).to_native()
    return texts.with_columns(pl.col(name).map_batches(answers, return_dtype=pl.Boolean, is_elementwise=True))
