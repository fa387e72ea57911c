"""Evaluates GX's parameters for moments at run time: `{"$PARAMETER": "now() - timedelta(weeks=2)"}`.

It supports `now()`, `datetime(…)`, `timedelta(…)` and their sums, differences and multiples, without running code.
Parameters that a caller fills in at run time are not supported.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dq_pipelines.rules.core import clock

KEY = "$PARAMETER"

_SIGNS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def moment(parameter: Mapping[str, Any], *, zoned: bool = False) -> datetime:
    """The current value of the parameter, in UTC; `zoned`: with time zone. Raises ValueError for an unsupported one."""
    text = parameter.get(KEY)
    unknown = f"wanted a value, got {dict(parameter)}: parameters that are filled in at run time are not supported"
    if not isinstance(text, str) or len(parameter) != 1:
        raise ValueError(unknown)
    try:
        value = _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, TypeError, ValueError, OverflowError, RecursionError):
        raise ValueError(unknown) from None
    if not isinstance(value, datetime):
        raise ValueError(unknown)
    return value.replace(tzinfo=UTC if zoned else None)


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Call(func=ast.Name(id="now"), args=[], keywords=[]):
            return clock.now().astimezone(UTC)
        case ast.Call(func=ast.Name(id="datetime"), args=args, keywords=[]):
            return datetime(*(_value(arg) for arg in args)).replace(tzinfo=UTC)  # noqa: DTZ001 - set by replace()
        case ast.Call(func=ast.Name(id="timedelta"), args=args, keywords=named):
            keywords = {str(keyword.arg): _value(keyword.value) for keyword in named}
            return timedelta(*(_value(arg) for arg in args), **keywords)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _SIGNS:
            return _SIGNS[type(sign)](_value(left), _value(right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
    raise ValueError("no moment")
