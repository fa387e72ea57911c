"""Parses `row_condition`, which selects the rows that a rule judges, in GX's syntax and without evaluating code.

It reads all of GX's forms: `col("amount") > 5` with `&`, `|`, `~`, `.notnull()` and `.is_in([…])`,
pandas query strings such as ``amount > 5 and `Sold to` == "new"``, and the mappings in which GX's Python API
saves conditions. A missing value differs from everything and meets no other comparison, as in pandas.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import narwhals as nw

from dq_pipelines.config.model import shown
from dq_pipelines.rules.core.column_value import MIXED

if TYPE_CHECKING:
    from dq_pipelines.rules.core.column_value import Value
    from dq_pipelines.rules.core.columns import Columns

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_NULL_TESTS = {"notnull": False, "notna": False, "is_not_null": False, "isnull": True, "isna": True, "is_null": True}
_SET_TESTS = {"isin": True, "is_in": True, "is_not_in": False}
#: A quoted text, a backquoted name, or one of pandas' other operators for and, or.
_TOKEN = re.compile(r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|`(?P<name>[^`]*)`|(?P<word>&&?|\|\|?)""")


@dataclass(frozen=True)
class Condition:
    """A parsed condition."""

    text: str
    #: the text with backquoted names as `col("…")` and with `and`, `or` for `&`, `|`
    source: str
    tree: ast.expr

    @staticmethod
    @lru_cache(maxsize=1024)
    def parse(text: str) -> Condition:
        """Parse a condition; raises ValueError, with one sentence, for an invalid one."""
        source = _TOKEN.sub(_plain, text.strip())
        try:
            tree = ast.parse(source, mode="eval").body
        except (SyntaxError, RecursionError) as error:
            raise ValueError(f"row_condition {text!r} does not parse: {getattr(error, 'msg', error)}") from None
        condition = Condition(text, source, tree)
        condition.columns()
        return condition

    def columns(self) -> tuple[str, ...]:
        """The columns that the condition names; raises ValueError for an invalid condition."""
        return tuple(dict.fromkeys(self._named(self.tree)))

    def expr(self, columns: Columns) -> nw.Expr:
        """Boolean per row, never null: the condition selects the row."""
        return self._boolean(self.tree, columns)

    def _named(self, node: ast.expr) -> Iterator[str]:
        match node:
            case ast.BoolOp(values=values):
                for value in values:
                    yield from self._named(value)
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
                yield from self._named(operand)
            case ast.Compare():
                for left, comparison, right in links(node):
                    yield from self._compared(node, left, comparison, right)
            case ast.Call(func=ast.Attribute(value=value, attr=attr), args=args, keywords=[]) if name := column_named(
                value
            ):
                if not (attr in _NULL_TESTS and not args) and not (attr in _SET_TESTS and len(args) == 1):
                    self._refuse(node)
                if args:
                    self._list(args[0])
                yield name
            case _ if name := column_named(node):
                yield name
            case _:
                self._refuse(node)

    def _compared(self, node: ast.expr, left: ast.expr, comparison: ast.cmpop, right: ast.expr) -> Iterator[str]:
        names = [name for side in (left, right) if (name := column_named(side))]
        if not names:
            self._refuse(node)
        constants = [self.constant(side) for side in (left, right) if not column_named(side)]
        if isinstance(comparison, ast.In | ast.NotIn):
            if not column_named(left):
                self._refuse(node)
            self._list(right)
        elif isinstance(comparison, ast.Is | ast.IsNot):
            if constants != [None]:
                self._refuse(node)
        elif None in constants:
            raise ValueError(
                f"row_condition {self.text!r}: nothing equals None, write {names[0]}.isnull() or .notnull()"
            )
        elif any(isinstance(constant, list | tuple | set) for constant in constants):
            # In pandas, `x == [1, 2]` means `x in [1, 2]`.
            equality = isinstance(comparison, ast.Eq | ast.NotEq) and column_named(left)
            _ = equality or self._refuse(node)
        yield from names

    def _refuse(self, node: ast.AST) -> Any:
        part = ast.get_source_segment(self.source, node) or self.text
        raise ValueError(f'row_condition {self.text!r}: wanted a comparison such as col("x") > 1, got {part!r}')

    def _boolean(self, node: ast.expr, columns: Columns) -> nw.Expr:
        match node:
            case ast.BoolOp(op=op, values=values):
                parts = [self._boolean(value, columns) for value in values]
                join = nw.all_horizontal if isinstance(op, ast.And) else nw.any_horizontal
                return join(*parts, ignore_nulls=False)
            case ast.UnaryOp(operand=operand):
                return ~self._boolean(operand, columns)
            case ast.Compare():
                parts = [self._compare(*link, columns) for link in links(node)]
                return parts[0] if len(parts) == 1 else nw.all_horizontal(*parts, ignore_nulls=False)
            case ast.Call(func=ast.Attribute(value=value, attr=attr), args=args):
                judged = columns[str(column_named(value))]
                if args:
                    return _in(judged, self._list(args[0]), inside=_SET_TESTS[attr])
                return judged.is_missing if _NULL_TESTS[attr] else ~judged.is_missing
            case _:
                judged = columns[str(column_named(node))]
                return (judged.ordered == nw.lit(judged.literal(True))).fill_null(False)

    def _compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr, columns: Columns) -> nw.Expr:
        value = columns[column_named(left) or column_named(right) or ""]
        if isinstance(op, ast.Is | ast.IsNot):
            return value.is_missing if isinstance(op, ast.Is) else ~value.is_missing
        if isinstance(right, ast.List | ast.Tuple | ast.Set):
            return _in(value, self._list(right), inside=isinstance(op, ast.In | ast.Eq))
        if column_named(left) and column_named(right):
            value.same_family(columns[str(column_named(right))])
        elif isinstance(op, ast.Eq | ast.NotEq):
            constant = self.constant(right if column_named(left) else left)
            if value.dtype == MIXED:
                return value.equals(constant, wanted=isinstance(op, ast.Eq))
            if not value.can_equal(constant):  # a number never equals a text, as in pandas
                return value.is_missing | ~value.is_missing if isinstance(op, ast.NotEq) else _never(value)
        sides = self._side(left, value, columns), self._side(right, value, columns)
        return _COMPARE[type(op)](*sides).fill_null(isinstance(op, ast.NotEq))  # type: ignore[no-any-return]

    def _side(self, node: ast.expr, value: Value, columns: Columns) -> Any:
        name = column_named(node)
        if name:
            return columns[name].ordered
        constant = value.bound(self.constant(node))
        return constant if isinstance(constant, nw.Expr) else nw.lit(constant)

    def _list(self, node: ast.expr) -> list[Any]:
        if not isinstance(node, ast.List | ast.Tuple | ast.Set):
            self._refuse(node)
        return list(self.constant(node))

    def constant(self, node: ast.expr) -> Any:
        """The value of a literal in the condition."""
        match node:
            case ast.Call(func=ast.Name(id="date"), args=[ast.Constant(value=str(text))], keywords=[]):
                return text
        try:
            return ast.literal_eval(node)
        except ValueError:
            return self._refuse(node)


def condition_text(value: Any) -> Any:
    """A condition as text, from text or from the mapping that GX's Python API saves; raises ValueError."""
    if not isinstance(value, Mapping):
        return value
    match dict(value):
        case {"type": "pass_through", "pass_through_filter": str(text)}:
            return text
        case {"type": "nullity", "column": column, "is_null": bool(missing)}:
            return f"{_col(column)}.{'is_null' if missing else 'is_not_null'}()"
        case {"type": "comparison", "column": column, "operator": "IN" | "NOT_IN" as word, "parameter": list(items)}:
            return f"{_col(column)}.{'is_in' if word == 'IN' else 'is_not_in'}({items!r})"
        case {"type": "comparison", "column": column, "operator": str(sign), "parameter": constant}:
            return f"{_col(column)} {sign} {_constant_text(constant)}"
        case {"type": "and" | "or" as word, "conditions": [_, *_] as parts}:
            return "(" + f" {word} ".join(str(condition_text(part)) for part in parts) + ")"
    raise ValueError(f"row_condition: wanted text or a condition as GX saves it, got {shown(dict(value))}")


def _col(column: Any) -> str:
    name = column.get("name") if isinstance(column, Mapping) else column
    return f"col({name!r})"


def _constant_text(constant: Any) -> str:
    return repr(constant) if isinstance(constant, int | float | str | None) else repr(str(constant))


def _never(value: Value) -> nw.Expr:
    return value.is_missing & ~value.is_missing


def _in(value: Value, items: list[Any], *, inside: bool) -> nw.Expr:
    found = value.is_one_of(items).fill_null(False) & ~value.is_missing
    return found if inside else ~found


def null_test(method: str) -> bool:
    """Whether the method selects missing values (True) or present ones (False)."""
    return _NULL_TESTS[method]


def set_test(method: str) -> bool:
    """Whether the method selects values in the set (True) or outside (False)."""
    return _SET_TESTS[method]


def links(node: ast.Compare) -> list[tuple[ast.expr, ast.cmpop, ast.expr]]:
    """The single comparisons of a chain such as `1 < x < 5`."""
    sides = [node.left, *node.comparators]
    return list(zip(sides, node.ops, sides[1:], strict=False))


def _plain(token: re.Match[str]) -> str:
    if token["text"] is not None:
        return token["text"]
    if token["name"] is not None:
        return f"col({token['name']!r})"
    return " and " if token["word"].startswith("&") else " or "


def column_named(node: ast.AST) -> str | None:
    """The column that `node` names: `amount`, or `col("amount")`."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Call(func=ast.Name(id="col"), args=[ast.Constant(value=str(name))], keywords=[]):
            return name
    return None
