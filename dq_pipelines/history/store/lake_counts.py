"""Stores what was counted in the lake for each table, so that a server that starts again need not open every table.

Counts are as good as the version that they were counted at: a reader compares it with the table's logs.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from dq_pipelines.history.store.changes import upsert
from dq_pipelines.history.store.schema import LAKE_COUNTS
from dq_pipelines.history.store.verdicts import History


def stored_counts(history: History) -> dict[str, tuple[str, str]]:
    """Returns version and counts (JSON) by table; empty where there is no history yet."""
    if not history.is_begun:
        return {}
    c = LAKE_COUNTS.c
    with history.engine.connect() as connection:
        return {
            row.table: (row.version, row.counts) for row in connection.execute(sa.select(c.table, c.version, c.counts))
        }


def store_counts(history: History, counts: Mapping[str, tuple[str, str]]) -> None:
    """Stores version and counts (JSON) by table, in place of earlier ones. Creates no history."""
    if counts and history.is_begun:
        rows = [
            {"table": table, "version": version, "counts": said} for table, (version, said) in sorted(counts.items())
        ]
        with history.engine.begin() as connection:
            upsert(connection, LAKE_COUNTS, rows)
