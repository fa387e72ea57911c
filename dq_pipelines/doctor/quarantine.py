"""Checks the rows in quarantine: lost by a repair, of an unknown batch, with an invalid status, or duplicated."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dq_pipelines.config.counting import counted
from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.errors import DqError
from dq_pipelines.lake.inspection import damaged_files
from dq_pipelines.lake.ledger import lost_since_rerun, transactions
from dq_pipelines.lake.tables import LakeTable
from dq_pipelines.pipeline.bronze.landed import BATCH, landed_batches
from dq_pipelines.pipeline.quarantine.refused_rows import ID, STATUS, STATUSES
from dq_pipelines.project import Table


def examine(installation: Installation) -> Iterator[Finding]:
    for table in installation.landed:
        key = f"quarantine/{table.name}"
        try:
            lying = installation.stores.lake.table(key)
            if not lying.exists or damaged_files(lying):
                continue
            yield from _lost(table, lying)
            yield from _of(installation, table, lying.scan())
        except DqError:  # its log cannot be read: `logs` reports it
            continue


def _lost(table: Table, lying: LakeTable) -> Iterator[Finding]:
    """Rows whose files a repair took out of the log, and that no rerun has rebuilt yet."""
    for partition in lost_since_rerun(transactions(lying)):
        which = f" of partition {partition}" if partition is not None else ""
        said = f"refused rows{which} are lost: a repair took their data files out of the log"
        remedy = f"run {table.name}{which} with mode: rerun, which makes quarantine anew from bronze"
        yield Finding("error", lying.key, said, remedy)


def _of(installation: Installation, table: Table, rows: pl.LazyFrame) -> Iterator[Finding]:
    place, rerun = (
        f"quarantine/{table.name}",
        f"run {table.name} with mode: rerun, which makes quarantine anew from bronze",
    )
    known = landed_batches(installation.stores.lake.table(f"bronze/{table.name}"))
    if known:  # else all landed before the ledger recorded landed batches
        strange = rows.filter(pl.col(BATCH).is_not_null() & ~pl.col(BATCH).is_in(known))
        batches = strange.group_by(BATCH).len().sort(BATCH).collect()
        if batches.height:
            count, first = int(batches["len"].sum()), batches[BATCH][0]
            said = f"{counted(count, 'row', 'is', 'are')} of batches that bronze does not know ({first}, say): no replay finds them"
            yield Finding("error", place, said, rerun)
    if STATUS in rows.collect_schema():
        odd = rows.filter(~pl.col(STATUS).is_in(STATUSES).fill_null(False)).select(STATUS).unique().collect()
        if odd.height:
            said = f"rows have the status {odd[STATUS][0]!r}, wanted one of {', '.join(STATUSES)}"
            yield Finding("error", place, said, rerun)
    twice = rows.filter(pl.col(ID).is_not_null()).group_by(ID).len().filter(pl.col("len") > 1).sort(ID).collect()
    if twice.height:
        said = f"{twice.height:,} refused rows are there more than once ({twice[ID][0]}, say)"
        yield Finding("error", place, said, rerun)
