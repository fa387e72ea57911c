"""Computes exact sums without overflow; Polars sums in the type of the column, which may be too narrow."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import Any

import narwhals as nw

from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.column_value import Value

#: Digits of a decimal whose sum over 10**19 rows still fits 38 digits.
_SAFE_DIGITS = 19
_MOST_DIGITS = 38

#: A number of 38 digits is summed in two halves: the quotient and the remainder by this number.
_HALF = 10**18
#: A fraction of more digits is summed in two halves too.
_FRACTION_DIGITS = 18

_OBSERVED, _HIGH, _LOW, _FRACTION, _REST = "sum", "high", "low", "fraction", "rest"


def exact_sum(value: Value) -> Mapping[str, nw.Expr]:
    """The scalars from which `sum_of` computes the sum; raises RuleError for a column without numbers."""
    number, dtype = value.number, value.dtype
    if dtype.is_float() or value.family == "unknown":
        return {_OBSERVED: number.sum().fill_nan(None)}
    if isinstance(dtype, nw.Decimal):
        return _decimal_sum(number, dtype)
    whole = number.cast(nw.Int128)
    return _halves(whole) if isinstance(dtype, nw.Int128 | nw.UInt128) else {_OBSERVED: whole.sum()}


def sum_of(found: Mapping[str, Any]) -> Any:
    """The sum, from its scalars; raises RuleError for more than 38 digits."""
    if _OBSERVED in found:
        return found[_OBSERVED]
    whole = found[_HIGH] * _HALF + found[_LOW]
    if _FRACTION not in found:
        return whole
    with localcontext(prec=4 * _MOST_DIGITS):
        total = Decimal(whole) + found[_FRACTION] + found.get(_REST, 0)
    if len(total.as_tuple().digits) > _MOST_DIGITS:
        raise RuleError(f"the sum {total:.3E} has more than {_MOST_DIGITS} digits")
    return total


def _decimal_sum(number: nw.Expr, dtype: nw.Decimal) -> Mapping[str, nw.Expr]:
    if dtype.precision <= _SAFE_DIGITS:
        return {_OBSERVED: number.sum()}
    whole = number.cast(nw.Int128)
    same = nw.Decimal(_MOST_DIGITS, dtype.scale)
    fraction = number - whole.cast(same)
    if dtype.scale <= _FRACTION_DIGITS:
        return {**_halves(whole), _FRACTION: fraction.sum()}
    first = fraction.cast(nw.Decimal(_MOST_DIGITS, _FRACTION_DIGITS))
    return {**_halves(whole), _FRACTION: first.sum(), _REST: (fraction - first.cast(same)).sum()}


def _halves(whole: nw.Expr) -> dict[str, nw.Expr]:
    return {_HIGH: (whole // _HALF).sum(), _LOW: (whole % _HALF).sum()}
