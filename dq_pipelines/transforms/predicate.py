"""Parses a SQL condition that selects rows, such as `--where`, to a Polars expression.

It allows only comparisons, `and`, `or`, `not`, `in`, `between`, `is null` and `like`: a condition from a command line must
neither call a function nor read a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.transforms.casting import typed
from dq_pipelines.transforms.types import name_of

if TYPE_CHECKING:
    from sqlglot import exp

#: The allowed parts of a condition, for the message.
_WANTED = "columns compared with literals, and, or, not, in, between, is null, like"


@dataclass(frozen=True)
class Cell:
    """A column to which a predicate is applied."""

    #: the value in its type; null if the landed text does not fit
    value: pl.Expr
    dtype: pl.DataType
    #: the landed text, if it is known
    text: pl.Expr | None = None


@dataclass(frozen=True)
class Predicate:
    """A parsed condition on columns."""

    #: the original text
    sql: str
    _tree: exp.Expression

    @classmethod
    def parse(cls, sql: str, columns: Mapping[str, pl.DataType], of: str = "") -> Predicate:
        """Parse a condition; raises ConfigError for an invalid one or an unknown column. `of` names the table in the message."""
        import sqlglot
        from sqlglot import exp
        from sqlglot.errors import SqlglotError

        try:
            statements = sqlglot.parse(f"SELECT 1 WHERE {sql}", read="duckdb")
        except (SqlglotError, RecursionError):
            raise _problem(sql, "which does not parse") from None
        where = statements[0].args.get("where") if len(statements) == 1 and statements[0] is not None else None
        rest = {name for name, value in statements[0].args.items() if value} if statements[0] is not None else set()
        if not isinstance(where, exp.Where) or rest - {"expressions", "where", "kind"}:
            raise _problem(sql, "which is no condition")
        predicate = cls(sql, where.this)
        for column in where.find_all(exp.Column):
            if column.table or column.name not in columns:
                near = nearest(column.name, columns)
                raise ConfigError([Problem("", 0, f"--where: no column '{column.sql(dialect='duckdb')}'{of}{near}")])
        predicate.on(lambda name: Cell(pl.col(name), columns[name]))
        return predicate

    @property
    def columns(self) -> list[str]:
        from sqlglot import exp

        return list(dict.fromkeys(column.name for column in self._tree.find_all(exp.Column)))

    @property
    def masked(self) -> str:
        """The condition without its values."""
        from sqlglot import exp

        def mask(node: exp.Expression) -> exp.Expression:
            return exp.Placeholder() if isinstance(node, exp.Literal | exp.Boolean) else node

        return self._tree.transform(mask).sql(dialect="duckdb")

    def on(self, cell: Callable[[str], Cell]) -> pl.Expr:
        """Boolean per row: the condition selects it; `cell` gives the column of a name."""
        return _Translation(self.sql, cell).of(self._tree)


@dataclass(frozen=True)
class _Translation:
    """The translation of one condition to an expression."""

    sql: str
    cell: Callable[[str], Cell]

    def of(self, node: Any) -> pl.Expr:
        from sqlglot import exp

        match node:
            case exp.Paren():
                return self.of(node.this)
            case exp.And():
                return self.of(node.left) & self.of(node.right)
            case exp.Or():
                return self.of(node.left) | self.of(node.right)
            case exp.Not():
                return ~self.of(node.this)
            case exp.Is() if isinstance(node.expression, exp.Null):
                cell = self._cell(node.this)
                return (cell.value if cell.text is None else cell.text).is_null()
            case exp.In() if node.expressions and not node.args.get("query"):
                return pl.any_horizontal(self._equals(self._cell(node.this), item) for item in node.expressions)
            case exp.Between():
                cell = self._cell(node.this)
                low, high = (self._literal(node.args[name], cell.dtype) for name in ("low", "high"))
                return (cell.value >= low) & (cell.value <= high)
            case exp.Like() if not node.args.get("escape"):
                return self._like(self._cell(node.this), node.expression)
        return self._compared(node)

    def _compared(self, node: Any) -> pl.Expr:
        from sqlglot import exp

        if isinstance(node, exp.EQ | exp.NEQ):
            column, literal = (node.left, node.right) if isinstance(node.left, exp.Column) else (node.right, node.left)
            equal = self._equals(self._cell(column), literal)
            return equal if isinstance(node, exp.EQ) else ~equal
        if not isinstance(node, exp.LT | exp.LTE | exp.GT | exp.GTE):
            raise _problem(self.sql, f"which has {node.sql(dialect='duckdb')}")
        cell = self._cell(node.left)
        value, limit = cell.value, self._literal(node.right, cell.dtype)
        match node:
            case exp.LT():
                return value < limit
            case exp.LTE():
                return value <= limit
            case exp.GT():
                return value > limit
        return value >= limit

    def _cell(self, node: Any) -> Cell:
        from sqlglot import exp

        if not isinstance(node, exp.Column):
            raise _problem(self.sql, f"which has {node.sql(dialect='duckdb')} instead of a column")
        return self.cell(node.name)

    def _equals(self, cell: Cell, node: Any) -> pl.Expr:
        """Equality by the column's type; a cell whose text does not fit the type is compared as text."""
        text = self._text(node)
        value = _as(text, cell.dtype)
        by_type = pl.lit(False) if value is None else cell.value == pl.lit(value, cell.dtype)
        if cell.text is None:
            return by_type
        return pl.when(cell.value.is_null() & cell.text.is_not_null()).then(cell.text == text).otherwise(by_type)

    def _like(self, cell: Cell, node: Any) -> pl.Expr:
        if not isinstance(cell.dtype, pl.String):
            raise _problem(self.sql, f"which applies like to {name_of(cell.dtype)}")
        parts = [{"%": ".*", "_": "."}.get(char, re.escape(char)) for char in self._text(node)]
        return cell.value.str.contains(f"(?s)^{''.join(parts)}$")

    def _literal(self, node: Any, dtype: pl.DataType) -> pl.Expr:
        text = self._text(node)
        value = _as(text, dtype)
        if value is None:
            raise self._misfit(text, dtype)
        return pl.lit(value, dtype)

    def _misfit(self, text: str, dtype: pl.DataType) -> ConfigError:
        return ConfigError([Problem("", 0, f"--where: wanted a value of type {name_of(dtype)}, got '{text}'")])

    def _text(self, node: Any) -> str:
        from sqlglot import exp

        if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
            return f"-{node.this.this}"
        if isinstance(node, exp.Literal):
            return str(node.this)
        if isinstance(node, exp.Boolean):
            return str(node.this).lower()
        raise _problem(self.sql, f"which has {node.sql(dialect='duckdb')} instead of a literal")


def _as(text: str, dtype: pl.DataType) -> Any:
    """The literal as a value of the column's type; None if it does not fit."""
    return pl.select(typed(pl.lit(text), pl.String(), dtype)).item()


def _problem(sql: str, got: str) -> ConfigError:
    return ConfigError([Problem("", 0, f"--where: wanted a condition of {_WANTED}, got '{sql}', {got}")])
