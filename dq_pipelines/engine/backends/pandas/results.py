"""Results over a pandas frame, in the terms of pandas: its types, the labels of its index, its own objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dq_pipelines.engine.backends.pandas.frames import MIXED, python_of
from dq_pipelines.engine.backends.pandas.types import as_pandas_says
from dq_pipelines.engine.results.result_format import ROW
from dq_pipelines.engine.results.verdict import RuleResult

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


def in_pandas_terms(
    results: Sequence[RuleResult], frame: pd.DataFrame, rows: pl.LazyFrame, most: int | None, *, numbered: bool
) -> tuple[RuleResult, ...]:
    """The results with rules on types judged as pandas does and, where rows are `numbered`, with its labels of rows.

    `rows` are those of the pandas `frame` as Polars has them; `most` is how many failing rows are listed, None for all.
    """
    judged = tuple(as_pandas_says(result, frame, rows, most=most) for result in results)
    if not numbered:
        return judged
    mixed = [name for name, dtype in rows.collect_schema().items() if dtype == MIXED]
    return tuple(_with_own_rows(result, frame, mixed) for result in judged)


def _with_own_rows(result: RuleResult, frame: pd.DataFrame, mixed: Sequence[str]) -> RuleResult:
    """The result with the index's labels of its rows, and with the objects that mixed columns hold."""
    places = {str(name): place for place, name in enumerate(frame.columns)}

    def own(row: Mapping[str, Any]) -> dict[str, Any]:
        number = row[ROW]
        values = {name: frame.iloc[number, places[name]] for name in mixed if row.get(name) is not None}
        return {**row, **values, ROW: python_of(frame.index[number])}

    return replace(result, unexpected_rows=tuple(own(row) for row in result.unexpected_rows))
