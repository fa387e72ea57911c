"""How many different values a column has: HyperLogLog (Flajolet and others, 2007), which can be merged.

The estimator is Ertl's ("New cardinality estimation algorithms for HyperLogLog sketches", 2017): it has no bias that
would have to be tabled, from one value to as many as there are hashes.
"""

from __future__ import annotations

import base64
import math
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl

#: 2 ** 12 registers: a standard error of 1.04 / 64, 1.6 %.
PRECISION = 12
_REGISTERS = 1 << PRECISION
#: bits of a hash that are left for the rank
_BITS = 64 - PRECISION


class Seen:
    """Which ranks the registers have met so far: values come in parts, in any order, from any thread."""

    def __init__(self) -> None:
        #: by register, and by leading zeros of a hash; setting a flag twice, or two at once, does no harm
        self._flags = np.zeros(_REGISTERS * 64, bool)

    def meet(self, values: pl.Series) -> None:
        """Some values of the column; nulls are none."""
        # Not by its own name: Polars takes "^a$" for a pattern, of a series too.
        values = values.alias("values")
        hashes = (values.drop_nulls() if values.null_count() else values).hash()
        # A register is told by the last 12 bits; where all others are 0, these must not be counted as zeros.
        zeros = hashes.bitwise_leading_zeros().clip(upper_bound=_BITS)
        self._flags[((hashes & (_REGISTERS - 1)).cast(pl.UInt32) * 64 + zeros).to_numpy()] = True

    def distinct(self) -> Distinct:
        """The sketch of all that was met: of each register the greatest rank, leading zeros and one."""
        ranks = (self._flags.reshape(_REGISTERS, 64) * np.arange(1, 65, dtype=np.uint8)).max(axis=1)
        return Distinct(ranks.astype(np.uint8), hash_family())


@cache
def hash_family() -> str:
    """Tells hashes apart that two releases of Polars make of the same value: sketches of both cannot be merged."""
    return f"{pl.Series(['dq', 'pipelines']).hash().sum():x}"


@dataclass(frozen=True)
class Distinct:
    """A sketch of the different values that a column has."""

    #: a rank for each register; shape (4096,), uint8
    ranks: np.ndarray
    #: which hashes it was made of
    family: str

    def __add__(self, other: Distinct) -> Distinct | None:
        """The sketch of both; None where their hashes are not of one family."""
        if self.family != other.family:
            return None
        return Distinct(np.maximum(self.ranks, other.ranks), self.family)

    def estimate(self) -> float:
        """About how many different values there are."""
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
        """What `to_text` wrote."""
        family, _, packed = text.partition(":")
        return cls(np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8), family)


def _sigma(share: float) -> float:
    """Ertl's sum over registers that met no value; `share` of all."""
    if share == 1.0:
        return math.inf
    total, weight, before = share, 1.0, math.nan
    while total != before:
        share *= share
        before, total, weight = total, total + share * weight, weight * 2
    return total


def _tau(share: float) -> float:
    """Ertl's sum over registers that can rise no more; `share` is of the others."""
    if share in (0.0, 1.0):
        return 0.0
    total, weight, before = 1 - share, 1.0, math.nan
    while total != before:
        share = math.sqrt(share)
        weight *= 0.5
        before, total = total, total - (1 - share) ** 2 * weight
    return total / 3
