"""How far one column's numbers lie from those of another time or partition, by their states alone."""

from __future__ import annotations

import math

from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.monitoring.metrics.digest import Digest
from dq_pipelines.monitoring.metrics.state import ColumnState

#: Parts of equal weight that the reference is cut into.
_PARTS = 10

#: A part that nothing falls into counts as this share, so that its logarithm is finite.
_LEAST = 1e-4


def population_stability_index(reference: ColumnMetrics, now: ColumnMetrics) -> float | None:
    """PSI over the deciles of `reference` (Siddiqi, 2006): below 0.1 the same, above 0.25 another population.

    None where one of them has no numbers, or no state.
    """
    before, after = ColumnState.of(reference).digest, ColumnState.of(now).digest
    if before is None or after is None:
        return None
    cuts = sorted({before.quantile(part / _PARTS) for part in range(1, _PARTS)})
    pairs = zip(_shares(before, cuts), _shares(after, cuts), strict=True)
    return sum((new - old) * math.log(new / old) for old, new in pairs)


def _shares(digest: Digest, cuts: list[float]) -> list[float]:
    """The share of all numbers between each two cuts."""
    below = [digest.share_to(cut) for cut in cuts]
    return [max(upper - lower, _LEAST) for lower, upper in zip([0.0, *below], [*below, 1.0], strict=True)]
