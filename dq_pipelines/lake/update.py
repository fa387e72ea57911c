"""Updates rows of a table by a key, in one commit."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dq_pipelines.lake.formats.commit import Commit, Update
from dq_pipelines.lake.publish import Publication
from dq_pipelines.lake.tables import LakeTable


def update(
    table: LakeTable, changes: pl.DataFrame, key: str, consumed: Mapping[str, int], *, by: str = ""
) -> Publication:
    """Update rows by `key` with the other columns of `changes`, in one commit.

    `changes` has each key once; columns that the table does not have yet are added. Raises PublishError, or Overtaken
    when another writer was quicker, and leaves the rows as they were.
    """
    done = table.commit(Commit(Update(changes, key), consumed, {"dq.by": by} if by else {}))
    return Publication(table.key, done.version, changes.height)
