"""What a caller measures in the judge's own pass. What is measured belongs to the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import polars as pl

if TYPE_CHECKING:
    from dq_pipelines.engine.backends.polars.scan import Scan


class Measures(Protocol):
    """Small frames that are collected together with the scan."""

    def frames(self, scan: Scan) -> Sequence[pl.LazyFrame]:
        """The frames; asked anew for each pass."""
        ...

    def leave_out_faults(self, scan: Scan) -> bool:
        """Leave out what cannot be measured over these rows, after a pass has failed; whether there was any."""
        ...


class _Nothing:
    def frames(self, scan: Scan) -> Sequence[pl.LazyFrame]:
        return ()

    def leave_out_faults(self, scan: Scan) -> bool:
        return False


NO_MEASURES: Measures = _Nothing()
