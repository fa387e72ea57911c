"""Checks in SQL on Polars that no integer of 128 bits wraps. Which SQL is given such integers belongs in `exact_sql`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import polars as pl
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

#: Polars has at most so many rows in a frame.
_ROWS = 2**32
_MOST = 2**127 - 1
#: Less than 2**127 by more than Float64 rounds in a sum of all rows.
_CHECKED = "1.7e38"
#: Numbers from here on are all the same: too great.
_ENDLESS = 2**256
_SUMS = (exp.Sum, exp.Window, exp.Filter)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Paren, exp.Pow, exp.Abs, *_SUMS)
#: What gives no integer, of whatever it is given.
_NO_INTEGER = (
    exp.Div, exp.Avg, exp.Sqrt, exp.Cbrt, exp.Ln, exp.Log, exp.Exp, exp.Stddev, exp.StddevPop, exp.StddevSamp,
    exp.Variance, exp.VariancePop, exp.Median, exp.Predicate, exp.Connector, exp.Not, exp.Interval,
)  # fmt: skip
#: What gives integers where it is given some; other functions may, of whatever they are given.
_OF_WHAT_IS_GIVEN = (
    exp.Round, exp.Ceil, exp.Floor, exp.Coalesce, exp.Case, exp.If, exp.Least, exp.Greatest, exp.Min, exp.Max,
)  # fmt: skip


def sizes_of(schema: Mapping[str, pl.DataType]) -> dict[str, int | None]:
    """By column, the greatest size that a number may have; None for a column that holds no integers."""
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
    """The SQL, in which a number that may pass 128 bits is an error where it does; the same text where none may."""
    return _checked(sql, tuple(columns.items()))


@lru_cache(maxsize=1024)
def _checked(sql: str, columns: tuple[tuple[str, int | None], ...]) -> str:
    try:
        tree = sqlglot.parse_one(sql, read="postgres")
    except SqlglotError:
        return sql
    sizes = _Sizes(dict(columns), tree)
    risky = [node for node in tree.find_all(*_ARITHMETIC) if _outermost(node, sizes) and (sizes.of(node) or 0) > _MOST]
    # The innermost first: what a node is checked by is made of nodes that are checked.
    for node in reversed(risky):
        guarded = _guarded(node)
        if node is tree:
            tree = guarded
        else:
            node.replace(guarded)
    return tree.sql(dialect="postgres") if risky else sql


class _Sizes:
    """The greatest size that an integer of a node may have; None where it gives none."""

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
        given = isinstance(node, exp.Func) and not isinstance(node, _OF_WHAT_IS_GIVEN)
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
            return self._columns.get(name, 2**127)  # such as `a` of `WITH t(a) AS (...)`
        # In `SELECT v * v AS v` the factor is the column of the table below.
        self._known[name] = self._columns.get(name) if len(named) == 1 else _ENDLESS
        sizes = [self._columns.get(name), *map(self.of, named)]
        self._known[name] = max((size for size in sizes if size is not None), default=None)
        return self._known[name]


def _outermost(node: exp.Expr, sizes: _Sizes) -> bool:
    """Whether no arithmetic with integers goes on around the node: what is checked there covers all within."""
    above = node.parent
    return not isinstance(above, _ARITHMETIC) or sizes.of(above) is None or node.arg_key not in ("this", "expression")


def _guarded(node: exp.Expr) -> exp.Expr:
    """The node plus a zero, which is text that is no number where the node does not fit.

    Polars evaluates a cast for all rows, also in a branch that is not taken. So the cast is around the branches.
    """
    text = f"{node.sql(dialect='postgres')} does not fit 128 bits: cast a factor to DOUBLE"
    fits = exp.LT(this=_bound(node), expression=exp.Literal.number(_CHECKED))
    zero = exp.Case(ifs=[exp.If(this=exp.Not(this=exp.Paren(this=fits)), true=exp.Literal.string(text))])
    zero.set("default", exp.Literal.string("0"))
    cast = exp.Cast(this=zero, to=exp.DataType.build("INT128"))
    return exp.Paren(this=exp.Add(this=exp.Paren(this=node.copy()), expression=cast))


def _bound(node: exp.Expr) -> exp.Expr:
    """What no number on the way to the node's is greater than, as a Float64."""
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
