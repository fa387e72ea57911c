"""Returns marks of changes per table, and a change token for polling."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

import sqlalchemy as sa

from dq_pipelines.history.store.schema import CHANGES
from dq_pipelines.history.store.verdicts import History


def change_marks(history: History) -> Mapping[str, str]:
    """Returns the mark of each table with a verdict or attempt, which differs after each write about it."""
    if not history.is_begun:
        return {}
    with history.engine.connect() as connection:
        return {row.table: row.mark for row in connection.execute(sa.select(CHANGES.c.table, CHANGES.c.mark))}


def change_token(history: History, tables: Collection[str] | None = None) -> str:
    """Returns a token that changes with every recorded verdict and attempt (of these tables); "" without any."""
    marks = change_marks(history)
    chosen = sorted((table, mark) for table, mark in marks.items() if tables is None or table in tables)
    return hashlib.sha256(repr(chosen).encode()).hexdigest()[:32] if chosen else ""
