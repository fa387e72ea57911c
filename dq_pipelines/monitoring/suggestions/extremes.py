"""Finds numbers beyond the tail of a distribution: after a large gap, or outside a normal distribution."""

from __future__ import annotations

import math
from statistics import NormalDist

import polars as pl

#: The largest share of rows outside, and the least number of rows.
_FEW, _LEAST_ROWS = 0.005, 200
#: Width of a gap in mean excesses of the tail before it; for positive numbers, also in logarithms. An exponential tail
#: has such a gap once in 3 million series, a power-law tail once in 3,000.
_GAP, _LOGARITHMIC_GAP = 15.0, 8.0
#: Size of the tail: least rows, and share of all rows.
_TAIL_ROWS, _TAIL = 20, 0.001
#: Largest deviation of quantiles from those of a normal distribution, in standard deviations.
_BELL = 0.06
_BELL_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
#: Expected number of rows outside the bound of the normal distribution.
_EXPECTED = 0.01


def beyond_the_tail(numbers: pl.DataFrame, step: float) -> float | None:
    """Returns the least number that lies outside the tail; None where none does.

    `numbers` has `value` (finite floats, ascending) and `count`; `step` is the least distance of two numbers.
    """
    total = int(numbers["count"].sum() or 0)
    if total < _LEAST_ROWS:
        return None
    candidates = (_after_gap(numbers, total, step), _outside_bell(numbers, total))
    return min((number for number in candidates if number is not None), default=None)


def _after_gap(numbers: pl.DataFrame, total: int, step: float) -> float | None:
    values, counts = numbers["value"].to_list(), numbers["count"].to_list()
    outside, best = 0, None
    for place in range(len(values) - 1, 0, -1):
        outside += counts[place]
        if outside > max(1.0, _FEW * total):
            break
        if values[place] - values[place - 1] >= _GAP * step and _is_gap(values, counts, place, total, step):
            best = values[place]
    return best


def _is_gap(values: list[float], counts: list[int], place: int, total: int, step: float) -> bool:
    """Whether the numbers from `place` on are farther from the earlier ones than the tail explains."""
    wanted, rows, start = max(_TAIL_ROWS, int(_TAIL * total)), 0, place
    while start > 0 and rows < wanted:
        start -= 1
        rows += counts[start]
    foot, last, first = values[start], values[place - 1], values[place]
    # A tail of few distinct numbers has larger steps between them.
    before = values[max(0, place - _TAIL_ROWS) : place]
    step = max(step, (last - before[0]) / len(before))
    excess = sum((value - foot) * count for value, count in zip(values[start:place], counts[start:place], strict=True))
    if first - last < _GAP * max(excess / rows, step):
        return False
    if foot <= 0:
        return True
    logarithms = sum(
        math.log(value / foot) * count for value, count in zip(values[start:place], counts[start:place], strict=True)
    )
    return math.log(first / last) >= _LOGARITHMIC_GAP * max(logarithms / rows, math.log((last + step) / last) / 2)


def _outside_bell(numbers: pl.DataFrame, total: int) -> float | None:
    """Returns the least number above a normal distribution of the others; None without one, or if they are not normal."""
    normal, upto, value = NormalDist(), numbers["count"].cum_sum(), numbers["value"]
    if numbers.height < 50:
        return None
    at = {p: float(value[int(upto.search_sorted(p * total))]) for p in _BELL_QUANTILES}
    middle, width = at[0.5], (at[0.75] - at[0.25]) / (2 * normal.inv_cdf(0.75))
    if width <= 0 or any(
        abs((at[p] - middle) / width - normal.inv_cdf(p)) > _BELL + 3 / math.sqrt(total * min(p, 1 - p)) for p in at
    ):
        return None
    bound = middle + width * normal.inv_cdf(1 - _EXPECTED / total / 2)
    outside = numbers.filter(pl.col("value") > bound)
    few = 0 < int(outside["count"].sum() or 0) <= _FEW * total
    return float(outside["value"][0]) if few else None
