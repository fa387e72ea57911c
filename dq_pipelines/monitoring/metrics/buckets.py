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

_NOWHERE = np.array([], np.int64)

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
            left = self._tables[1].add(keys, block)
            if len(left):
                self._add_left(keys[left], block[left], len(block))

    def _add_left(self, keys: np.ndarray, numbers: np.ndarray, of: int) -> None:
        """Adds what the table had no place for, `of` so many numbers."""
        for table, own in zip(self._tables, (keys < 0, keys >= 0), strict=True):
            if not own.any():
                continue
            own_keys, own_numbers = keys[own], numbers[own]
            if of >= _FEWEST_NUMBERS and 8 * len(own_keys) > of:
                table.widen(own_keys)
            left = table.add(own_keys, own_numbers)
            if len(left):
                self._set_aside(own_numbers[left])

    def _set_aside(self, numbers: np.ndarray) -> None:
        numbers = np.sort(numbers)
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
    """Buckets with keys in one window, as arrays: eight times as fast as sorting.

    The arrays have one element more, which takes all numbers outside of the window: they are few, and to take them out first
    costs more than all the rest.
    """

    def __init__(self) -> None:
        self._first = 0
        self._least, self._greatest, self._weights = _empty(1)

    def add(self, keys: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Adds the numbers within the window; returns the places of the others; shape (n,)."""
        size = len(self._weights) - 1
        # Keys before the window become the greatest numbers without a sign.
        slots = np.minimum((keys - self._first).view(np.uint64), size).view(np.int64)
        np.add.at(self._weights, slots, 1)
        np.minimum.at(self._least, slots, numbers)
        np.maximum.at(self._greatest, slots, numbers)
        if not self._weights[size]:
            return _NOWHERE
        self._weights[size] = 0
        return np.flatnonzero(slots == size)

    def part(self) -> _Part:
        """The buckets that have numbers."""
        filled = np.flatnonzero(self._weights)  # the last element has been emptied
        return filled + self._first, self._least[filled], self._greatest[filled], self._weights[filled]

    def widen(self, keys: np.ndarray) -> None:
        """Widen the window to the keys around the middle one, as far as a table may reach."""
        middle = np.partition(keys, len(keys) // 2)[len(keys) // 2]
        near = keys[np.abs(keys - middle) < _MOST_KEYS // 2]
        first, last = int(near.min()), int(near.max())
        size = len(self._weights) - 1
        if size:
            end = self._first + size
            more = size // 2  # so that a column in order does not widen it with each block
            first = min(first - more if first < self._first else first, self._first)
            last = max(last + more if last >= end else last, end - 1)
        if last - first >= _MOST_KEYS:
            return
        arrays = _empty(last - first + 2)
        at = self._first - first
        for wide, narrow in zip(arrays, (self._least, self._greatest, self._weights), strict=True):
            wide[at : at + size] = narrow[:size]
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
