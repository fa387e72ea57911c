"""Numbers that do not belong to the tail that they lie beyond: by the gap before them, or by the bell curve of the others."""

from __future__ import annotations

import math
from statistics import NormalDist

import polars as pl

#: The share of rows that may lie outside, and how many rows there must be at least.
_FEW, _LEAST_ROWS = 0.005, 200
#: A gap is so many times as wide as the tail before it is on average above its last rows (its mean excess), and, of
#: positive numbers, so many times by logarithms. Exponential tails have such a gap once in 3 million, tails of a power
#: once in 3,000.
_GAP, _LOGARITHMIC_GAP = 15.0, 8.0
#: The last rows of a tail: so many, and so large a share of all.
_TAIL_ROWS, _TAIL = 20, 0.001
#: How far the quantiles of a bell curve may be from where they should be, in standard deviations.
_BELL = 0.06
_BELL_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
#: So many rows may be expected outside the bell curve's bound.
_EXPECTED = 0.01


def beyond_the_tail(numbers: pl.DataFrame, step: float) -> float | None:
    """The least of the numbers that lie outside; None where the tail ends as it began.

    `numbers` has `value` (finite floats, ascending) and `count`; `step` is the least distance that two numbers may have.
    """
    total = int(numbers["count"].sum() or 0)
    if total < _LEAST_ROWS:
        return None
    found = (_after_gap(numbers, total, step), _outside_bell(numbers, total))
    return min((number for number in found if number is not None), default=None)


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
    """Whether the numbers from `place` on are farther from those before than their tail explains."""
    wanted, rows, start = max(_TAIL_ROWS, int(_TAIL * total)), 0, place
    while start > 0 and rows < wanted:
        start -= 1
        rows += counts[start]
    foot, last, first = values[start], values[place - 1], values[place]
    # Where few distinct numbers make up the tail, it is they that lie apart.
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
    """The least number above the bell curve that the others are spread by; None where there is none, or no such curve."""
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
