"""Estimates the number of distinct values of a column by HyperLogLog (Flajolet and others, 2007), a mergeable sketch.

The estimator is Ertl's ("New cardinality estimation algorithms for HyperLogLog sketches", 2017), which needs no table to
correct its bias.
"""

from __future__ import annotations

import base64
import math
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl

from dq_pipelines.monitoring.metrics.blocks import blocks

#: 2 ** 12 registers: a standard error of 1.04 / 64, 1.6 %.
PRECISION = 12
_REGISTERS = 1 << PRECISION
#: bits of a hash that remain for the rank
_BITS = 64 - PRECISION
#: beyond what so many bits can be: no hash at all
_NONE = np.uint64(1 << _BITS)


class DistinctBuilder:
    """Collects a column's values for a sketch. Values may be added in parts, in any order."""

    def __init__(self) -> None:
        #: per register the least of the first 52 bits of its hashes, which has the most leading zeros
        self._least = np.full(_REGISTERS, _NONE)
        #: greater hashes raise no register
        self._greatest = (1 << 64) - 1

    def add(self, values: pl.Series) -> None:
        """Adds some values of the column, and ignores nulls."""
        # A fixed name: Polars takes a name such as "^a$" for a pattern, even of a series.
        values = values.alias("values")
        hashes = (values.drop_nulls() if values.null_count() else values).hash()
        if self._greatest < (1 << 64) - 1:
            hashes = hashes.filter(hashes <= self._greatest)
        for block in blocks(hashes.to_numpy()):
            np.minimum.at(self._least, (block & (_REGISTERS - 1)).view(np.int64), block >> PRECISION)
        greatest = int(self._least.max())
        if greatest < _NONE:
            self._greatest = ((greatest + 1) << PRECISION) - 1

    def distinct(self) -> Distinct:
        """Returns the sketch of all added values: per register the greatest rank (leading zeros plus one), 0 for none."""
        lengths = np.array([int(bits).bit_length() for bits in self._least], np.uint8)
        return Distinct((_BITS + 1 - lengths).astype(np.uint8), hash_family())


@cache
def hash_family() -> str:
    """Identifies Polars' hash function, which differs between releases: sketches of different ones cannot be merged."""
    return f"{pl.Series(['dq', 'pipelines']).hash().sum():x}"


@dataclass(frozen=True)
class Distinct:
    """A sketch of the distinct values of a column."""

    #: a rank for each register; shape (4096,), uint8
    ranks: np.ndarray
    #: identifies the hash function
    family: str

    def __add__(self, other: Distinct) -> Distinct | None:
        """Merges two sketches; None where their hash functions differ."""
        if self.family != other.family:
            return None
        return Distinct(np.maximum(self.ranks, other.ranks), self.family)

    def estimate(self) -> float:
        """Returns the estimated number of distinct values."""
        counts = np.bincount(self.ranks, minlength=_BITS + 2)
        total = _REGISTERS * _tau(1 - counts[_BITS + 1] / _REGISTERS)
        for rank in range(_BITS, 0, -1):
            total = 0.5 * (total + int(counts[rank]))
        total += _REGISTERS * _sigma(counts[0] / _REGISTERS)
        return float(_REGISTERS**2 / (2 * math.log(2)) / total) if math.isfinite(total) else 0.0

    def to_text(self) -> str:
        return f"{self.family}:{base64.b64encode(zlib.compress(self.ranks.tobytes(), 9)).decode()}"

    @classmethod
    def from_text(cls, text: str) -> Distinct:
        """Reads what `to_text` wrote."""
        family, _, packed = text.partition(":")
        return cls(np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8), family)


def _sigma(share: float) -> float:
    """Ertl's sum over empty registers; `share`: their share of all."""
    if share == 1.0:
        return math.inf
    total, weight, before = share, 1.0, math.nan
    while total != before:
        share *= share
        before, total, weight = total, total + share * weight, weight * 2
    return total


def _tau(share: float) -> float:
    """Ertl's sum over saturated registers; `share`: the share of the others."""
    if share in (0.0, 1.0):
        return 0.0
    total, weight, before = 1 - share, 1.0, math.nan
    while total != before:
        share = math.sqrt(share)
        weight *= 0.5
        before, total = total, total - (1 - share) ** 2 * weight
    return total / 3
