"""With which columns batches have landed, by bronze's files: as a table, it shows every column in every row.

What follows for the rows of a batch belongs in `batch_schema`.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
from pyarrow import fs
from pyarrow import parquet as pq

from dq_pipelines.config.stores import filesystem
from dq_pipelines.lake.failures import read_errors
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import PARTITION, LakeTable
from dq_pipelines.pipeline.bronze.batch import SYSTEM_COLUMNS
from dq_pipelines.pipeline.bronze.landed import BATCH


def batches_of(rows: pl.LazyFrame) -> list[str]:
    """The bronze batches that these rows landed with."""
    return rows.select(BATCH).unique().collect(engine="streaming")[BATCH].to_list()


def landed_with(
    landed: LakeTable, rows: pl.LazyFrame, batches: Iterable[str], partition: str | None
) -> dict[str, frozenset[str]]:
    """The columns that each of these bronze batches landed with; `rows` are theirs.

    Read from the batch's own files, since a table shows every column in every row. Where they are gone (somebody has
    compacted bronze, and vacuumed), a column that has no value in a batch counts as absent from it.
    """
    columns = {}
    for batch in batches:
        own = _own_columns(landed, Stage(landed, batch, partition).folder)
        if own is None:
            values = (
                rows.filter(pl.col(BATCH) == batch).select(pl.all().is_not_null().any()).collect(engine="streaming")
            )
            own = frozenset(name for name, has_values in values.row(0, named=True).items() if has_values)
        columns[batch] = own - {*SYSTEM_COLUMNS, PARTITION}
    return columns


def _own_columns(landed: LakeTable, folder: str) -> frozenset[str] | None:
    """Those of any file in a batch's folder: all attempts to land it wrote the same ones."""
    with read_errors(landed.key, landed.uri):
        files, root = filesystem(landed.uri)
        for info in files.get_file_info(fs.FileSelector(f"{root}/{folder}", recursive=True, allow_not_found=True)):
            if info.type is fs.FileType.File:
                with files.open_input_file(info.path) as stream:
                    return frozenset(pq.read_schema(stream).names)
    return None
