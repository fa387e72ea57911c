"""How a column's numbers lie: a histogram so fine that it tells quantiles, made in one pass and merged afterwards.

In the scan, numbers whose first bits agree fall into one bucket (as in DDSketch, Masson and others, 2019), of which the
count and the sum are kept: each lies within 2 ** -15 of its bucket's others, relatively. What is kept of them for later
is a t-digest (Dunning and Ertl, 2019): few centroids, small ones towards both ends. A column of few values keeps them all.
"""

from __future__ import annotations

import base64
import threading
import zlib
from dataclasses import dataclass

import numpy as np
import polars as pl

#: Bits of the mantissa that tell buckets apart: of any number, and of moments, which are large numbers near each other.
NUMBERS, MOMENTS = 14, 20

#: As many centroids a digest has at most, t-digest's delta; buckets are kept as they are up to as many.
_CENTROIDS = 128

_MANTISSA = 52
_BUCKET, _VALUE, _WEIGHT = "bucket", "value", "weight"

#: How far out a value is an outlier: in standard deviations, and in modified z-scores (Iglewicz and Hoaglin, 1993).
FAR, FAR_ROBUST = 3.0, 3.5

#: What makes the MAD, or the mean absolute deviation where that is 0, an estimate of the standard deviation of a normal one.
_OF_MAD, _OF_MEAN = 1.4826, 1.2533


#: So many rows of buckets of parts may wait until they are put together.
_WAITING = 200_000


class Buckets:
    """The buckets of a column's numbers so far: values come in parts, in any order, from any thread."""

    def __init__(self, bits: int) -> None:
        self._mask = -(1 << (_MANTISSA - bits))
        self._lock = threading.Lock()
        self._parts: list[pl.DataFrame] = []
        self._waiting = 0

    def meet(self, values: pl.Series) -> None:
        """Some numbers of the column: finite floats or nulls."""
        values = values.alias(_VALUE).drop_nulls()
        keys = (values.reinterpret(dtype=pl.Int64) & self._mask).alias(_BUCKET)
        part = pl.DataFrame([keys, values]).group_by(_BUCKET).agg(pl.col(_VALUE).sum(), pl.len().alias(_WEIGHT))
        with self._lock:
            self._parts.append(part)
            self._waiting += part.height
            if self._waiting > _WAITING:
                self._parts, self._waiting = [self._together()], 0

    def digest(self) -> Digest:
        """All that was met, as fine as it was met."""
        if not self._parts:
            return Digest(np.array([]), np.array([]))
        whole = self._together().select(pl.col(_VALUE) / pl.col(_WEIGHT), pl.col(_WEIGHT).cast(pl.Float64)).sort(_VALUE)
        return Digest(whole[_VALUE].to_numpy(), whole[_WEIGHT].to_numpy())

    def _together(self) -> pl.DataFrame:
        return pl.concat(self._parts).group_by(_BUCKET).agg(pl.col(_VALUE, _WEIGHT).sum())


@dataclass(frozen=True)
class Digest:
    """Numbers as centroids: a mean and a weight each, in ascending order."""

    #: shape (n,), float64
    means: np.ndarray
    #: numbers that each stands for; shape (n,), float64
    weights: np.ndarray
    #: whether each centroid is one value, or as good as one: then quantiles are exact
    fine: bool = True

    @property
    def count(self) -> float:
        return float(self.weights.sum())

    def __add__(self, other: Digest) -> Digest:
        means, weights = np.concatenate([self.means, other.means]), np.concatenate([self.weights, other.weights])
        order = np.argsort(means, kind="stable")
        both = Digest(means[order], weights[order], self.fine and other.fine)
        return both._alike_together().compressed()

    def compressed(self) -> Digest:
        """At most 128 centroids, of which each holds what fits into a step of t-digest's scale k1."""
        if len(self.means) <= _CENTROIDS:
            return self
        middles = (np.cumsum(self.weights) - self.weights / 2) / self.count
        cells = np.floor(_CENTROIDS * (np.arcsin(2 * np.clip(middles, 0, 1) - 1) / np.pi + 0.5))
        return self._grouped(cells, fine=False)

    def _alike_together(self) -> Digest:
        """Centroids with the same mean as one."""
        return self._grouped(self.means, fine=self.fine)

    def _grouped(self, by: np.ndarray, *, fine: bool) -> Digest:
        starts = np.flatnonzero(np.concatenate([[True], by[1:] != by[:-1]])) if len(by) else np.array([], int)
        if not len(starts):
            return self
        weights = np.add.reduceat(self.weights, starts)
        means = np.add.reduceat(self.means * self.weights, starts) / weights
        alone = np.diff(np.append(starts, len(by))) == 1
        return Digest(np.where(alone, self.means[starts], means), weights, fine)

    def quantile(self, share: float) -> float:
        """The value that `share` (0 to 1) of all are not above, linear between two neighbours."""
        place = share * (self.count - 1)
        if not self.fine:
            return float(np.interp(place + 0.5, np.cumsum(self.weights) - self.weights / 2, self.means))
        ends = np.cumsum(self.weights) - 1
        lower = self.means[np.searchsorted(ends, np.floor(place))]
        upper = self.means[np.searchsorted(ends, np.ceil(place))]
        return float(lower + (upper - lower) * (place - np.floor(place)))

    def share_to(self, value: float) -> float:
        """The share (0 to 1) of all numbers that are not above `value`."""
        if self.fine:
            return float(self.weights[self.means <= value].sum()) / self.count
        middles = np.cumsum(self.weights) - self.weights / 2
        return float(np.interp(value, self.means, middles, left=0.0, right=self.count)) / self.count

    def beyond(self, center: float, distance: float) -> int:
        """How many numbers are further than `distance` from `center`; what differs by rounding alone is none of them."""
        distance = max(distance, 1e-12 * abs(center))
        return round(float(self.weights[np.abs(self.means - center) > distance].sum()))

    def robust_outliers(self) -> int:
        """How many numbers have a modified z-score above 3.5."""
        center = self.quantile(0.5)
        away = np.abs(self.means - center)
        order = np.argsort(away, kind="stable")
        spread = _OF_MAD * Digest(away[order], self.weights[order], self.fine).quantile(0.5)
        if not spread:
            spread = _OF_MEAN * float((away * self.weights).sum() / self.count)
        return self.beyond(center, FAR_ROBUST * spread) if spread else 0

    def to_text(self) -> str:
        packed = np.concatenate([self.means, self.weights]).tobytes()
        return f"{int(self.fine)}:{base64.b64encode(zlib.compress(packed, 9)).decode()}"

    @classmethod
    def from_text(cls, text: str) -> Digest:
        """What `to_text` wrote."""
        fine, _, packed = text.partition(":")
        means, weights = np.frombuffer(zlib.decompress(base64.b64decode(packed))).reshape(2, -1)
        return cls(means, weights, fine == "1")
