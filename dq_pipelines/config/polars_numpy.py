"""Gives Polars numpy before it works in threads.

Polars imports numpy when one of its functions first needs it. Two threads that need it at once can break that import: Polars
copies numpy's names over those of its placeholder, among them `_globals`, which the other thread still reads (seen in
Polars 2.1 as "TypeError: 'module' object does not support item assignment"). Modules whose functions run within Polars'
threads call `load` when they are imported.
"""

from __future__ import annotations

import numpy as np
import polars as pl


def load() -> None:
    """Make Polars import numpy now."""
    pl.Series(np.empty(0))
