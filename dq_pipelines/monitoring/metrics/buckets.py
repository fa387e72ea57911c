"""A fine histogram of a column's numbers, made in the scan.

Numbers with the same first bits share a bucket (as in DDSketch, Masson and others, 2019), with a count, the least and the greatest of
them. Numbers of one bucket differ by at most 2 ** -15, relatively. The same numbers make the same buckets in any order.
"""

from __future__ import annotations

import numpy as np

from dq_pipelines.monitoring.metrics.blocks import blocks
from dq_pipelines.monitoring.metrics.digest import Digest, starts

#: Bits of the mantissa that select the bucket: for numbers, and for moments, which are large numbers close together.
NUMBERS, MOMENTS = 14, 20

_MANTISSA = 52
#: Most keys that a table spans (24 bytes each), and the fewest numbers for which it is made.
_MOST_KEYS, _FEWEST_NUMBERS = 1 << 20, 1_024
#: Buckets in parts that are collected before they are merged.
_WAITING = 400_000

#: Keys, equal ones together, and for each the least number, the greatest, and how many there are.
_Part = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class Buckets:
    """Collects a column's numbers in buckets. Numbers may be added in parts, in any order."""

    def __init__(self, bits: int) -> None:
        self._shift = _MANTISSA - bits
        #: of negative numbers, and of others
        self._tables = _Table(), _Table()
        self._parts: list[_Part] = []
        self._waiting = 0

    def add(self, numbers: np.ndarray) -> None:
        """Adds some numbers of the column: finite floats without a negative zero; shape (n,)."""
        for block in blocks(numbers):
            keys = block.view(np.int64) >> self._shift
            negative = keys < 0
            if not negative.any():
                self._add(self._tables[1], keys, block)
                continue
            self._add(self._tables[0], keys[negative], block[negative])
            self._add(self._tables[1], keys[~negative], block[~negative])

    def _add(self, table: _Table, keys: np.ndarray, numbers: np.ndarray) -> None:
        left = table.add(keys, numbers)
        if not left.any():
            return
        numbers = np.sort(numbers[left])
        keys = numbers.view(np.int64) >> self._shift
        self._parts.append(_reduced(keys, numbers, numbers, np.ones(len(keys), np.int64)))
        self._waiting += len(self._parts[-1][0])
        if self._waiting > max(_WAITING, 2 * len(self._parts[0][0])):
            self._parts = [_merged(self._parts)]
            self._waiting = len(self._parts[0][0])

    def digest(self) -> Digest:
        """Returns the digest of all added numbers, uncompressed. A bucket's mean is the middle of its least and greatest number."""
        _, least, greatest, weights = _merged([*self._parts, *(table.part() for table in self._tables)])
        means = least + (greatest - least) / 2
        order = np.argsort(means, kind="stable")  # the bits of negative numbers have the opposite order
        return Digest(means[order], weights[order].astype(np.float64))


class _Table:
    """Buckets with keys in one window, as arrays: eight times as fast as sorting."""

    def __init__(self) -> None:
        self._first = 0
        self._least, self._greatest, self._weights = _empty(0)

    def add(self, keys: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Adds the numbers within the window, which moves to where many are; returns which are left; shape (n,), bool."""
        outside = self._outside(keys)
        if len(keys) >= _FEWEST_NUMBERS and 8 * np.count_nonzero(outside) > len(keys):
            self._widen(keys[outside])
            outside = self._outside(keys)
        if outside.any():
            keys, numbers = keys[~outside], numbers[~outside]
        places = keys - self._first
        np.add.at(self._weights, places, 1)
        np.minimum.at(self._least, places, numbers)
        np.maximum.at(self._greatest, places, numbers)
        return outside

    def part(self) -> _Part:
        """The buckets that have numbers."""
        filled = np.flatnonzero(self._weights)
        return filled + self._first, self._least[filled], self._greatest[filled], self._weights[filled]

    def _outside(self, keys: np.ndarray) -> np.ndarray:
        return (keys < self._first) | (keys >= self._first + len(self._weights))

    def _widen(self, keys: np.ndarray) -> None:
        """Widen the window to the keys around the middle one, as far as a table may reach."""
        middle = np.partition(keys, len(keys) // 2)[len(keys) // 2]
        near = keys[np.abs(keys - middle) < _MOST_KEYS // 2]
        first, last = int(near.min()), int(near.max())
        if len(self._weights):
            end = self._first + len(self._weights)
            more = len(self._weights) // 2  # so that a column in order does not widen it with each block
            first = min(first - more if first < self._first else first, self._first)
            last = max(last + more if last >= end else last, end - 1)
        if last - first >= _MOST_KEYS:
            return
        arrays = _empty(last - first + 1)
        at = self._first - first
        for wide, narrow in zip(arrays, (self._least, self._greatest, self._weights), strict=True):
            wide[at : at + len(narrow)] = narrow
        self._first = first
        self._least, self._greatest, self._weights = arrays


def _empty(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.full(size, np.inf), np.full(size, -np.inf), np.zeros(size, np.int64)


def _merged(parts: list[_Part]) -> _Part:
    keys, least, greatest, weights = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(keys, kind="stable")
    return _reduced(keys[order], least[order], greatest[order], weights[order])


def _reduced(keys: np.ndarray, least: np.ndarray, greatest: np.ndarray, weights: np.ndarray) -> _Part:
    """One bucket for each run of equal keys."""
    first = starts(keys)
    if not len(first):
        return keys, least, greatest, weights
    return (
        keys[first],
        np.minimum.reduceat(least, first),
        np.maximum.reduceat(greatest, first),
        np.add.reduceat(weights, first),
    )
