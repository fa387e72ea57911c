"""Of which types the values of a pandas frame are, by pandas' own account, as Great Expectations asks it.

pandas distinguishes types that become one in an engine (`int64` and `Int64`), and a column of its objects has as many
types as it has values. What it does not know the name of (`VARCHAR`) is judged by the names in `rules.core.typenames`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from dq_pipelines.engine.backends.pandas.frames import is_missing, python_of
from dq_pipelines.engine.results.result_format import ROW
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.typenames import type_named
from dq_pipelines.rules.library.types import ColumnOfType, TypeRule, ValuesInTypeList, ValuesOfType

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

#: What names pandas' objects themselves, and no type of a value.
_OBJECTS = ("object", "object_", "O")

_PYTHON: dict[str, type] = {
    "none": type(None), "bool": bool, "int": int, "long": int, "float": float, "bytes": bytes, "complex": complex,
    "str": str, "string_types": str, "list": list, "dict": dict,
}  # fmt: skip


def as_pandas_says(result: RuleResult, frame: pd.DataFrame, rows: pl.LazyFrame, *, most: int | None) -> RuleResult:
    """The result of a rule on types, judged anew; any other as it is.

    `rows` are the frame's as the engine has them, `most` is how many failing ones are listed.
    """
    rule = result.rule
    if not isinstance(rule, TypeRule) or result.error is not None:
        return result
    place = [str(name) for name in frame.columns].index(rule.column)
    dtype: Any = frame.dtypes.iloc[place]
    if isinstance(rule, ColumnOfType):
        success, name = _is_called(dtype, rule.type_, result), str(dtype)
        return replace(result, success=success, observed_value=name, found=name)
    by_value = rule.names() and not (isinstance(rule, ValuesOfType) and rule.type_ in _OBJECTS)
    if (
        dtype.type.__name__ == "object_"
        and by_value
        and (types := [kind for name in rule.names() for kind in _types(name)])
    ):
        return _value_by_value(result, frame, place, tuple(types), _about(rule, rows), most)
    success = not rule.names() or any(_is_of(dtype, name, rule, result) for name in rule.names())
    name = dtype.type.__name__
    return replace(result, success=success, observed_value=name, found=name)


def _value_by_value(
    result: RuleResult,
    frame: pd.DataFrame,
    place: int,
    types: tuple[type, ...],
    about: Sequence[bool] | None,
    most: int | None,
) -> RuleResult:
    picked = [number for number in range(len(frame)) if about is None or about[number]]
    column = frame.iloc[:, place]
    values = {number: column.iloc[number] for number in picked}
    present = {number: value for number, value in values.items() if not is_missing(value)}
    failing = [number for number, value in present.items() if not isinstance(value, types)]
    names = [str(name) for name in frame.columns]
    ordered = [place, *(other for other in range(len(names)) if other != place)]
    rows = (
        {names[other]: python_of(frame.iloc[number, other]) for other in ordered} | {ROW: number}
        for number in failing[:most]
    )
    wanted = getattr(result.rule, "mostly", None)
    share = 1.0 if not present else (len(present) - len(failing)) / len(present)
    return replace(
        result,
        success=share >= (1 if wanted is None else wanted),
        element_count=len(picked),
        missing_count=len(picked) - len(present),
        unexpected_count=len(failing),
        observed_value=None,
        found=None,
        unexpected_rows=tuple(rows),
    )


def _about(rule: TypeRule, rows: pl.LazyFrame) -> Sequence[bool] | None:
    """Of each row whether the rule is about it; None: of all."""
    known = nw.from_native(rows)
    condition = rule.condition(Columns(dict(known.collect_schema())))
    if condition is None:
        return None
    picked: list[bool] = known.select(about=condition).to_native().collect().get_column("about").to_list()
    return picked


def _is_of(dtype: Any, name: str, rule: TypeRule, result: RuleResult) -> bool:
    """Whether a column's type goes by the name; a list of types is held against the type itself, as in GX."""
    types = _types(name)
    if not types:
        return type_named(name)(result.found.dtype)
    if isinstance(rule, ValuesInTypeList):
        return any(bool(dtype == kind) for kind in types)
    return dtype.type in types


def _types(name: str) -> list[type]:
    """The types of values that numpy, pandas and Python know by the name."""
    import numpy as np
    import pandas as pd
    from pandas.core.dtypes import dtypes

    types: list[Any] = []
    try:
        types.append(np.dtype(name).type)
    except TypeError:
        types += [kind for room in (pd, dtypes) if isinstance(kind := getattr(room, name, None), type)]
    return [*types, _PYTHON[name.lower()]] if name.lower() in _PYTHON else types


def _is_called(dtype: Any, name: str, result: RuleResult) -> bool:
    """Whether the column itself has the type of this name, as pandas writes and compares it."""
    import numpy as np
    import pandas as pd

    try:
        named: Any = pd.api.types.pandas_dtype(name)
    except (TypeError, ValueError, ImportError, NotImplementedError):
        return type_named(name)(result.found.dtype)
    if isinstance(named, np.dtype) and named.kind in "mM" and np.datetime_data(named)[0] == "generic":
        return isinstance(dtype, np.dtype) and dtype.kind == named.kind
    if isinstance(dtype, pd.StringDtype) and isinstance(named, pd.StringDtype):
        return str(dtype) == str(named)  # "str" and "string" differ in what they take for missing
    return bool(dtype == named) or bool(dtype == name)
