"""Refused rows of an earlier version of an input: they are superseded, whatever path leads there, and never come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq_pipelines.pipeline.bronze.ingest import land
from dq_pipelines.pipeline.current_status import table_status_now
from dq_pipelines.pipeline.exchange.corrections_exchange import ImportResult, ReturnedFile, export, import_corrections
from dq_pipelines.pipeline.quarantine.quarantine_status import ALL, RefusedRowFilter, set_status
from dq_pipelines.pipeline.quarantine.quarantine_summary import page, summarize_quarantine
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.modes import MODES
from dq_pipelines_tests.workshop import Workshop, at_once

SALES = """
    source: {type: csv, path: "{landing}/sales/*.csv"}
    silver:
      WRITES
      columns: {id: int64, amount: int64}
      rules: [{type: expect_column_values_to_be_between, column: amount, min_value: LEAST}]
"""
MERGE, APPEND, OVERWRITE = "keys: [id]", "", "write: overwrite"
WRITES = pytest.mark.parametrize("writes", [APPEND, MERGE, OVERWRITE], ids=["append", "merge", "overwrite"])


def sales(shop: Workshop, writes: str, least: int = 0) -> TableRun:
    shop.table("sales", SALES.replace("WRITES", writes).replace("LEAST", str(least)))
    return TableRun(shop.project.tables["sales"], shop.lake)


def came(shop: Workshop, work: TableRun, text: str, mode: str = "incremental", name: str = "a") -> None:
    shop.land(f"sales/{name}.csv", f"id,amount\n{text}")
    MODES[mode](at_once(work))


def mended_late(work: TableRun, shop: Workshop) -> ImportResult:
    """What comes of a CSV that was exported as `late.csv`, and mended since: each amount is positive in it."""
    path = shop.root / "late.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",-", ","), encoding="utf-8")
    return import_corrections(at_once(work), ReturnedFile.read(path), by="ann")


@WRITES
@pytest.mark.parametrize("mode", ["incremental", "rerun", "land alone"])
def test_a_later_version_supersedes_open_rows(shop: Workshop, writes: str, mode: str) -> None:
    work = sales(shop, writes)
    came(shop, work, "1,10\n2,-5\n")
    assert export(work, shop.root / "late.csv") == 1
    if mode == "land alone":
        shop.land("sales/a.csv", "id,amount\n1,11\n2,7\n3,-8\n")
        land(at_once(work))
        MODES["incremental"](at_once(work))
    else:
        came(shop, work, "1,11\n2,7\n3,-8\n", mode)
    published = shop.rows("silver/sales", "id", "amount")

    assert export(work, shop.root / "now.csv") == 1, "the newest version's row alone is offered"
    assert "-8" in (shop.root / "now.csv").read_text(encoding="utf-8")
    done = mended_late(work, shop)
    assert done.replayed.published == ()
    assert len(done.problems) == 1
    if mode != "rerun":  # a rerun makes quarantine anew
        assert "is superseded, for a later version of" in done.problems[0]
        assert dict(summarize_quarantine(shop.lake, "silver/sales").statuses) == {"open": 1, "superseded": 1}
        (row,) = page(shop.lake, "silver/sales", ALL, "superseded", 10)
        assert row["amount"] == "-5"
        assert set_status(at_once(work), RefusedRowFilter(ids=[row["_id"]]), "dismissed", "ann") == 0
    assert shop.rows("silver/sales", "id", "amount") == published


@WRITES
def test_a_replay_takes_none_of_them(shop: Workshop, writes: str) -> None:
    work = sales(shop, writes)
    came(shop, work, "1,10\n2,-5\n")
    came(shop, work, "1,11\n2,-7\n")
    done = replay(at_once(sales(shop, writes, least=-100)), by="ann")
    assert len(done.published) == 1
    assert shop.rows("silver/sales", "id", "amount")[-1] == (2, -7)
    assert (2, -5) not in shop.rows("silver/sales", "id", "amount")
    MODES["rerun"](at_once(sales(shop, writes, least=-100)))
    assert shop.rows("silver/sales", "id", "amount") == [(1, 11), (2, -7)]


def test_a_snapshot_supersedes_whatever_file_was_before(shop: Workshop) -> None:
    work = sales(shop, OVERWRITE)
    came(shop, work, "1,10\n2,-5\n")
    came(shop, work, "1,11\n3,-6\n", name="b")
    assert dict(summarize_quarantine(shop.lake, "silver/sales").statuses) == {"open": 1, "superseded": 1}
    assert export(work, shop.root / "now.csv") == 1


def test_a_rerun_forgets_what_was_mended_in_an_earlier_version(shop: Workshop) -> None:
    work = sales(shop, MERGE)
    came(shop, work, "1,10\n2,-5\n")
    (row,) = page(shop.lake, "silver/sales", ALL, "open", 10)
    replay(at_once(work), by="ann", edits={row["_id"]: {"amount": "5"}})
    came(shop, work, "1,11\n3,-6\n", "rerun")
    assert shop.rows("silver/sales", "id") == [1]
    assert dict(summarize_quarantine(shop.lake, "silver/sales").statuses) == {"open": 1}


def test_one_that_was_dismissed_does_not_open_again(shop: Workshop) -> None:
    work = sales(shop, MERGE)
    came(shop, work, "1,10\n2,-5\n")
    assert set_status(at_once(work), ALL, "dismissed", "ann") == 1
    came(shop, work, "1,10\n2,5\n")
    assert set_status(at_once(work), ALL, "open", "ann") == 0
    assert dict(summarize_quarantine(shop.lake, "silver/sales").statuses) == {"dismissed": 1}


def test_of_a_table_run_by_dagster(shop: Workshop) -> None:
    """The table is healthy again once the newest version has no open row."""
    work = sales(shop, MERGE)
    shop.land("sales/a.csv", "id,amount\n1,10\n2,-5\n")
    assert shop.run("sales").success
    shop.land("sales/a.csv", "id,amount\n1,10\n2,5\n")
    assert shop.run("sales").success
    found = table_status_now(shop.stores, "silver/sales")
    assert found is not None
    assert (found.status, found.open_rows) == ("healthy", 0)
    assert export(work, shop.root / "now.csv") == 0


#: A version of the file says of each id whether its amount is good; the other moves are words.
Move = Mapping[int, bool] | str
MOVES = st.lists(
    st.dictionaries(st.integers(1, 3), st.booleans(), min_size=1) | st.sampled_from(["mend all", "rerun"]),
    min_size=2,
    max_size=7,
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(moves=MOVES)
def test_the_newest_version_counts_whatever_was_mended_when(moves: Sequence[Move]) -> None:
    """A published row is from the newest version with a good or mended row of its key; after a rerun, from the newest."""
    with TemporaryDirectory() as folder:
        shop = Workshop(Path(folder))
        work = sales(shop, MERGE)
        newest: dict[int, int] = {}
        published: dict[int, int] = {}
        refused: dict[str, int] = {}
        for number, move in enumerate(moves, start=1):
            if isinstance(move, Mapping):
                newest = {key: (1 if good else -1) * (number * 10 + key) for key, good in move.items()}
                came(shop, work, "".join(f"{key},{amount}\n" for key, amount in newest.items()))
                rows = page(shop.lake, "silver/sales", ALL, "open", 100)
                refused |= {row["_id"]: int(row["amount"]) for row in rows}
                published |= {key: amount for key, amount in newest.items() if amount > 0}
            elif move == "mend all":
                edits = {name: {"amount": str(1000 - amount)} for name, amount in refused.items()}
                replay(at_once(work), RefusedRowFilter(ids=list(edits)), by="ann", edits=edits)
                newest = {key: amount if amount > 0 else 1000 - amount for key, amount in newest.items()}
                published |= newest
            elif newest:
                MODES["rerun"](at_once(work))
                published = {key: amount for key, amount in newest.items() if amount > 0}
            there = shop.lake.table("silver/sales").exists
            assert dict(shop.rows("silver/sales", "id", "amount") if there else []) == published
