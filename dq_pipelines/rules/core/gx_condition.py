"""Converts a `row_condition` to the mapping in which GX 1.x saves conditions.

Conditions that GX's mapping cannot express (a negation, a comparison of two columns, `or` within `and`) become a
pandas query, which GX passes through.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from dq_pipelines.rules.core.condition import Condition, column_named, links, null_test, set_test

_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class _Inexpressible(Exception):
    """GX's mapping cannot express this part."""


def gx_condition(text: str, parser: str | None = None) -> dict[str, Any]:
    """The condition as GX saves it; `parser` is the rule's `condition_parser`."""
    if parser in ("pandas", "spark"):
        return _passed_through(text)
    condition = Condition.parse(text)
    try:
        return _mapped(condition, condition.tree)
    except _Inexpressible:
        return _passed_through(ast.unparse(_AsQuery().visit(ast.parse(condition.source, mode="eval"))))


def _passed_through(text: str) -> dict[str, Any]:
    return {"type": "pass_through", "pass_through_filter": text}


def _mapped(condition: Condition, node: ast.expr) -> dict[str, Any]:
    match node:
        case ast.BoolOp(op=op, values=values):
            return _joined("and" if isinstance(op, ast.And) else "or", [_mapped(condition, part) for part in values])
        case ast.Compare():
            parts = [_compared(condition, *link) for link in links(node)]
            return parts[0] if len(parts) == 1 else _joined("and", parts)
        case ast.Call(func=ast.Attribute(value=value, attr=attr), args=[items]):
            return _comparison(_name(value), "IN" if set_test(attr) else "NOT_IN", condition.constant(items))
        case ast.Call(func=ast.Attribute(value=value, attr=attr)):
            return {"type": "nullity", "column": {"name": _name(value)}, "is_null": null_test(attr)}
        case ast.Name() | ast.Call():
            return _comparison(_name(node), "==", parameter=True)
    raise _Inexpressible


def _compared(condition: Condition, left: ast.expr, op: ast.cmpop, right: ast.expr) -> dict[str, Any]:
    if column_named(left) and column_named(right):
        raise _Inexpressible
    name, other = (left, right) if column_named(left) else (right, left)
    if isinstance(op, ast.Is | ast.IsNot):
        return {"type": "nullity", "column": {"name": _name(name)}, "is_null": isinstance(op, ast.Is)}
    constant = condition.constant(other)
    if isinstance(constant, list | tuple | set):
        return _comparison(_name(name), "IN" if isinstance(op, ast.In | ast.Eq) else "NOT_IN", constant)
    sign = _SIGNS[type(op)]
    return _comparison(_name(name), sign if name is left else _MIRRORED[sign], constant)


def _comparison(name: str, operator: str, parameter: Any) -> dict[str, Any]:
    if operator in ("IN", "NOT_IN"):
        parameter = list(parameter)
        # GX accepts numbers or texts here, not both.
        if {str if isinstance(item, str) else type(item) for item in parameter} not in ({str}, {int}, {float}):
            raise _Inexpressible
    return {"type": "comparison", "column": {"name": name}, "operator": operator, "parameter": parameter}


def _joined(word: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """GX allows `and` within `or`, but no deeper nesting, and no `or` within either."""
    flat: list[Mapping[str, Any]] = []
    for part in parts:
        flat += part["conditions"] if part["type"] == word else [part]
    if any(part["type"] == "or" for part in flat):
        raise _Inexpressible
    return {"type": word, "conditions": flat}


def _name(node: ast.expr) -> str:
    name = column_named(node)
    if name is None:
        raise _Inexpressible
    return name


class _AsQuery(ast.NodeTransformer):
    """Rewrites the condition to pandas' syntax: backquoted names, `isnull()` for `is None`, `in` for `is_in()`."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = column_named(node)
        if name is not None:
            return ast.Name(f"`{name}`")
        match node:
            case ast.Call(func=ast.Name(id="date"), args=[ast.Constant() as text]):
                return text
            case ast.Call(func=ast.Attribute(value=value, attr=attr), args=[items]):
                found: ast.expr = ast.Compare(self.visit(value), [ast.In() if set_test(attr) else ast.NotIn()], [items])
                return found
            case ast.Call(func=ast.Attribute(value=value, attr=attr)):
                return _null_call(self.visit(value), missing=null_test(attr))
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        match node:
            case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot() as op]):
                column = left if column_named(left) else node.comparators[0]
                return _null_call(self.visit(column), missing=isinstance(op, ast.Is))
        return self.generic_visit(node)


def _null_call(column: ast.expr, *, missing: bool) -> ast.Call:
    return ast.Call(ast.Attribute(column, "isnull" if missing else "notnull"), [], [])
