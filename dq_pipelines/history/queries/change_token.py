"""Returns a change token for polling."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from dq_pipelines.history.store.changes import change_marks
from dq_pipelines.history.store.verdicts import History


def change_token(history: History, tables: Collection[str] | None = None) -> str:
    """Returns a token that changes with every recorded verdict and attempt (of these tables); "" without any."""
    marks = change_marks(history)
    chosen = sorted((table, mark) for table, mark in marks.items() if tables is None or table in tables)
    return hashlib.sha256(repr(chosen).encode()).hexdigest()[:32] if chosen else ""
