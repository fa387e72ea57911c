"""Streaming distance for raw series: a point is anomalous when the stretch that it ends is like none that was before.

The distance of a stretch to the nearest earlier one (a matrix profile that looks to the left alone; Yeh et al., "Matrix
Profile I", ICDM 2016) is taken at several lengths, and measured against what such distances were of late: what has always
varied may vary. An event is told once: what follows it counts only when it is stranger still.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dq_pipelines.monitoring.anomalies.bands import Floats
from dq_pipelines.monitoring.anomalies.strategy import Judgement, Strategy

#: Lengths of the stretches, in points.
_LENGTHS = (1, 4, 16, 32, 64, 128, 256)
#: How far back like stretches are looked for, in points.
_MEMORY = 4_000
#: What of its weight a distance keeps from point to point in what is usual: half after 1,400.
_KEPT = 0.9995
#: Powers of the means: of distances over time, where rare large ones shall count, and of the lengths at one point.
_OVER_TIME, _OVER_LENGTHS = 4, 4
#: How many times what is usual a stretch is away at the edge of the band.
_EDGE = 1.3
#: For how many points an event goes on, and how much stranger than its beginning a point is that is told of its own.
_EVENT, _STRANGER = 200, 1.5
#: Distances that make a usual one, the share of the largest that is no distance (sums of floats), and the most that counts.
_FEW, _NOTHING, _FAR = 50, 1e-9, 100.0


@dataclass(frozen=True)
class Novelty(Strategy):
    """How new the last 1, 4, 16 … 256 points are. It has no band: nothing is expected but what has been."""

    name: ClassVar[str] = "novelty"

    minimum_history: int = 64

    def expect(self, times: Floats, values: Floats, at: float) -> None:
        return None

    def judge(self, times: Floats, values: Floats, at: float, value: float) -> Judgement:
        known = values[np.isfinite(values)]
        if not math.isfinite(value):
            return Judgement.passed("no value")
        if len(known) < self.minimum_history:
            return Judgement.passed(f"not enough history: {len(known)} of {self.minimum_history} points")
        score = float(self.scores(np.append(times, at), np.append(values, value))[-1])
        return Judgement(None, None, None, score, anomalous=score > 0.5)

    def scores(self, times: Floats, values: Floats) -> Floats:
        found, known = np.zeros(len(values)), np.isfinite(values)
        away = strangeness(values[known])
        away[: self.minimum_history] = 0
        # The edge was measured for the usual sensitivity of 3.
        edge = _EDGE * self.sensitivity / 3
        told = once(away, edge)
        found[known] = told**2 / (told**2 + edge**2)
        return found


def strangeness(values: Floats) -> Floats:
    """How many times what is usual the stretches that end at each point are away from all before; finite values in."""
    profiles = [_against_usual(profile) for profile in left_profiles(values).values()]
    return np.asarray(np.mean(np.power(profiles, _OVER_LENGTHS), axis=0) ** (1 / _OVER_LENGTHS))


def left_profiles(values: Floats) -> dict[int, Floats]:
    """For each length, how far the stretch that ends at each point is from the nearest before it, in the values' unit.

    Stretches do not overlap; the distance is the mean of what their points are apart. NaN where there is none before.
    """
    rows = len(values)
    nearest = {length: np.full(rows, np.inf) for length in _LENGTHS}
    for lag in range(1, min(rows, _MEMORY + 1)):
        apart = np.concatenate([[0.0], np.cumsum(np.abs(values[lag:] - values[:-lag]))])
        for length in _LENGTHS:
            if lag >= length and len(apart) > length:
                ends = nearest[length][lag + length - 1 :]
                np.minimum(ends, apart[length:] - apart[:-length], out=ends)
    return {length: np.where(np.isfinite(found), found / length, np.nan) for length, found in nearest.items()}


def _against_usual(profile: Floats) -> Floats:
    """Each distance by a mean of those before it that weighs late and large ones more; 0 while there are few."""
    found, usual, weight, largest = np.zeros(len(profile)), 0.0, 0.0, 0.0
    for row, distance in enumerate(profile.tolist()):
        if math.isnan(distance):
            continue
        if largest > 0:
            share = distance / largest  # in shares of the largest, whose powers neither overflow nor vanish
            if weight > _FEW:
                found[row] = share / max((usual / weight) ** (1 / _OVER_TIME), _NOTHING)
        if distance > largest:
            usual *= (largest / distance) ** _OVER_TIME
            largest = distance
        usual = usual * _KEPT + ((distance / largest) ** _OVER_TIME if largest else 0.0)
        weight = weight * _KEPT + 1
    return np.minimum(found, _FAR)


def once(away: Floats, edge: float) -> Floats:
    """An event's first point and those that are much stranger, as they are; others of it are kept below the edge."""
    found, told, since = np.minimum(away / 3, edge / 2), 0.0, -_EVENT
    for row, strange in enumerate(away.tolist()):
        if row - since > _EVENT:
            told = 0.0
        if strange > told * _STRANGER:
            found[row], told, since = strange, strange, row
    return found
