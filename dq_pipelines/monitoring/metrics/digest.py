"""Mergeable sketch of a column's numbers, for quantiles.

It begins as the histogram that the scan makes (`buckets`). The stored form is a t-digest (Dunning and Ertl, 2019): few
centroids, smaller ones towards both ends. A column of few values keeps them all.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass

import numpy as np

#: Most centroids of a digest (t-digest's delta); up to this number, buckets are kept unchanged.
_CENTROIDS = 128

#: Distance of an outlier: in standard deviations, and in modified z-scores (Iglewicz and Hoaglin, 1993).
FAR, FAR_ROBUST = 3.0, 3.5

#: Factors by which the MAD (or, where it is 0, the mean absolute deviation) estimates a normal standard deviation.
_OF_MAD, _OF_MEAN = 1.4826, 1.2533


def starts(keys: np.ndarray) -> np.ndarray:
    """Where each run of equal keys starts; shape (m,)."""
    return np.flatnonzero(np.concatenate([[len(keys) > 0], keys[1:] != keys[:-1]]))


@dataclass(frozen=True)
class Digest:
    """A distribution of numbers as centroids with a mean and a weight, in ascending order."""

    #: shape (n,), float64
    means: np.ndarray
    #: count of numbers per centroid; shape (n,), float64
    weights: np.ndarray
    #: whether each centroid is practically a single value, so that quantiles are exact
    fine: bool = True

    @property
    def count(self) -> float:
        return float(self.weights.sum())

    def __add__(self, other: Digest) -> Digest:
        means, weights = np.concatenate([self.means, other.means]), np.concatenate([self.weights, other.weights])
        order = np.argsort(means, kind="stable")
        both = Digest(means[order], weights[order], self.fine and other.fine)
        return both._equal_means_merged().compressed()

    def compressed(self) -> Digest:
        """Returns a digest of at most 128 centroids, one for each step of t-digest's scale k1."""
        if len(self.means) <= _CENTROIDS:
            return self
        middles = (np.cumsum(self.weights) - self.weights / 2) / self.count
        cells = np.floor(_CENTROIDS * (np.arcsin(2 * np.clip(middles, 0, 1) - 1) / np.pi + 0.5))
        return self._grouped(cells, fine=False)

    def _equal_means_merged(self) -> Digest:
        """Merges centroids with the same mean."""
        return self._grouped(self.means, fine=self.fine)

    def _grouped(self, by: np.ndarray, *, fine: bool) -> Digest:
        first = starts(by)
        if not len(first):
            return self
        weights = np.add.reduceat(self.weights, first)
        means = np.add.reduceat(self.means * self.weights, first) / weights
        alone = np.diff(np.append(first, len(by))) == 1
        return Digest(np.where(alone, self.means[first], means), weights, fine)

    def quantile(self, share: float) -> float:
        """Returns the value that `share` (0 to 1) of all numbers do not exceed, interpolated between neighbours."""
        place = share * (self.count - 1)
        if not self.fine:
            return float(np.interp(place + 0.5, np.cumsum(self.weights) - self.weights / 2, self.means))
        ends = np.cumsum(self.weights) - 1
        lower = self.means[np.searchsorted(ends, np.floor(place))]
        upper = self.means[np.searchsorted(ends, np.ceil(place))]
        return float(lower + (upper - lower) * (place - np.floor(place)))

    def share_to(self, value: float) -> float:
        """Returns the share (0 to 1) of all numbers that do not exceed `value`."""
        if self.fine:
            return float(self.weights[self.means <= value].sum()) / self.count
        middles = np.cumsum(self.weights) - self.weights / 2
        return float(np.interp(value, self.means, middles, left=0.0, right=self.count)) / self.count

    def beyond(self, center: float, distance: float) -> int:
        """Counts numbers farther than `distance` from `center`, apart from rounding errors."""
        distance = max(distance, 1e-12 * abs(center))
        return round(float(self.weights[np.abs(self.means - center) > distance].sum()))

    def robust_outliers(self) -> int:
        """Counts numbers with a modified z-score above 3.5."""
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
        """Reads what `to_text` wrote."""
        fine, _, packed = text.partition(":")
        means, weights = np.frombuffer(zlib.decompress(base64.b64decode(packed))).reshape(2, -1)
        return cls(means, weights, fine == "1")
