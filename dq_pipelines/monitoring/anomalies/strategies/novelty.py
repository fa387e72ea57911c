"""Strategy `novelty`, for raw series: a point is anomalous when the subsequence that it ends is unlike all earlier ones.

It takes the distance of a subsequence to the nearest earlier one (a left matrix profile; Yeh et al., "Matrix Profile I",
ICDM 2016) at several lengths, and divides it by the recent usual distances. An event is reported once: the points after it
count only when they are far more unusual.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dq_pipelines.monitoring.anomalies.bands import Floats
from dq_pipelines.monitoring.anomalies.strategy import Judgement, Strategy

#: Lengths of the subsequences, in points.
_LENGTHS = (1, 4, 16, 32, 64, 128, 256)
#: How far back similar subsequences are searched, in points.
_MEMORY = 4_000
#: Decay per point of a distance's weight in the usual distance: half after 1,400 points.
_KEPT = 0.9995
#: Exponents of the power means: over time, where rare large distances must count, and over lengths.
_OVER_TIME, _OVER_LENGTHS = 4, 4
#: The edge of the band, in usual distances.
_EDGE = 1.3
#: Points that an event lasts, and how much more unusual than its beginning a point must be to be reported too.
_EVENT, _STRANGER = 200, 1.5
#: Fewest distances for a usual one; the share of the largest that counts as 0 (rounding of sums); the largest ratio.
_FEW, _NOTHING, _FAR = 50, 1e-9, 100.0


@dataclass(frozen=True)
class Novelty(Strategy):
    """Scores how new the last 1, 4, 16 … 256 points are. It has no band."""

    name: ClassVar[str] = "novelty"

    minimum_history: int = 64

    def expect(self, times: Floats, values: Floats, at: float) -> None:
        return None

    def judge(self, times: Floats, values: Floats, at: float, value: float) -> Judgement:
        finite = values[np.isfinite(values)]
        if not math.isfinite(value):
            return Judgement.passed("no value")
        if len(finite) < self.minimum_history:
            return Judgement.passed(f"not enough history: {len(finite)} of {self.minimum_history} points")
        score = float(self.scores(np.append(times, at), np.append(values, value))[-1])
        return Judgement(None, None, None, score, anomalous=score > 0.5)

    def scores(self, times: Floats, values: Floats) -> Floats:
        scores, is_finite = np.zeros(len(values)), np.isfinite(values)
        novelty = relative_distance(values[is_finite])
        novelty[: self.minimum_history] = 0
        # The edge was measured for the default sensitivity of 3.
        edge = _EDGE * self.sensitivity / 3
        reported = report_events_once(novelty, edge)
        scores[is_finite] = reported**2 / (reported**2 + edge**2)
        return scores


def relative_distance(values: Floats) -> Floats:
    """Returns, for each point, the distance of its subsequences to the nearest earlier ones, in usual distances.

    `values` must be finite.
    """
    profiles = [_against_usual(profile) for profile in left_profiles(values).values()]
    return np.asarray(np.mean(np.power(profiles, _OVER_LENGTHS), axis=0) ** (1 / _OVER_LENGTHS))


def left_profiles(values: Floats) -> dict[int, Floats]:
    """Returns, by length, the distance of the subsequence ending at each point to the nearest earlier one.

    Subsequences do not overlap. The distance is the mean absolute difference, in the values' unit; NaN without an
    earlier subsequence.
    """
    rows = len(values)
    nearest = {length: np.full(rows, np.inf) for length in _LENGTHS}
    for lag in range(1, min(rows, _MEMORY + 1)):
        apart = np.concatenate([[0.0], np.cumsum(np.abs(values[lag:] - values[:-lag]))])
        for length in _LENGTHS:
            if lag >= length and len(apart) > length:
                ends = nearest[length][lag + length - 1 :]
                np.minimum(ends, apart[length:] - apart[:-length], out=ends)
    return {length: np.where(np.isfinite(sums), sums / length, np.nan) for length, sums in nearest.items()}


def _against_usual(profile: Floats) -> Floats:
    """Divides each distance by a mean of the earlier ones that weights recent and large ones more; 0 while there are few."""
    ratios, usual, weight, largest = np.zeros(len(profile)), 0.0, 0.0, 0.0
    for row, distance in enumerate(profile.tolist()):
        if math.isnan(distance):
            continue
        if largest > 0:
            share = distance / largest  # powers of shares of the largest neither overflow nor vanish
            if weight > _FEW:
                ratios[row] = share / max((usual / weight) ** (1 / _OVER_TIME), _NOTHING)
        if distance > largest:
            usual *= (largest / distance) ** _OVER_TIME
            largest = distance
        usual = usual * _KEPT + ((distance / largest) ** _OVER_TIME if largest else 0.0)
        weight = weight * _KEPT + 1
    return np.minimum(ratios, _FAR)


def report_events_once(novelty: Floats, edge: float) -> Floats:
    """Keeps the novelty of an event's first point, and of far more unusual ones; lowers its other points below the edge."""
    reported, event_novelty, since = np.minimum(novelty / 3, edge / 2), 0.0, -_EVENT
    for row, value in enumerate(novelty.tolist()):
        if row - since > _EVENT:
            event_novelty = 0.0
        if value > event_novelty * _STRANGER:
            reported[row], event_novelty, since = value, value, row
    return reported


STRATEGY = Novelty
