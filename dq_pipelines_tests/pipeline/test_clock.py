"""A clock that is put back between two runs: what came later still counts as later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from dq_pipelines.pipeline.bronze.ingest import land
from dq_pipelines.pipeline.bronze.landed import INGESTED_AT
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines_tests.workshop import Workshop

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BACK = NOON - timedelta(days=3)


def work(shop: Workshop, now: datetime) -> TableRun:
    return TableRun(shop.project.tables["t"], shop.lake, now=now)


def table(shop: Workshop, silver: str) -> None:
    shop.table("t", f'source: {{type: csv, path: "{{landing}}/t/*"}}\nsilver: {{{silver}, columns: {{id: int64}}}}')


@pytest.mark.parametrize("backlog", [False, True], ids=["each published", "both waiting"])
def test_the_later_row_of_a_key_stays(shop: Workshop, backlog: bool) -> None:
    table(shop, "keys: [id]")
    step = land if backlog else refine
    shop.land("t/a.csv", "id,v\n1,early\n")
    step(work(shop, NOON))
    shop.land("t/b.csv", "id,v\n1,late\n")
    step(work(shop, BACK))
    refine(work(shop, BACK))
    assert shop.rows("silver/t", "v") == ["late"]
    assert rerun(work(shop, BACK))
    assert shop.rows("silver/t", "v") == ["late"]


def test_the_later_snapshot_stays(shop: Workshop) -> None:
    table(shop, "write: overwrite")
    shop.land("t/a.csv", "id,v\n1,early\n")
    land(work(shop, NOON))
    shop.land("t/b.csv", "id,v\n2,late\n")
    land(work(shop, BACK))
    refine(work(shop, BACK))
    assert shop.rows("silver/t", "v") == ["late"]
    assert rerun(work(shop, BACK))
    assert shop.rows("silver/t", "v") == ["late"]


def test_the_later_version_of_an_input_stays(shop: Workshop) -> None:
    table(shop, "write: append")
    shop.land("t/a.csv", "id,v\n1,early\n")
    land(work(shop, NOON))
    shop.land("t/a.csv", "id,v\n1,late and longer\n")
    land(work(shop, BACK))
    assert rerun(work(shop, BACK))
    assert shop.rows("silver/t", "v") == ["late and longer"]


def test_moments_grow_and_stand_still_for_nobody(shop: Workshop) -> None:
    table(shop, "keys: [id]")
    moments = (NOON, BACK, BACK - timedelta(days=400), NOON, NOON + timedelta(hours=1))
    for number, now in enumerate(moments):
        shop.land(f"t/{number}.csv", f"id\n{number}\n")
        outcome = refine(work(shop, now))
        assert outcome is not None
        assert outcome.seconds >= 0
    landed = shop.lake.table("bronze/t").scan().sort(pl.col("id").cast(pl.Int64)).collect()[INGESTED_AT].to_list()
    assert landed == sorted(set(landed))
    assert landed[0] == NOON
    assert landed[-1] == NOON + timedelta(hours=1)
