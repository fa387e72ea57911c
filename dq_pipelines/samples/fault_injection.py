"""Injects faults into a clean frame: picks the rows and replaces their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.samples.expected_faults import Fate, Fault

if TYPE_CHECKING:
    import numpy as np

#: The column with the kind of a row's fault; null in a clean row. It is not written to files.
FAULT = "_fault"


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault to inject."""

    kind: str
    found_by: str
    column: str
    fate: Fate
    #: affected rows per 10,000, but at least one
    share: int
    #: landed column -> the faulty value
    change: Mapping[str, pl.Expr] = field(default_factory=dict)
    #: whether the row occurs twice, first clean and then with `change`
    repeated: bool = False
    #: detected rows for each affected one: 2 if a key must be unique
    found_each: int = 1


def inject_faults(
    table: str, clean: pl.DataFrame, seeds: Sequence[FaultKind], rng: np.random.Generator
) -> tuple[pl.DataFrame, tuple[Fault, ...]]:
    """Injects each kind of fault into separate rows; the returned frame has the column `_fault`.

    Raises ConfigError if `clean` has fewer rows than there are faults.
    """
    counts = [max(1, clean.height * seed.share // 10_000) for seed in seeds]
    if sum(counts) > clean.height:
        raise ConfigError([Problem("", 0, f"{table}: wanted {sum(counts)} rows for its faults, got {clean.height}")])
    kinds: list[str | None] = [None] * clean.height
    order = rng.permutation(clean.height)
    start = 0
    for seed, count in zip(seeds, counts, strict=True):
        for row in order[start : start + count]:
            kinds[row] = seed.kind
        start += count
    marked = clean.with_columns(pl.Series(FAULT, kinds, dtype=pl.String))
    for seed in seeds:
        marked = _spoil(marked, seed)
    faults = (
        Fault(table, seed.kind, seed.found_by, seed.column, seed.fate, count * seed.found_each)
        for seed, count in zip(seeds, counts, strict=True)
    )
    return marked, tuple(faults)


def _spoil(marked: pl.DataFrame, seed: FaultKind) -> pl.DataFrame:
    afflicted = pl.col(FAULT) == seed.kind
    if seed.repeated:
        marked = marked.with_row_index("_place")
        again = marked.filter(afflicted).with_columns(**seed.change)
        # A stable sort puts each repeated row right after the original, in the same file.
        return pl.concat([marked, again]).sort("_place", maintain_order=True).drop("_place")
    changed = {
        column: pl.when(afflicted).then(instead).otherwise(pl.col(column)) for column, instead in seed.change.items()
    }
    return marked.with_columns(**changed)
