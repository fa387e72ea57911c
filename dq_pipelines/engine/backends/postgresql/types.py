"""Columns of PostgreSQL's types: what rules see of them, how they are read out, and how a Polars column is stored.

Each column is read by an expression under which PostgreSQL means what the other engines mean: text in the order of its
code points whatever the database's collation, `char(n)` without its padding, numeric NaN missing as every NaN is. Types
that no other engine has (uuid, json, enum, inet, …) are their text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from polars import selectors as cs

from dq_pipelines.errors import SourceError

#: Types of PostgreSQL that are read as they are, and what they are in Polars.
_PLAIN: dict[str, pl.DataType] = {
    "bool": pl.Boolean(), "int2": pl.Int16(), "int4": pl.Int32(), "int8": pl.Int64(), "float4": pl.Float32(),
    "float8": pl.Float64(), "date": pl.Date(), "time": pl.Time(), "timestamp": pl.Datetime("us"),
    "timestamptz": pl.Datetime("us", "UTC"), "bytea": pl.Binary(),
}  # fmt: skip
#: What a decimal can have at the most in Polars, whose digits PostgreSQL does not limit.
MOST_DIGITS = 38
#: Where PostgreSQL stores a Polars column, if it is another type than the column's own.
_STORED: dict[Any, tuple[str, pl.DataType]] = {
    pl.Int8: ("int2", pl.Int16()), pl.UInt8: ("int2", pl.Int16()), pl.UInt16: ("int4", pl.Int32()),
    pl.UInt32: ("int8", pl.Int64()), pl.UInt64: ("numeric(38,0)", pl.Decimal(38, 0)),
    pl.Int128: ("numeric(38,0)", pl.Decimal(38, 0)), pl.Categorical: ("text", pl.String()),
    pl.Enum: ("text", pl.String()), pl.String: ("text", pl.String()), pl.Null: ("text", pl.String()),
    pl.Duration: ("int8", pl.Int64()),
}  # fmt: skip
_OWN = {polars.base_type(): (name, polars) for name, polars in _PLAIN.items()}


@dataclass(frozen=True)
class Column:
    """A column of a table as it lies there."""

    name: str
    #: the type's own name in PostgreSQL's catalog, of a domain that of what it is made of
    type: str
    #: what the rules and whoever reads the rows take it for
    polars: pl.DataType

    def read(self, quoted: str) -> str:
        """The SQL that reads it, its name being quoted already."""
        if self.polars == pl.Null:
            return "CAST(NULL AS INT)"  # of some type it must be, and 0 is what stands in for it in a key
        if self.polars.base_type() in (pl.String, pl.Categorical, pl.Enum):
            return f'{quoted if self.type == "text" else f"CAST({quoted} AS TEXT)"} COLLATE "C"'
        return f"NULLIF({quoted}, 'NaN')" if self.type == "numeric" and isinstance(self.polars, pl.Decimal) else quoted


def of_table(name: str, type_: str, precision: int | None, scale: int | None) -> Column:
    """The column of a table, by what the catalog says of it; an array's type begins with `_`.

    A numeric of no declared scale wants the greatest that its values have: they decide its type in Polars.
    """
    if type_ == "numeric":
        digits = min(precision or MOST_DIGITS, MOST_DIGITS)
        return Column(name, type_, pl.Decimal(digits, min(max(scale or 0, 0), digits)))
    if type_.startswith("_") and type_[1:] in _PLAIN:
        return Column(name, type_, pl.List(_PLAIN[type_[1:]]))
    return Column(name, type_, _PLAIN.get(type_, pl.String()))


def stored(rows: pl.DataFrame) -> tuple[list[tuple[str, str]], pl.DataFrame, list[Column]]:
    """How a frame is stored: columns with their types, the rows in those types, and the columns as they are then read.

    Raises SourceError for a type that PostgreSQL has no equal of.
    """
    declared, columns, exprs = [], [], []
    for name, dtype in rows.schema.items():
        type_, kept = _stored(name, dtype)
        if isinstance(dtype, pl.Datetime | pl.Duration):
            exprs.append(_in_microseconds(rows, name, dtype).cast(kept))
        else:
            exprs.append(pl.col(name).cast(kept))
        declared.append((name, type_))
        columns.append(Column(name, type_.split("(")[0], dtype))
    return declared, rows.select(exprs), columns


def _stored(name: str, dtype: pl.DataType) -> tuple[str, pl.DataType]:
    if isinstance(dtype, pl.Decimal):
        return f"numeric({dtype.precision},{dtype.scale})", dtype
    if isinstance(dtype, pl.Datetime):
        return (
            ("timestamp", pl.Datetime("us")) if dtype.time_zone is None else ("timestamptz", pl.Datetime("us", "UTC"))
        )
    if isinstance(dtype, pl.List):
        type_, inner = _stored(name, dtype.inner)  # type: ignore[arg-type] # a class or an instance of it
        return f"{type_}[]", pl.List(inner)
    storage = _STORED.get(dtype.base_type()) or _OWN.get(dtype.base_type())
    if storage is None:
        raise SourceError(
            f"column '{name}' is {dtype}: PostgreSQL has no such type; leave it out, or judge with Polars"
        )
    return storage


def _in_microseconds(rows: pl.DataFrame, name: str, dtype: pl.Datetime | pl.Duration) -> pl.Expr:
    column = pl.col(name)
    if dtype.time_unit == "ns" and rows.select((column.to_physical() % 1000 != 0).any()).item():
        raise SourceError(f"column '{name}' has nanoseconds: PostgreSQL keeps microseconds and would round them")
    return column.dt.cast_time_unit("us")


def as_polars(arrow: Any, dtypes: Sequence[tuple[str, pl.DataType]]) -> pl.DataFrame:
    """The rows of an Arrow table, in the wanted types.

    Raises SourceError for a value that no other engine holds: an infinite date, or a number of too many digits.
    """
    import pyarrow as pa

    plain = [
        column.cast(column.type.storage_type) if isinstance(column.type, pa.BaseExtensionType) else column
        for column in arrow.columns
    ]
    rows = pl.DataFrame(pa.table(plain, names=[name for name, _ in dtypes]))
    _refuse_infinite(rows)
    read = rows.select(_read(pl.col(name), rows.schema[name], dtype).alias(name) for name, dtype in dtypes)
    for name, dtype in dtypes:
        if isinstance(dtype, pl.Decimal) and read[name].null_count() > rows[name].null_count():
            raise SourceError(f"column '{name}' has a number that a decimal of {dtype.precision} digits cannot hold")
    return read


def _read(column: pl.Expr, given: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    if isinstance(wanted, pl.Duration) and given.is_integer():
        return pl.duration(microseconds=column).cast(wanted)
    if given == pl.String and wanted.is_integer():
        return column.cast(pl.Decimal(MOST_DIGITS, 0), strict=False).cast(wanted)
    return column.cast(wanted, strict=not isinstance(wanted, pl.Decimal))


def _refuse_infinite(rows: pl.DataFrame) -> None:
    """PostgreSQL's `infinity` comes as a date too far away for Python and for most others."""
    far = [
        pl.col(name).to_physical().abs().max().alias(name) for name in rows.select(cs.date() | cs.datetime()).columns
    ]
    most = rows.select(far).row(0) if far else ()
    for expr, value in zip(far, most, strict=True):
        name = expr.meta.output_name()
        limit = 2_000_000_000 if rows.schema[name] == pl.Date else 9_000_000_000_000_000_000
        if value is not None and value > limit:
            raise SourceError(f"column '{name}' holds 'infinity': no other engine has such a date")
