"""Bronze's rows batch by batch are those that a filter finds, whatever files hold them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dq_pipelines.lake.compaction import Compaction
from dq_pipelines.lake.formats.delta.snapshot import DeltaSnapshot
from dq_pipelines.lake.table_lock import Claim
from dq_pipelines.pipeline.bronze.landed import BATCH, RowsByBatch, batches
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines_tests.workshop import Workshop

EVENTS = """
    source: {type: csv, path: "{landing}/*.csv"}
    silver: {columns: {id: int64}}
"""


def landed(root: Path, count: int) -> Workshop:
    made = Workshop(root)
    made.table("events", EVENTS)
    for batch in range(count):
        column = ",new" if batch == count - 1 else ""
        made.land(f"{batch}.csv", f"id{column}\n{batch}{column and ',x'}\n{batch + 10}{column and ',y'}\n")
        refine(TableRun(made.project.tables["events"], made.lake))
    return made


def must_be_those_of_a_filter(made: Workshop, count: int) -> None:
    snapshot = made.lake.table("bronze/events").snapshot()
    rows, whole = RowsByBatch(snapshot), snapshot.scan()
    names = batches(made.project.tables["events"], made.lake)
    assert len(names) == count
    for name in names:
        wanted = whole.filter(pl.col(BATCH) == name).collect()
        assert wanted.height == 2
        assert rows.of(name).collect().equals(wanted)
    assert rows.of("b-none").collect().equals(whole.head(0).collect())


def test_the_rows_of_a_batch_are_those_of_a_filter(tmp_path: Path) -> None:
    made = landed(tmp_path, 4)
    must_be_those_of_a_filter(made, 4)
    compaction = Compaction.of(made.lake.table("bronze/events"))
    assert compaction is not None
    compaction.run(Claim(), lambda: None)
    assert len(made.lake.table("bronze/events").snapshot().files) == 1
    must_be_those_of_a_filter(made, 4)
    made.land("5.csv", "id,new\n5,z\n15,z\n")
    refine(TableRun(made.project.tables["events"], made.lake))
    must_be_those_of_a_filter(made, 5)


def test_a_batch_alone_is_read(tmp_path: Path) -> None:
    made = landed(tmp_path, 3)
    snapshot = made.lake.table("bronze/events").snapshot()
    assert isinstance(snapshot, DeltaSnapshot)
    rows, first = RowsByBatch(snapshot), batches(made.project.tables["events"], made.lake)[0]
    plan = rows.of(first).explain()
    assert plan.count(".parquet") == 1
    assert first in plan
