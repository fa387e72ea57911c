"""Retention, restore, upkeep and erasure in an object store, where nobody holds a claim."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from dq_pipelines.lake.skipped_inputs import SkippedInput, read_skipped_inputs, write_skipped_inputs
from dq_pipelines.lake.time_travel import Moment
from dq_pipelines.pipeline.maintenance.compaction import run_upkeep
from dq_pipelines.pipeline.maintenance.erasure import erase
from dq_pipelines.pipeline.maintenance.erasure_plan import ErasureRequest
from dq_pipelines.pipeline.maintenance.restore import recover, restore
from dq_pipelines.pipeline.maintenance.retention import expire
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines_tests.remote.afar import Afar
from dq_pipelines_tests.workshop import at_once, content

pytestmark = pytest.mark.slow

TODAY = datetime.now(UTC)
OLD, NEW = ((TODAY - timedelta(days=days)).date().isoformat() for days in (40, 1))
MARK = "zoe.quixotry"
KEYS = ("bronze/sales", "quarantine/sales", "silver/sales")

SALES = """
    source: {type: csv, path: "{landing}/sales/*.csv"}
    retention: {keep: 30d, by: sold_at, backup: true}
    silver:
      keys: [id]
      columns: {id: int64, sold_at: date, amount: int64}
      rules: [{type: expect_column_values_to_be_between, column: amount, min_value: 0}]
"""


def holding(afar: Afar, text: str) -> list[str]:
    """The objects of the lake and its backup that hold a text, Parquet by its rows."""
    found = []
    for key in afar.bucket.objects("deep/"):
        body = afar.bucket.get(key)
        if key.endswith(".parquet"):
            body = str(pl.read_parquet(io.BytesIO(body)).to_dicts()).encode()
        if text.encode() in body:
            found.append(key)
    return found


def test_from_retention_to_erasure(afar: Afar) -> None:
    afar.table("sales", SALES)
    work = TableRun(afar.project.tables["sales"], afar.lake)
    backups = afar.stores.backups
    assert backups.root.endswith("/deep/lake-backup")
    for name, rows in (("a", f"1,{OLD},10,{MARK}\n2,{NEW},20,b\n3,{OLD},-1,{MARK}\n"), ("b", f"4,{NEW},40,{MARK}\n")):
        afar.land(f"sales/{name}.csv", f"id,sold_at,amount,mail\n{rows}")
        refine(at_once(work))
    before = {key: content(afar.lake.table(key).scan().collect()) for key in KEYS}

    found = expire(work, backups)
    assert found is not None
    assert found.backed_up == {"bronze/sales": 2, "quarantine/sales": 1, "silver/sales": 1}
    assert afar.rows("silver/sales", "id") == [2, 4]
    assert refine(at_once(work)) is None
    recover(work, backups)
    assert {key: content(afar.lake.table(key).scan().collect()) for key in KEYS} == before

    restore(work, Moment("1"))  # the version before is the empty table, made so that two may not make it at once
    assert afar.rows("silver/sales", "id") == [1, 2]
    refine(at_once(work))
    assert {key: content(afar.lake.table(key).scan().collect()) for key in KEYS} == before

    tended = {f"{one.place} {one.key}": one.into for one in run_upkeep(work, backups, timedelta(days=7))}
    assert (tended["lake bronze/sales"], tended["backup bronze/sales"]) == (1, 0)
    assert {key: content(afar.lake.table(key).scan().collect()) for key in KEYS} == before
    assert refine(at_once(work)) is None

    assert holding(afar, MARK)
    certificate = erase(ErasureRequest(work, afar.project, f"mail = '{MARK}'", backups), afar.history, "somebody")
    assert holding(afar, MARK) == []
    assert {f"{one.place} {one.table}": one.rows for one in certificate.erased} == {
        "backup bronze/sales": 2,
        "backup quarantine/sales": 1,
        "backup silver/sales": 1,
        "lake bronze/sales": 3,
        "lake quarantine/sales": 1,
        "lake silver/sales": 2,
    }
    assert afar.rows("silver/sales", "id") == [2]
    assert refine(at_once(work)) is None
    assert [key.split("/")[2] for key in afar.leftovers()] == [".erasures"]


def test_an_input_stands_aside_in_a_store_too(afar: Afar) -> None:
    mark = SkippedInput("s3://b/torn.xlsx", "v1", "torn", TODAY)
    write_skipped_inputs(afar.lake, "sales", [mark])
    assert read_skipped_inputs(afar.lake, "sales") == {mark.uri: mark}
