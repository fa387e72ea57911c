"""Runs SQL on Polars without integer overflow.

Polars computes in the type of the columns: a sum of int64 wraps beyond 64 bits, `i + 1` of an int32 beyond 32. So SQL that
computes gets integers of 128 bits, and the result is cast to its original type. A number that does not
fit that type is an error, and so is one that does not fit 128 bits (`sql_overflow`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import polars as pl

from dq_pipelines.config.columns import exact

#: SQL tokens and functions whose result can be greater than their arguments.
_OPERATORS = frozenset({"PLUS", "DASH", "STAR"})
_FUNCTIONS = frozenset({"SUM", "ABS", "POW", "POWER"})
#: After these tokens a star means columns, not a product.
_BEFORE_COLUMNS = frozenset({"SELECT", "COMMA", "L_PAREN", "DOT", "DISTINCT"})
_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INT2", "INT4", "INT8", "INT", "INTEGER", "BIGINT"})


def query(frames: Mapping[str, pl.LazyFrame], sql: str, *, narrow: bool = True) -> pl.LazyFrame:
    """The rows that a SELECT returns; raises a PolarsError for a query that does not fit the frames.

    With `narrow=False`, integers may keep 128 bits, and none is too large for its type.
    """
    plain = pl.SQLContext(dict(frames)).execute(sql, eager=False)
    if not _computes(sql):
        return plain
    wanted = plain.collect_schema()
    wide = pl.SQLContext({name: _widened(frame) for name, frame in frames.items()})
    text, columns = _with_wide_casts(sql), _sizes(frames.values())
    safe = _checked(text, columns)
    try:
        result = wide.execute(safe, eager=False)
        result.collect_schema()
    except pl.exceptions.PolarsError as error:
        if safe != text:
            why = "wanted SQL whose integers fit 128 bits, got products that may not: cast a factor to DOUBLE"
            raise pl.exceptions.InvalidOperationError(f"{why} ({error})") from error
        # A function does not support these integers; the query itself is valid.
        return plain
    return _narrowed(result, wanted) if narrow else result


def with_columns(rows: pl.LazyFrame, columns: Mapping[str, str]) -> pl.LazyFrame:
    """The rows with added columns, each a SQL expression over the row."""
    plain = rows.with_columns(pl.sql_expr(text).alias(name) for name, text in columns.items())
    texts = list(columns.values())
    if not any(map(_computes, texts)):
        return plain
    wide = _widened(rows, _roots(texts))
    sizes = _sizes([rows])
    safe = {name: _checked(_with_wide_casts(text), sizes) for name, text in columns.items()}
    result = wide.with_columns(pl.sql_expr(text).alias(name) for name, text in safe.items())
    return _narrowed(result, plain.collect_schema())


def filtered(rows: pl.LazyFrame, condition: str, or_if: pl.Expr | None = None) -> pl.LazyFrame:
    """The rows for which a SQL condition or `or_if` is true."""

    def those(frame: pl.LazyFrame, text: str) -> pl.LazyFrame:
        held = pl.sql_expr(text)
        return frame.filter(held if or_if is None else held | or_if)

    if not _computes(condition):
        return those(rows, condition)
    safe = _checked(_with_wide_casts(condition), _sizes([rows]))
    result = those(_widened(rows, _roots([condition])), safe)
    return _narrowed(result, rows.collect_schema())


def _sizes(frames: Iterable[pl.LazyFrame]) -> dict[str, int | None]:
    """By column, the largest absolute value in any of the frames; None for columns without integers."""
    from dq_pipelines.transforms.sql_overflow import sizes_of

    sizes: dict[str, int | None] = {}
    for frame in frames:
        for name, size in sizes_of(frame.collect_schema()).items():
            sizes[name] = max(size or 0, sizes.get(name) or 0) or None
    return sizes


def _checked(sql: str, sizes: Mapping[str, int | None]) -> str:
    from dq_pipelines.transforms.sql_overflow import checked

    return checked(sql, sizes)


def _roots(texts: Sequence[str]) -> frozenset[str]:
    return frozenset(name for text in texts for name in pl.sql_expr(text).meta.root_names())


def _widened(rows: pl.LazyFrame, names: frozenset[str] | None = None) -> pl.LazyFrame:
    """The rows with integers of 128 bits, in all columns or in the given ones."""
    integers = [
        name
        for name, dtype in rows.collect_schema().items()
        if dtype.is_integer() and (names is None or name in names) and dtype not in (pl.Int128, pl.UInt128)
    ]
    return rows.with_columns(pl.col(exact(name)).cast(pl.Int128) for name in integers) if integers else rows


def _narrowed(rows: pl.LazyFrame, wanted: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """The rows with the wanted integer types; a number that does not fit is an error."""
    schema = rows.collect_schema()
    other = [name for name, dtype in wanted.items() if dtype.is_integer() and schema[name] != dtype]
    return rows.with_columns(pl.col(exact(name)).cast(wanted[name]) for name in other) if other else rows


@lru_cache(maxsize=1024)
def _tokens(sql: str) -> tuple[Any, ...]:
    import sqlglot

    return tuple(sqlglot.tokenize(sql, read="postgres"))


def _computes(sql: str) -> bool:
    """Whether the SQL may compute an integer that does not fit its type; True if that is unknown."""
    from sqlglot.errors import SqlglotError

    try:
        tokens = _tokens(sql)
    except SqlglotError:
        return True
    before = ""
    for token in tokens:
        kind = token.token_type.name
        if kind in _OPERATORS and not (kind == "STAR" and before in _BEFORE_COLUMNS):
            return True
        if token.text.upper() in _FUNCTIONS:
            return True
        before = kind
    return False


def _with_wide_casts(sql: str) -> str:
    """The SQL with casts to integers, `CAST(x AS BIGINT)` and `x::int`, replaced by casts to 128 bits."""
    from sqlglot.errors import SqlglotError

    try:
        tokens = _tokens(sql)
    except SqlglotError:
        return sql
    for place in range(len(tokens) - 1, 0, -1):
        token, before = tokens[place], tokens[place - 1].token_type.name
        closes = place + 1 < len(tokens) and tokens[place + 1].token_type.name == "R_PAREN"
        if token.text.upper() in _INTEGERS and (before == "DCOLON" or (before == "ALIAS" and closes)):
            sql = f"{sql[: token.start]}INT128{sql[token.end + 1 :]}"
    return sql
