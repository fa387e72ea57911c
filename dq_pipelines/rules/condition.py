"""`row_condition`: which rows a rule is about, read from GX's string syntax without evaluating code.

Both of GX's forms are read: `col("amount") > 5` with `&`, `|`, `~` and `.notnull()`/`.is_null()`,
and pandas query strings such as `amount > 5 and status == "new"`.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import narwhals as nw

if TYPE_CHECKING:
    from dq_pipelines.rules.columns import Columns, Value

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_NULL_TESTS = {"notnull": False, "notna": False, "is_not_null": False, "isnull": True, "isna": True, "is_null": True}


@dataclass(frozen=True)
class Condition:
    """A parsed condition; `expr` gives it as a boolean expression over the judged columns."""

    text: str
    tree: ast.expr

    @staticmethod
    @lru_cache(maxsize=1024)
    def parse(text: str) -> Condition:
        """Raises ValueError, in one sentence, for what is not a condition."""
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except SyntaxError as error:
            raise ValueError(f"row_condition {text!r} does not parse: {error.msg}") from None
        condition = Condition(text, tree)
        condition.names(tree)
        return condition

    def expr(self, columns: Columns) -> nw.Expr:
        """True for the rows that the rule is about, False for the others, never null."""
        return self._boolean(self.tree, columns).fill_null(False)

    def names(self, node: ast.expr) -> set[str]:
        """The columns named below `node`; raises ValueError for anything that is no condition."""
        match node:
            case ast.BoolOp(values=values):
                return set().union(*(self.names(value) for value in values))
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr(), left=left, right=right):
                return self.names(left) | self.names(right)
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
                return self.names(operand)
            case ast.Compare(left=left, comparators=comparators):
                return {name for side in (left, *comparators) if (name := _column(side))} or self._refuse(node)
            case ast.Call(func=ast.Attribute(value=value, attr=attr), args=[]) if attr in _NULL_TESTS:
                return {_column(value) or self._refuse(node)}
            case ast.Name() | ast.Call() if name := _column(node):
                return {name}
        return self._refuse(node)

    def _refuse(self, node: ast.AST) -> Any:
        part = ast.get_source_segment(self.text.strip(), node) or self.text
        raise ValueError(f"row_condition {self.text!r}: wanted a comparison such as col(\"x\") > 1, got {part!r}")

    def _boolean(self, node: ast.expr, columns: Columns) -> nw.Expr:
        match node:
            case ast.BoolOp(op=op, values=values):
                parts = [self._boolean(value, columns) for value in values]
                join = nw.all_horizontal if isinstance(op, ast.And) else nw.any_horizontal
                return join(*parts, ignore_nulls=False)
            case ast.BinOp(op=op, left=left, right=right):
                a, b = self._boolean(left, columns), self._boolean(right, columns)
                return a & b if isinstance(op, ast.BitAnd) else a | b
            case ast.UnaryOp(operand=operand):
                return ~self._boolean(operand, columns).fill_null(False)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                sides = [left, *comparators]
                links = [self._compare(*link, columns) for link in zip(sides, ops, sides[1:], strict=False)]
                return nw.all_horizontal(*links, ignore_nulls=False)
            case ast.Call(func=ast.Attribute(value=value, attr=attr), args=[]):
                missing = columns[str(_column(value))].is_missing
                return missing if _NULL_TESTS[attr] else ~missing
            case _:
                return columns[str(_column(node))].expr

    def _compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr, columns: Columns) -> nw.Expr:
        value = columns[_column(left) or _column(right) or ""]
        match op:
            case ast.Is() | ast.IsNot():
                return value.is_missing if isinstance(op, ast.Is) else ~value.is_missing
            case ast.In() | ast.NotIn():
                inside = value.expr.is_in([value.literal(item) for item in self._constant(right)])
                return inside if isinstance(op, ast.In) else ~inside
        return _COMPARE[type(op)](self._side(left, value, columns), self._side(right, value, columns))  # type: ignore[no-any-return]

    def _side(self, node: ast.expr, value: Value, columns: Columns) -> Any:
        name = _column(node)
        return columns[name].expr if name else nw.lit(value.literal(self._constant(node)))

    def _constant(self, node: ast.expr) -> Any:
        try:
            return ast.literal_eval(node)
        except ValueError:
            return self._refuse(node)


def _column(node: ast.AST) -> str | None:
    """The column that `node` names: `amount`, `col("amount")`, or a backquoted name rewritten to either."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Call(func=ast.Name(id="col"), args=[ast.Constant(value=str(name))]):
            return name
    return None
