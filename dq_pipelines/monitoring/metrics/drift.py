"""Measures drift between the numbers of a column at two times or partitions, from their stored sketches."""

from __future__ import annotations

import math

from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.monitoring.metrics.digest import Digest
from dq_pipelines.monitoring.metrics.state import ColumnState

#: Number of bins of equal weight in the reference.
_PARTS = 10

#: The share of an empty bin, so that its logarithm is finite.
_LEAST = 1e-4


def population_stability_index(reference: ColumnMetrics, now: ColumnMetrics) -> float | None:
    """Returns the PSI over the deciles of `reference` (Siddiqi, 2006): below 0.1 no drift, above 0.25 strong drift.

    None where one of them has no numbers, or no sketch.
    """
    before, after = ColumnState.of(reference).digest, ColumnState.of(now).digest
    if before is None or after is None:
        return None
    cuts = sorted({before.quantile(part / _PARTS) for part in range(1, _PARTS)})
    pairs = zip(_shares(before, cuts), _shares(after, cuts), strict=True)
    return sum((new - old) * math.log(new / old) for old, new in pairs)


def _shares(digest: Digest, cuts: list[float]) -> list[float]:
    """Returns the share of all numbers in each bin between two cuts."""
    below = [digest.share_to(cut) for cut in cuts]
    return [max(upper - lower, _LEAST) for lower, upper in zip([0.0, *below], [*below, 1.0], strict=True)]
