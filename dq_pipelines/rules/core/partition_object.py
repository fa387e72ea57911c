"""Defines partitions, the shares of a column's values by value or by bin, and their divergence, as in GX."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import model_validator

from dq_pipelines.config.model import Many, Strict

_NEARLY_ONE = 1e-5


class Partition(Strict):
    """The expected shares: `weights` of `values`, or of the intervals between `bins`; they add up to 1.

    A bin includes its lower edge, and the last bin also its upper edge. `tail_weights` are the shares below and
    above all bins.
    """

    weights: Many[float]
    values: Many[Any] | None = None
    bins: Many[float] | None = None
    tail_weights: Many[float] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        tails = self.tail_weights or ()
        if (self.values is None) == (self.bins is None):
            raise ValueError("wanted weights with either values or bins")
        wanted = len(self.values) if self.values is not None else len(self.bins or ()) - 1
        if len(self.weights) != wanted:
            raise ValueError(f"wanted {wanted} weights, got {len(self.weights)}")
        if self.bins is not None and any(low >= high for low, high in pairwise(self.bins)):
            raise ValueError("wanted bins in rising order")
        if tails and (len(tails) != 2 or self.bins is None):
            raise ValueError("wanted two tail_weights, and bins with them")
        if self.bins is not None and tails and any(map(math.isinf, (self.bins[0], self.bins[-1]))):
            raise ValueError("wanted no tail_weights if the first or the last bin has no end")
        if abs(sum(self.weights) + sum(tails) - 1) > _NEARLY_ONE:
            raise ValueError(f"wanted weights that add up to 1, got {sum(self.weights) + sum(tails):g}")
        return self

    @property
    def kind(self) -> Literal["categorical", "continuous"]:
        return "categorical" if self.values is not None else "continuous"


def divergence(observed: Sequence[float], expected: Sequence[float]) -> float | None:
    """The Kullback-Leibler divergence, in nats, of the observed from the expected shares, each scaled to add up to 1.

    None if it is infinite (a value is observed whose expected share is 0), or if there is nothing to compare.
    """
    observed_total, expected_total = sum(observed), sum(expected)
    if not observed_total or not expected_total:
        return None
    total = 0.0
    for p, q in zip(observed, expected, strict=True):
        if p and not q:
            return None
        total += p / observed_total * math.log(p / observed_total / (q / expected_total)) if p else 0.0
    return total


def auto_bins(values: Sequence[tuple[float, int]]) -> list[float]:
    """Edges of equal bins for sorted values with counts: the larger number of bins by Sturges and Freedman-Diaconis."""
    count = sum(times for _, times in values)
    low, first, third, high = (_nearest(values, count, share) for share in (0.0, 0.25, 0.75, 1.0))
    bins, spread = math.ceil(math.log2(count + 1)), third - first
    if spread >= 1e-10:
        bins = max(bins, math.ceil((high - low) / (2 * spread / count ** (1 / 3))))
    width = (high - low) / bins
    return [low + width * place for place in range(bins)] + [high]


def _nearest(values: Sequence[tuple[float, int]], count: int, share: float) -> float:
    index = round(share * (count - 1))  # Python rounds a half to the even index, as numpy does
    for value, times in values:
        index -= times
        if index < 0:
            return value
    return values[-1][0]
