"""Python's rows, pandas frames and Arrow tables as Polars frames, each value as it is or refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import polars as pl

from dq_pipelines.config.stores import error_text
from dq_pipelines.engine.backends.pandas.frames import is_missing, python_of
from dq_pipelines.engine.gold.names import must_be_publishable
from dq_pipelines.errors import RuleError
from dq_pipelines.sources.parquet_types import unreadable_types

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: Types of numbers that Arrow puts together without a loss, or refuses to.
_TOGETHER = ({"int", "float"}, {"int", "Decimal"})


def arrow_from_rows(rows: Iterable[Mapping[str, Any]], place: str) -> pa.Table:
    """Rows as an Arrow table, with the columns of all of them; a row without a column has null there."""
    import pyarrow as pa

    columns: dict[str, list[Any]] = {}
    count = 0
    for count, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise RuleError(f"{place}: wanted a dict for each row, got {type(row).__name__} for row {count}")
        for name in row:
            columns.setdefault(str(name), [None] * (count - 1))
        for name, values in columns.items():
            values.append(row.get(name))
    must_be_publishable(place, list(columns))
    return pa.table({name: _array(name, values, place) for name, values in columns.items()})


def arrow_from_pandas(frame: pd.DataFrame, place: str) -> pa.Table:
    """A pandas frame as an Arrow table: an index that has a name becomes a column, and NaN is null, as pandas has it."""
    import pyarrow as pa

    if frame.columns.nlevels > 1:
        raise RuleError(f"{place}: wanted one name for each column, got columns of {frame.columns.nlevels} levels")
    levels = [level for level, name in enumerate(frame.index.names) if name is not None]
    columns = [
        *((str(frame.index.names[level]), frame.index.get_level_values(level).to_series()) for level in levels),
        *((str(name), frame.iloc[:, at]) for at, name in enumerate(frame.columns)),
    ]
    must_be_publishable(place, [name for name, _ in columns])
    return pa.table({name: _of_series(name, column, place) for name, column in columns})


def _of_series(name: str, column: pd.Series[Any], place: str) -> pa.Array:
    import pyarrow as pa

    if column.dtype == object:
        return _array(name, [None if is_missing(value) else value for value in column], place)
    try:
        return pa.Array.from_pandas(column)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise RuleError(f"{place}: column '{name}' of type {column.dtype}: {error_text(error)}") from None


def _array(name: str, values: Sequence[Any], place: str) -> pa.Array:
    import pyarrow as pa

    plain = [str(value) if isinstance(value, UUID) else python_of(value) for value in values]
    kinds: dict[str, set[str]] = {}
    for value in plain:
        for within, kind in _kinds(name, value):
            kinds.setdefault(within, set()).add(kind)
    for within, types in kinds.items():
        if len(types) > 1 and types not in _TOGETHER:
            raise RuleError(
                f"{place}: wanted values of one type in column '{within}', got {' and '.join(sorted(types))}"
            )
    try:
        return pa.array(plain)
    except OverflowError:
        raise RuleError(
            f"{place}: column '{name}': wanted integers of 64 bits: return them as decimal.Decimal"
        ) from None
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise RuleError(f"{place}: column '{name}': {error_text(error)}") from None


def _kinds(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """The types of a value and of those within it, each with its place."""
    match value:
        case None:
            return
        case Mapping():
            yield place, "dict"
            for name, inner in value.items():
                yield from _kinds(f"{place}.{name}", inner)
        case list() | tuple():
            yield place, "list"
            for inner in value:
                yield from _kinds(f"{place}[]", inner)
        case datetime():
            yield place, "datetime with a zone" if value.tzinfo is not None else "datetime"
        case Decimal():
            yield place, "Decimal"
        case _:
            yield place, type(value).__name__


def frame_from_arrow(data: Any, place: str) -> pl.DataFrame:
    """What gives Arrow data as a Polars frame; raises RuleError for types that Polars reads otherwise, or not at all."""
    import pyarrow as pa

    reader = pa.RecordBatchReader.from_stream(data)
    must_be_publishable(place, reader.schema.names)
    if reason := unreadable_types(reader.schema):
        raise RuleError(f"{place}: {reason}")
    for field in reader.schema:
        if foreign := next(_foreign(field.type), None):
            raise RuleError(
                f"{place}: wanted types that Delta can store, got column '{field.name}' of type {foreign}: cast it to text, say"
            )
    return pl.DataFrame(reader.read_all())


def _foreign(kind: Any) -> Iterator[Any]:
    """The types within one of Arrow's, or itself, that Polars has not."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_map(kind):
        inner = [kind.key_type, kind.item_type]
    elif types.is_dictionary(kind):
        inner = [kind.value_type]
    else:
        inner = [kind.field(at).type for at in range(kind.num_fields)]
    other_decimal = types.is_decimal(kind) and not types.is_decimal128(kind)
    is_extension = isinstance(kind, pa.BaseExtensionType)
    if any(
        (other_decimal, is_extension, types.is_interval(kind), types.is_run_end_encoded(kind), types.is_union(kind))
    ):
        yield kind
    for each in inner:
        yield from _foreign(each)
