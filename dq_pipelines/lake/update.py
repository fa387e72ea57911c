"""Changing some rows of a table by a key, in one commit that says what it did. Rows on their way in belong in `publish`."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dq_pipelines.lake.formats.commit import Commit, Update
from dq_pipelines.lake.publish import Publication
from dq_pipelines.lake.tables import LakeTable


def update(
    table: LakeTable, changes: pl.DataFrame, key: str, consumed: Mapping[str, int], *, by: str = ""
) -> Publication:
    """Give the rows whose `key` is that of a row of `changes` its other values; all of them in one commit.

    `changes` names a key once; columns that the table does not have yet are taken on. Raises PublishError, or Overtaken
    when another writer was quicker, and leaves the rows as they were.
    """
    done = table.commit(Commit(Update(changes, key), consumed, {"dq.by": by} if by else {}))
    return Publication(table.key, done.version, changes.height)
