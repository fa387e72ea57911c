"""Computes bands: centre and spread of points, the width of a band, and the score of a point."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Ratio of the median absolute deviation to the standard deviation of normal values.
_MAD_OF_NORMAL = NormalDist().inv_cdf(0.75)
#: Statistical efficiency of `spread` against the best estimate of the standard deviation; found by simulation.
_EFFICIENCY = 0.7
#: Outliers are beyond so many median absolute deviations; with fewer points than the second number there are none.
_OUTLIER, _LEAST_POINTS = 4.0, 10
#: The spread of a constant series, as a share of its level: one row more in a thousand is no anomaly.
_STEADY = 0.002


def centre(values: Floats) -> tuple[float, float]:
    """Returns the median, and the spread about it."""
    middle = float(np.median(values))
    return middle, spread(values - middle, middle)


def spread(off: Floats, level: float) -> float:
    """Returns the standard deviation of the deviations `off`, without outliers.

    The median absolute deviation is as robust but half as efficient, so its bands would have to be wider. Where more
    than half of the deviations are 0, the mean absolute deviation is used instead; where all are, 0.2 % of the level.
    """
    away = np.abs(off)
    usual = float(np.median(away)) / _MAD_OF_NORMAL
    if usual == 0:
        deviation = float(np.mean(away)) * math.sqrt(math.pi / 2)
    else:
        kept = away[away <= _OUTLIER * usual] if len(away) >= _LEAST_POINTS else away
        deviation = math.sqrt(float(np.sum(np.square(kept / usual))) / max(len(kept) - 1, 1)) * usual
    return max(deviation, _STEADY * abs(level))


def half_width(deviation: float, points: float, sensitivity: float) -> float:
    """Returns half the width of the band for the next point, if the points are normal.

    `sensitivity` is in standard deviations. A median and a spread of few points are uncertain. Student's t accounts for
    this, by the approximation of Gaver and Kafadar (1984). The error of the median is added to that of the point.
    """
    freedom = max(2.0, _EFFICIENCY * (points - 1))
    share = min(sensitivity**2 * (freedom - 1.5) / (freedom - 1) ** 2, 50.0)
    student = math.sqrt(freedom * math.expm1(share))
    return deviation * student * math.sqrt(1 + math.pi / 2 / max(points, 1.0))


def edge_score(off: float, half: float) -> float:
    """Returns a score from 0 to 1: 0.5 at the edge of the band, near 1 far outside; 1 off a band without width."""
    if off == 0:
        return 0.0
    if half == 0 or math.isinf(off):
        return 1.0
    share = (off / half) ** 2
    return share / (share + 1)
