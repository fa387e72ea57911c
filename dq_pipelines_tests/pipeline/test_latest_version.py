"""The latest version of a file is the one that landed last, also when none of its rows is in bronze (any more)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from zipfile import ZipFile

import pytest

from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.bronze.ingest import land
from dq_pipelines.pipeline.maintenance.restore import recover
from dq_pipelines.pipeline.maintenance.retention import expire
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.modes import MODES
from dq_pipelines_tests.workshop import Workshop, at_once

TODAY = datetime.now(UTC)
OLD, NEW = ((TODAY - timedelta(days=days)).date().isoformat() for days in (40, 1))

SALES = """
    source: {type: csv, path: "{landing}/sales/*"}
    retention: {keep: 30d, by: sold_at, backup: true}
    silver:
      WRITES
      columns: {id: int64, sold_at: date, amount: int64}
      rules: [{type: expect_column_values_to_be_between, column: amount, min_value: 0}]
"""
HEADER = "id,sold_at,amount\n"


def sales(shop: Workshop, writes: str = "") -> TableRun:
    shop.table("sales", SALES.replace("WRITES", writes))
    return TableRun(shop.project.tables["sales"], shop.lake)


def run(work: TableRun, mode: str = "incremental") -> None:
    outcome = MODES[mode](at_once(work))
    assert outcome is None or not outcome.blocked_by


def ids(shop: Workshop) -> tuple[list[int], list[str]]:
    return shop.rows("silver/sales", "id"), shop.rows("quarantine/sales", "id")


def backups(shop: Workshop) -> Lake:
    return Lake(f"{shop.lake.root}-backup")


@pytest.mark.parametrize("writes", ["", "keys: [id]", "write: overwrite"], ids=["append", "merge", "overwrite"])
def test_that_has_expired_whole(shop: Workshop, writes: str) -> None:
    work = sales(shop, writes)
    shop.land("sales/a.csv", f"{HEADER}1,{NEW},10\n2,{NEW},-2\n")
    run(work)
    shop.land("sales/a.csv", f"{HEADER}3,{OLD},30\n")
    run(work)
    run(work, "rerun")
    assert ids(shop) == ([3], [])
    assert expire(work, backups(shop)) is not None
    run(work, "rerun")
    assert ids(shop) == ([], []), "the version before does not come back"
    recover(at_once(work), backups(shop))
    run(work, "rerun")
    assert ids(shop) == ([3], [])
    shop.land("sales/a.csv", f"{HEADER}4,{NEW},40\n5,{NEW},-5\n")
    run(work, "rerun")
    assert ids(shop) == ([4], ["5"])


def test_a_later_snapshot_that_has_expired_whole(shop: Workshop) -> None:
    """Under another name: of a table that is overwritten the last one counts, whatever it is called."""
    work = sales(shop, "write: overwrite")
    shop.land("sales/a.csv", f"{HEADER}1,{NEW},10\n2,{NEW},-2\n")
    run(work)
    shop.land("sales/b.csv", f"{HEADER}3,{OLD},30\n")
    run(work)
    assert ids(shop) == ([3], ["2"])
    assert expire(work, backups(shop)) is not None
    replay(at_once(work), by="ann", edits={shop.rows("quarantine/sales", "_id")[0]: {"amount": "2"}})
    assert shop.rows("silver/sales", "id") == []
    run(work, "rerun")
    assert shop.rows("silver/sales", "id") == []


def test_that_is_empty(shop: Workshop) -> None:
    work = sales(shop)
    shop.land("sales/a.csv", f"{HEADER}1,{NEW},10\n2,{NEW},-2\n")
    run(work)
    shop.land("sales/a.csv", HEADER)
    run(work)
    run(work, "rerun")
    assert ids(shop) == ([], [])


def test_that_is_empty_while_the_one_before_waits(shop: Workshop) -> None:
    """However often it is looked at: the run that landed the empty one was stopped before silver."""
    work = sales(shop)
    for text in (f"{HEADER}1,{NEW},10\n", HEADER):
        shop.land("sales/a.csv", text)
        land(at_once(work))
    run(work)
    assert ids(shop) == ([], [])


def test_of_an_archive(shop: Workshop) -> None:
    """A member that is not in it any more counts no more."""
    work = sales(shop)
    for members in (("x", "y"), ("y", "z")):
        file = BytesIO()
        with ZipFile(file, "w") as archive:
            for member in members:
                archive.writestr(f"{member}.csv", f"{HEADER}{ord(member)},{NEW},10\n")
        shop.land("sales/a.zip", file.getvalue())
        run(work)
    run(work, "rerun")
    assert ids(shop) == ([ord("y"), ord("z")], [])
