"""Values as JSON can hold them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any


def plain(value: Any) -> Any:
    """`value` as Python's JSON can hold it: dates and decimals as text, tuples and sets as lists."""
    return _mapped(value, lambda number: number)


def strictly_plain(value: Any) -> Any:
    """`plain`, as any reader of JSON understands it: floats that are not finite are text, such as `inf`."""
    return _mapped(value, lambda number: number if math.isfinite(number) else str(number))


def _mapped(value: Any, of_float: Callable[[float], Any]) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _mapped(item, of_float) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_mapped(item, of_float) for item in value]
    if isinstance(value, float):
        return of_float(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)
