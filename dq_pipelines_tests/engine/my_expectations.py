# GX exports these names for its users, but not for type checkers.
# mypy: disable-error-code="attr-defined, untyped-decorator, assignment, name-defined, misc"
"""Expectations as a user of Great Expectations writes them."""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations import expectations as gxe
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation, ColumnPairMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    ColumnPairMapMetricProvider,
    column_condition_partial,
    column_pair_condition_partial,
)


class ValuesEven(ColumnMapMetricProvider):
    condition_metric_name = "column_values.even_of_ours"

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: Any, **_: Any) -> Any:  # noqa: N805 - GX calls it so
        if (column == 666).any():
            raise ValueError("no such number")
        return column % 2 == 0


class ExpectColumnValuesToBeEvenOfOurs(ColumnMapExpectation):
    """Values are even."""

    map_metric: ClassVar[str] = "column_values.even_of_ours"
    success_keys: ClassVar[tuple[str, ...]] = ("mostly",)


class PairsSum(ColumnPairMapMetricProvider):
    condition_metric_name = "column_pair_values.sum_of_ours"
    condition_domain_keys = ("batch_id", "table", "column_A", "column_B", "row_condition", "ignore_row_if")

    @column_pair_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_A: Any, column_B: Any, **_: Any) -> Any:  # noqa: N803, N805 - GX calls them so
        return column_A + column_B < 10


class ExpectColumnPairSumToBeSmallOfOurs(ColumnPairMapExpectation):
    """Pairs sum up to less than ten."""

    map_metric: ClassVar[str] = "column_pair_values.sum_of_ours"
    domain_keys: ClassVar[tuple[str, ...]] = ("column_A", "column_B", "row_condition", "ignore_row_if")

    ignore_row_if: str = "both_values_are_missing"


class ExpectQuantityToBeSmallOnAverage(gxe.ExpectColumnMeanToBeBetween):
    """An expectation of GX's with arguments of one's own."""

    column: str = "quantity"
    max_value: float = 5
