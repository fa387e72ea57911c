"""The arithmetic of bands: what is usual of some points, how wide a band must be, how far outside of it a point is."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: By how much the median absolute deviation of normal values is less than their standard deviation.
_MAD_OF_NORMAL = NormalDist().inv_cdf(0.75)
#: How much the spread below knows of the standard deviation, against the best estimate of it; found by simulation.
_EFFICIENCY = 0.7
#: How many median absolute deviations make an outlier, and how many points it takes to tell one.
_OUTLIER, _TELLING = 4.0, 10
#: The spread of a series that never varied, as a share of its level: a row more in a thousand is nothing.
_STEADY = 0.002


def centre(values: Floats) -> tuple[float, float]:
    """Median, and spread about it."""
    middle = float(np.median(values))
    return middle, spread(values - middle, middle)


def spread(off: Floats, level: float) -> float:
    """The standard deviation of what points are off, of all that are no outliers by their median.

    The median alone moves as little for outliers, but knows half as much: bands would have to be wider. Where more than half
    are off by nothing, the mean stands in; where all are, a five-hundredth of the level.
    """
    away = np.abs(off)
    usual = float(np.median(away)) / _MAD_OF_NORMAL
    if usual == 0:
        found = float(np.mean(away)) * math.sqrt(math.pi / 2)
    else:
        kept = away[away <= _OUTLIER * usual] if len(away) >= _TELLING else away
        found = math.sqrt(float(np.sum(np.square(kept / usual))) / max(len(kept) - 1, 1)) * usual
    return max(found, _STEADY * abs(level))


def half_width(deviation: float, points: float, sensitivity: float) -> float:
    """Half the band that a point to come stays inside as often as `sensitivity` says, if the points are normal.

    A median and a spread of few points are guesses: Student's t for what they know, by the approximation of Gaver and
    Kafadar (1984), and a median's own error beside the point's.
    """
    freedom = max(2.0, _EFFICIENCY * (points - 1))
    share = min(sensitivity**2 * (freedom - 1.5) / (freedom - 1) ** 2, 50.0)
    student = math.sqrt(freedom * math.expm1(share))
    return deviation * student * math.sqrt(1 + math.pi / 2 / max(points, 1.0))


def edge_score(off: float, half: float) -> float:
    """0 … 1: 0.5 at the edge of the band, near 1 many times that far out; 1 off a band without width."""
    if off == 0:
        return 0.0
    if half == 0 or math.isinf(off):
        return 1.0
    share = (off / half) ** 2
    return share / (share + 1)
