"""Changing some rows of a table by a key, in one commit that says what it did. Rows on their way in belong in `publish`."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from deltalake import DeltaTable, Field
from deltalake import Schema as DeltaSchema

from dq_pipelines.lake.durable import sync_commit
from dq_pipelines.lake.ledger import noting
from dq_pipelines.lake.publish import Publication, publish_errors
from dq_pipelines.lake.tables import LakeTable


def update(
    table: LakeTable, changes: pl.DataFrame, key: str, consumed: Mapping[str, int], *, by: str = ""
) -> Publication:
    """Give the rows whose `key` is that of a row of `changes` its other values; all of them in one commit.

    `changes` names a key once; columns that the table does not have yet are taken on. Raises PublishError, or Overtaken
    when another writer was quicker, and leaves the rows as they were.
    """
    properties = noting(consumed, {"dq.by": by} if by else {})
    values = [name for name in changes.columns if name != key]
    with publish_errors(table.key, table.uri):
        delta = table.opened()
        _take_on(delta, changes)
        merger = delta.merge(
            changes.to_arrow(), f"there.{key} = changed.{key}", "changed", "there", commit_properties=properties
        )
        merger.when_matched_update({name: f"changed.{name}" for name in values}).execute()
        sync_commit(table)
        return Publication(table.key, table.opened().version(), changes.height)


def _take_on(table: DeltaTable, changes: pl.DataFrame) -> None:
    there = {field.name for field in table.schema().fields}
    fields = DeltaSchema.from_arrow(changes.to_arrow().schema).fields
    new = [Field(field.name, field.type) for field in fields if field.name not in there]
    if new:
        table.alter.add_columns(new)
