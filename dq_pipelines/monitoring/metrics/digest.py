"""Mergeable sketch of a column's numbers, for quantiles: a fine histogram in the scan, a t-digest for storage.

In the scan, numbers with the same first bits share a bucket (as in DDSketch, Masson and others, 2019) with a count and a
sum. Numbers of one bucket differ by at most 2 ** -15, relatively. The stored form is a t-digest (Dunning and Ertl, 2019):
few centroids, smaller ones towards both ends. A column of few values keeps them all.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass

import numpy as np

#: Bits of the mantissa that select the bucket: for numbers, and for moments, which are large numbers close together.
NUMBERS, MOMENTS = 14, 20

#: Most centroids of a digest (t-digest's delta); up to this number, buckets are kept unchanged.
_CENTROIDS = 128

_MANTISSA = 52
#: Distance of an outlier: in standard deviations, and in modified z-scores (Iglewicz and Hoaglin, 1993).
FAR, FAR_ROBUST = 3.0, 3.5

#: Factors by which the MAD (or, where it is 0, the mean absolute deviation) estimates a normal standard deviation.
_OF_MAD, _OF_MEAN = 1.4826, 1.2533


#: Buckets that are collected before they are merged.
_WAITING = 400_000


class Buckets:
    """Collects a column's numbers in buckets. Numbers may be added in parts, in any order."""

    def __init__(self, bits: int) -> None:
        self._mask = -(1 << (_MANTISSA - bits))
        #: each with keys in order, the least and the greatest number of a bucket, and how many it has
        self._parts: list[_Part] = []
        self._waiting = 0

    def add(self, numbers: np.ndarray) -> None:
        """Adds some numbers of the column: finite floats in ascending order, without a negative zero; shape (n,)."""
        keys = numbers.view(np.int64) & self._mask
        starts = _starts(keys)
        ends = np.append(starts[1:], len(keys))
        self._parts.append((keys[starts], numbers[starts], numbers[ends - 1], ends - starts))
        self._waiting += len(starts)
        if self._waiting > _WAITING:
            self._parts, self._waiting = [self._merged()], 0

    def digest(self) -> Digest:
        """Returns the digest of all added numbers, uncompressed. A bucket's mean is the middle of its least and greatest number."""
        if not self._parts:
            return Digest(np.array([]), np.array([]))
        _, least, greatest, weights = self._merged()
        means = least + (greatest - least) / 2
        order = np.argsort(means, kind="stable")  # the bits of negative numbers have the opposite order
        return Digest(means[order], weights[order].astype(np.float64))

    def _merged(self) -> _Part:
        if len(self._parts) == 1:
            return self._parts[0]
        keys, least, greatest, weights = (np.concatenate(parts) for parts in zip(*self._parts, strict=True))
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = _starts(keys)
        return (
            keys[starts],
            np.minimum.reduceat(least[order], starts),
            np.maximum.reduceat(greatest[order], starts),
            np.add.reduceat(weights[order], starts),
        )


_Part = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _starts(keys: np.ndarray) -> np.ndarray:
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
        starts = _starts(by)
        if not len(starts):
            return self
        weights = np.add.reduceat(self.weights, starts)
        means = np.add.reduceat(self.means * self.weights, starts) / weights
        alone = np.diff(np.append(starts, len(by))) == 1
        return Digest(np.where(alone, self.means[starts], means), weights, fine)

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
