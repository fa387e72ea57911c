"""Adds checks to SQL for Polars, so that an overflow of 128-bit integers is an error."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import polars as pl
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

#: The most rows in a Polars frame.
_ROWS = 2**32
_MOST = 2**127 - 1
#: Below 2**127 by more than the rounding error of a Float64 sum over all rows.
_CHECKED = "1.7e38"
#: Bounds stop growing here: such numbers are too large anyway.
_ENDLESS = 2**256
_SUMS = (exp.Sum, exp.Window, exp.Filter)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Paren, exp.Pow, exp.Abs, *_SUMS)
#: Expressions that never give an integer.
_NO_INTEGER = (
    exp.Div, exp.Avg, exp.Sqrt, exp.Cbrt, exp.Ln, exp.Log, exp.Exp, exp.Stddev, exp.StddevPop, exp.StddevSamp,
    exp.Variance, exp.VariancePop, exp.Median, exp.Predicate, exp.Connector, exp.Not, exp.Interval,
)  # fmt: skip
#: Functions that give integers only for integer arguments; other functions may always give some.
_KEEPS_TYPE = (
    exp.Round, exp.Ceil, exp.Floor, exp.Coalesce, exp.Case, exp.If, exp.Least, exp.Greatest, exp.Min, exp.Max,
)  # fmt: skip


def sizes_of(schema: Mapping[str, pl.DataType]) -> dict[str, int | None]:
    """By column, the largest possible absolute value; None for columns without integers."""
    bits: dict[type, int] = {
        pl.Int8: 7,
        pl.UInt8: 8,
        pl.Int16: 15,
        pl.UInt16: 16,
        pl.Int32: 31,
        pl.UInt32: 32,
        pl.Int64: 63,
        pl.UInt64: 64,
    }
    return {name: 2 ** bits.get(type(dtype), 127) if dtype.is_integer() else None for name, dtype in schema.items()}


def checked(sql: str, columns: Mapping[str, int | None]) -> str:
    """The SQL in which an overflow of 128 bits is an error; unchanged if no overflow is possible."""
    return _checked(sql, tuple(columns.items()))


@lru_cache(maxsize=1024)
def _checked(sql: str, columns: tuple[tuple[str, int | None], ...]) -> str:
    try:
        tree = sqlglot.parse_one(sql, read="postgres")
    except SqlglotError:
        return sql
    sizes = _Sizes(dict(columns), tree)
    risky = [node for node in tree.find_all(*_ARITHMETIC) if _outermost(node, sizes) and (sizes.of(node) or 0) > _MOST]
    # The innermost first, since the check of a node contains its checked parts.
    for node in reversed(risky):
        guarded = _guarded(node)
        if node is tree:
            tree = guarded
        else:
            node.replace(guarded)
    return tree.sql(dialect="postgres") if risky else sql


class _Sizes:
    """Computes the largest possible absolute value of a node's integers; None for nodes without integers."""

    def __init__(self, columns: Mapping[str, int | None], tree: exp.Expr) -> None:
        self._columns = columns
        self._names: dict[str, list[exp.Expr]] = {}
        for alias in tree.find_all(exp.Alias):
            self._names.setdefault(alias.alias, []).append(alias.this)
        self._known: dict[str, int | None] = {}

    def of(self, node: Any) -> int | None:
        match node:
            case exp.Column():
                return self._column(node.name)
            case exp.Literal():
                return min(int(node.this), _ENDLESS) if not node.is_string and node.this.isdigit() else None
            case exp.Cast():
                inside = self.of(node.this)
                return (inside or 2**127) if node.to.this in exp.DataType.INTEGER_TYPES else None
            case exp.Add() | exp.Sub() | exp.Mul() | exp.Pow():
                return self._of_two(node)
            case exp.Sum():
                inside = self.of(node.this)
                return None if inside is None else min(inside * _ROWS, _ENDLESS)
            case exp.Window() | exp.Filter() | exp.Neg() | exp.Paren() | exp.Abs():
                return self.of(node.this)
            case exp.Count():
                return _ROWS
        if isinstance(node, _NO_INTEGER):
            return None
        parts = [size for size in map(self.of, node.iter_expressions()) if size is not None]
        given = isinstance(node, exp.Func) and not isinstance(node, _KEEPS_TYPE)
        return max(parts, default=2**63 if given else None)

    def _of_two(self, node: exp.Binary) -> int | None:
        left, right = self.of(node.this), self.of(node.expression)
        if left is None or right is None:
            return None
        if isinstance(node, exp.Pow):
            times = node.expression.unnest()
            known = isinstance(times, exp.Literal) and right < 256
            return min(left**right, _ENDLESS) if known else _ENDLESS
        return min(left * right if isinstance(node, exp.Mul) else left + right, _ENDLESS)

    def _column(self, name: str) -> int | None:
        if name in self._known:
            return self._known[name]
        named = self._names.get(name, [])
        if not named:
            return self._columns.get(name, 2**127)  # a column such as `a` in `WITH t(a) AS (...)`
        # In `SELECT v * v AS v` the factor is the column of the source table.
        self._known[name] = self._columns.get(name) if len(named) == 1 else _ENDLESS
        sizes = [self._columns.get(name), *map(self.of, named)]
        self._known[name] = max((size for size in sizes if size is not None), default=None)
        return self._known[name]


def _outermost(node: exp.Expr, sizes: _Sizes) -> bool:
    """Whether the node is in no other integer arithmetic: its check covers everything within."""
    above = node.parent
    return not isinstance(above, _ARITHMETIC) or sizes.of(above) is None or node.arg_key not in ("this", "expression")


def _guarded(node: exp.Expr) -> exp.Expr:
    """The node plus a zero, whose cast fails if the node does not fit: then it is a text that is no number.

    Polars evaluates a cast for all rows, also in a branch that is not taken, so the cast encloses the branches.
    """
    text = f"{node.sql(dialect='postgres')} does not fit 128 bits: cast a factor to DOUBLE"
    fits = exp.LT(this=_bound(node), expression=exp.Literal.number(_CHECKED))
    zero = exp.Case(ifs=[exp.If(this=exp.Not(this=exp.Paren(this=fits)), true=exp.Literal.string(text))])
    zero.set("default", exp.Literal.string("0"))
    cast = exp.Cast(this=zero, to=exp.DataType.build("INT128"))
    return exp.Paren(this=exp.Add(this=exp.Paren(this=node.copy()), expression=cast))


def _bound(node: exp.Expr) -> exp.Expr:
    """An upper bound, as Float64, of all intermediate results of the node."""
    match node:
        case exp.Add() | exp.Sub():
            return exp.Paren(this=exp.Add(this=_bound(node.this), expression=_bound(node.expression)))
        case exp.Mul():
            return exp.Paren(this=exp.Mul(this=_bound(node.this), expression=_bound(node.expression)))
        case exp.Pow():
            return exp.Pow(this=_bound(node.this), expression=_bound(node.expression))
        case exp.Neg() | exp.Paren() | exp.Abs():
            return _bound(node.this)
        case exp.Sum() | exp.Window() | exp.Filter():
            of_all = node.copy()
            of_all.set("this", _bound(node.this))
            return of_all
        case exp.Distinct():
            return _bound(node.expressions[0])
    return exp.Abs(this=exp.Cast(this=node.copy(), to=exp.DataType.build("DOUBLE")))
