"""What bronze's ledger has of inputs, and the ids that are made of them: as earlier releases wrote them."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
import zlib
from pathlib import Path

import polars as pl

from dq_pipelines.lake.ledger import transactions
from dq_pipelines.lake.skipped_inputs import SkippedInput, read_skipped_inputs, write_skipped_inputs
from dq_pipelines.pipeline.bronze.ingest import land
from dq_pipelines.pipeline.bronze.new_inputs import new_inputs
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines_tests.workshop import Workshop

WHEN = 1_700_000_000_123_456_789


def table(shop: Workshop, source: str) -> TableRun:
    shop.table("orders", f"source: {source}\nsilver: {{columns: {{id: int64}}}}")
    return TableRun(shop.project.tables["orders"], shop.lake)


def at_the_moment(path: Path) -> Path:
    os.utime(path, ns=(WHEN, WHEN))
    return path


def batch_id(path: Path, size: int, version: int) -> str:
    return "b-" + hashlib.sha256(f"{path}\n{size}\n{version}\n".encode()).hexdigest()[:16]


def test_of_a_file(shop: Workshop) -> None:
    content = b"id\n1\n2\n"
    path = at_the_moment(shop.land("orders/a.csv", content))
    work = table(shop, '{type: csv, path: "{landing}/orders/*"}')
    landed = land(work)
    assert landed is not None
    assert landed.id == batch_id(path, 7, WHEN)
    assert {
        name: number
        for name, number in transactions(shop.lake.table("bronze/orders")).items()
        if "landed_at" not in name
    } == {
        f"input:{path}": WHEN,
        f"changed:{path}": path.stat().st_ctime_ns,
        f"content:{path}": (7 << 32) | zlib.crc32(content),
    }
    assert set(shop.rows("bronze/orders", "_source")) == {str(path)}


def test_of_an_archive(shop: Workshop) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("x.csv", "id\n1\n")
        archive.writestr("y.csv", "id\n2\n")
    path = at_the_moment(shop.land("orders/a.zip", packed.getvalue()))
    landed = land(table(shop, '{type: csv, path: "{landing}/orders/*"}'))
    assert landed is not None
    assert landed.id == batch_id(path, len(packed.getvalue()), WHEN)
    assert sorted(shop.rows("bronze/orders", "_source")) == [f"{path}#x.csv", f"{path}#y.csv"]


def test_of_a_delta_table(shop: Workshop) -> None:
    path = shop.landing / "orders"
    for number in (1, 2):
        pl.DataFrame({"id": [number]}).write_delta(path, mode="append")
    work = table(shop, '{type: delta, path: "{landing}/orders"}')
    landed = land(work)
    assert landed is not None
    assert landed.id == batch_id(path, 1, 1)
    noted = {
        name: number
        for name, number in transactions(shop.lake.table("bronze/orders")).items()
        if "landed_at" not in name
    }
    assert noted == {f"input:{path}": 1, f"content:{path}": 1}
    assert landed.written_at is None
    assert new_inputs(work.table, work.lake) == []
    pl.DataFrame({"id": [3]}).write_delta(path, mode="append")
    (item,) = new_inputs(work.table, work.lake)
    assert item.version.number == 2
    assert land(work) is not None
    assert sorted(shop.rows("bronze/orders", "id")) == [1, 1, 2, 2, 3]


def test_a_mark_of_an_earlier_release_stands(shop: Workshop) -> None:
    path = at_the_moment(shop.land("orders/a.csv", b"\0" * 7))
    work = table(shop, '{type: csv, path: "{landing}/orders/*"}')
    source = work.table.landed.source
    text = f"Input(uri='{path}', size=7, modified={WHEN})\nTrue\n{source.model_dump_json()}"
    mark = SkippedInput(str(path), hashlib.sha256(text.encode()).hexdigest()[:16], "no text", work.now)
    write_skipped_inputs(work.lake, "orders", [mark])
    assert new_inputs(work.table, work.lake) == []
    assert land(work) is None
    assert read_skipped_inputs(work.lake, "orders") == {str(path): mark}
