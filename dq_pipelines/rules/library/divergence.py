"""A rule on the divergence of a column's distribution from the expected one."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

import narwhals as nw
from pydantic import Field, model_validator

from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_tables import GroupRule, Tables
from dq_pipelines.rules.core.partition_object import Partition, auto_bins, divergence
from dq_pipelines.rules.library.distinct import COUNT, VALUE, in_order, value_counts

Holdout = Annotated[float, Field(ge=0, le=1)]

_ABC = {"values": ["a", "b", "c"], "weights": [0.5, 0.25, 0.25]}


@dataclass(frozen=True)
class Divergence:
    """The divergence, and the shares from which it was computed, in the form of GX's `details`."""

    value: float | None
    observed: Mapping[str, Any]
    expected: Mapping[str, Any]


class KlDivergence(GroupRule):
    """The distribution of the column's values diverges from `partition_object` by at most `threshold`.

    The measure is the Kullback-Leibler divergence, in nats. `tail_weight_holdout` is the expected share of values that the
    partition does not name, `internal_weight_holdout` that of its empty bins. Without a partition the column is
    compared with itself, and the result shows its distribution. Without a threshold every divergence passes.
    """

    type: Literal["expect_column_kl_divergence_to_be_less_than"]
    title_template: ClassVar[str] = "{column} is distributed as declared (divergence below {threshold})"
    column: Annotated[str, Field(min_length=1)]
    partition_object: Partition | None = None
    threshold: Annotated[float, Field(ge=0)] | None = None
    internal_weight_holdout: Holdout | None = 0
    tail_weight_holdout: Holdout | None = 0
    #: without a partition: whether to put the values in bins, or to count each value
    bucketize_data: bool = True
    #: accepted and ignored, as in GX
    min_value: None = None
    max_value: None = None

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": ["a", "a", "b", "c", None]},
            {"column": "x", "partition_object": _ABC, "threshold": 0.1},
            {"success": True},
        ),
        Example(
            {"x": ["a", "b", "b"]}, {"column": "x", "partition_object": _ABC, "threshold": 0.1}, {"success": False}
        ),
        Example({"x": ["a", "d"]}, {"column": "x", "partition_object": _ABC, "threshold": 9}, {"success": False}),
        Example(
            {"x": [0.5, 1.0, 1.5, 2.0]},
            {"column": "x", "partition_object": {"bins": [0, 1, 2], "weights": [0.25, 0.75]}, "threshold": 0.001},
            {"success": True},
        ),
        Example({"x": [1, 2, 2, 3]}, {"column": "x", "bucketize_data": False}, {"success": True}),
    )

    @property
    def columns_judged(self) -> tuple[str, ...]:
        return (self.column,)

    @model_validator(mode="after")
    def _holdouts_make_sense(self) -> Self:
        partition = self.partition_object
        if partition is None:
            return self
        if partition.kind == "categorical" and self.internal_weight_holdout:
            raise ValueError("internal_weight_holdout is for bins, and partition_object has values")
        if partition.kind == "continuous" and not self.bucketize_data:
            raise ValueError("bucketize_data: false is for values, and partition_object has bins")
        if self.tail_weight_holdout and partition.tail_weights is not None:
            raise ValueError("tail_weight_holdout must be 0 if partition_object has tail_weights")
        if (
            self.tail_weight_holdout
            and partition.bins
            and all(map(math.isinf, (partition.bins[0], partition.bins[-1])))
        ):
            raise ValueError("tail_weight_holdout must be 0 if no value can lie beyond the bins")
        return self

    def group(self, rows: nw.LazyFrame[Any], columns: Columns, tables: Tables) -> nw.LazyFrame[Any]:
        value = columns[self.column]
        if self.partition_object is None or self.partition_object.bins is None:
            if self.partition_object is None and self.bucketize_data:
                _ = value.number
            return value_counts(rows, value)
        *edges, last = self.partition_object.bins
        number = value.number.cast(nw.Float64)
        # The number of the bin with the value: 0 below all bins, the number of bins plus 1 above.
        place = nw.sum_horizontal(*((number >= edge).cast(nw.Int64) for edge in edges), (number > last).cast(nw.Int64))
        present = rows.filter(~value.is_missing).select(place.alias(VALUE))
        return present.group_by(VALUE).agg(nw.len().alias(COUNT))

    def conclude(self, found: Sequence[Mapping[str, Any]], columns: Columns) -> Divergence:
        counts = {row[VALUE]: row[COUNT] for row in found}
        total = sum(counts.values())
        if self.partition_object is not None and self.partition_object.bins is not None:
            return self._of_bins(self.partition_object, {place: counts[place] / total for place in counts})
        shares = {value: counts[value] / total for value in in_order(counts)}
        if self.partition_object is not None:
            return self._of_values(self.partition_object, shares)
        if not self.bucketize_data:
            return self._of_values(
                Partition.model_construct(values=tuple(shares), weights=tuple(shares.values())), shares
            )
        return _of_itself({float(value): counts[value] for value in sorted(counts)})

    def _of_values(self, partition: Partition, shares: Mapping[Any, float]) -> Divergence:
        expected = dict(zip(partition.values or (), partition.weights, strict=True))
        others = [value for value in shares if value not in expected]
        holdout = self.tail_weight_holdout or 0
        if others:
            expected = {value: weight * (1 - holdout) for value, weight in expected.items()}
            expected |= dict.fromkeys(others, holdout / len(others))
        observed = [shares.get(value, 0.0) for value in expected]
        names = list(expected)
        return Divergence(
            divergence(observed, list(expected.values())),
            {"values": names, "weights": observed},
            {"values": names, "weights": list(expected.values())},
        )

    def _of_bins(self, partition: Partition, shares: Mapping[int, float]) -> Divergence:
        bins, tail = list(partition.bins or ()), self.tail_weight_holdout or 0
        observed = [shares.get(place, 0.0) for place in range(len(bins) + 1)]
        open_ends = [math.isinf(bins[0]), math.isinf(bins[-1])]
        tails = partition.tail_weights or [tail / (2 - sum(open_ends)) if sum(open_ends) < 2 else 0] * 2
        expected = [tails[0], *self._weights(partition), tails[1]]
        # An open bin replaces the tail on its side.
        for side, is_open in zip((slice(0, 1), slice(-1, None)), open_ends, strict=True):
            if is_open:
                del observed[side], expected[side], bins[side]
        shown = [{"bins": bins, "weights": w[1:-1], "tail_weights": [w[0], w[-1]]} for w in (observed, expected)]
        return Divergence(divergence(observed, expected), *shown)

    def _weights(self, partition: Partition) -> list[float]:
        internal = self.internal_weight_holdout or 0
        weights = [weight * (1 - (self.tail_weight_holdout or 0) - internal) for weight in partition.weights]
        empty = weights.count(0)
        return [internal / empty if weight == 0 else weight for weight in weights] if empty else weights

    def accepts(self, observed: Any) -> bool:
        return self.threshold is None or (observed.value is not None and observed.value <= self.threshold)

    def fields(self, observed: Any, *, complete: bool) -> Mapping[str, Any]:
        details = {"observed_partition": observed.observed, "expected_partition": observed.expected}
        return {"observed_value": observed.value, "details": details}


def _of_itself(counts: Mapping[float, int]) -> Divergence:
    """The distribution of the column in its own bins, with a divergence of 0."""
    if not counts:
        return Divergence(None, {}, {})
    bins = auto_bins(list(counts.items()))
    total, held = sum(counts.values()), [0] * (len(bins) - 1)
    for value, times in counts.items():
        held[min(bisect_right(bins, value), len(held)) - 1] += times
    shown = {"bins": bins, "weights": [times / total for times in held], "tail_weights": [0.0, 0.0]}
    return Divergence(0.0, shown, shown)
