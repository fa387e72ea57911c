"""A store that cannot be used: one sentence within seconds, and nothing half done."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import polars as pl
import pytest

from dq_pipelines.errors import ConfigError, DqError, Overtaken, PublishError, SourceError
from dq_pipelines.lake import staging
from dq_pipelines.lake.ledger import transactions
from dq_pipelines.lake.publish import publish
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import Lake, LakeTable
from dq_pipelines.pipeline.runtime.table_run import TableRun, staged
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.sources import read
from dq_pipelines_tests.remote.afar import Afar, Bucket, environment, serving

pytestmark = pytest.mark.slow

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    silver: {columns: {id: int64}}
"""


@contextmanager
def said(kind: type[DqError], *words: str) -> Iterator[None]:
    """The block ends in one line that says all these words, and never a secret."""
    with pytest.raises(kind) as caught:
        yield
    sentence = str(caught.value)
    assert all(word in sentence for word in words), sentence
    assert "\n" not in sentence
    assert "hush" not in sentence


@pytest.fixture
def nowhere(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket that the environment says is at a port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
    return s3


def test_a_landing_out_of_reach(nowhere: Bucket) -> None:
    with said(SourceError, f"{nowhere.uri}/x.csv: wanted to reach the place", "Connection refused"):
        read({"type": "csv", "path": f"{nowhere.uri}/x.csv"})


def test_a_lake_out_of_reach(nowhere: Bucket) -> None:
    table = Lake.at(f"{nowhere.uri}/lake").table("silver/orders")
    with said(PublishError, f"{table.uri}: wanted to reach silver/orders", "Connection refused"):
        transactions(table)
    with said(PublishError, f"{table.uri}: wanted to write silver/orders", "Connection refused"), staged(_stage(table)):
        raise AssertionError("it cannot be written")


@pytest.mark.usefixtures("s3")
def test_a_missing_bucket() -> None:
    with said(SourceError, "s3://no-such-bucket/x/*.csv: wanted to reach the place", "NoSuchBucket"):
        read({"type": "csv", "path": "s3://no-such-bucket/x/*.csv"})
    table = Lake.at("s3://no-such-bucket").table("silver/orders")
    with said(PublishError, "NoSuchBucket"):
        table.snapshot()
    with said(PublishError, "NoSuchBucket"), staged(_stage(table)):
        raise AssertionError("it cannot be written")


def test_an_address_of_no_store() -> None:
    with said(ConfigError, "DQ_LAKE=s4://bucket/lake: wanted a path or one of s3://", "got s4://"):
        Lake.at("s4://bucket/lake")
    with said(SourceError, "s4://bucket/x.csv: wanted to reach the place", "got s4://"):
        read({"type": "csv", "path": "s4://bucket/x.csv"})
    with said(SourceError, "s4://bucket/x: wanted a path or one of s3://", "got s4://"):
        read({"type": "delta", "path": "s4://bucket/x"})


def test_a_run_says_what_its_lake_lacks(afar: Afar, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through Dagster too: a failed step with a sentence, not a stack trace."""
    afar.table("orders", ORDERS)
    afar.land("orders/a.csv", "id\n1\n")
    monkeypatch.setattr(
        afar.stores.lake.__class__, "table", lambda _, key: LakeTable(key, f"s3://no-such-bucket/{key}")
    )
    (sentence,) = afar.run("orders").failures.values()
    assert "s3://no-such-bucket/silver/orders: wanted the Delta table silver/orders, got: NoSuchBucket" in sentence


def test_two_writers_at_once(s3: Bucket) -> None:
    """S3's conditional writes keep them apart: each batch is there once, whoever came first."""
    table = Lake.at(f"{s3.uri}/lake").table("silver/orders")

    def write(number: int) -> bool:
        stage = _stage(table, f"b-{number}")
        with staged(stage):
            pl.collect_all([stage.sink(pl.LazyFrame({"id": [number]}))], engine="streaming")
            try:
                publish(stage, "append", {f"batch:{number}": 1})
            except Overtaken:
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        done = [number for number, went in enumerate(pool.map(write, range(8))) if went]
    assert done
    assert sorted(table.scan().collect()["id"].to_list()) == done
    assert sorted(transactions(table)) == [f"batch:{number}" for number in done]
    files = [key for key in s3.objects() if "/_delta_log/" not in key]
    assert len(files) == len(done)


def test_runs_of_one_table_at_once_publish_each_row_once(afar: Afar) -> None:
    """No claim can be held in a store: a run that was overtaken looks again."""
    afar.table("orders", ORDERS)
    table = afar.project.tables["orders"]
    said: list[str] = []

    def write(who: int) -> None:
        for batch in range(3):
            afar.land(f"orders/{who}-{batch}.csv", f"id\n{who * 10 + batch}\n")
            with suppress(Overtaken, SourceError):  # after the last try: the next run finds what is left
                refine(TableRun(table, afar.lake, log=said.append))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    while refine(TableRun(table, afar.lake)) is not None:
        pass
    wanted = sorted((who * 10 + batch for who in range(3) for batch in range(3)), key=repr)
    assert [int(value) for value in afar.rows("bronze/orders", "id")] == wanted
    assert [int(value) for value in afar.rows("silver/orders", "id")] == wanted
    assert any("looking again (1 of 4)" in line for line in said), "nobody was overtaken"


def test_what_a_killed_run_left_is_removed(afar: Afar, monkeypatch: pytest.MonkeyPatch) -> None:
    afar.table("orders", ORDERS)
    afar.land("orders/a.csv", "id\n1\n")
    work = TableRun(afar.project.tables["orders"], afar.lake)
    outcome = refine(work)
    assert outcome is not None
    for key in ("bronze/orders", "silver/orders"):
        afar.bucket.put(f"deep/lake/{key}/{outcome.batch}/deadbeef/00000000.parquet", b"half")
    assert len(afar.leftovers()) == 2
    stages = [work.stage(afar.lake.table(key), outcome.batch) for key in ("bronze/orders", "silver/orders")]
    for stage in stages:
        stage.discard_uncommitted()
    assert len(afar.leftovers()) == 2  # so young that their writer may be alive
    monkeypatch.setattr(staging, "GRACE", 0)
    for stage in stages:
        stage.discard_uncommitted()
    assert afar.leftovers() == []
    assert afar.rows("silver/orders", "id") == [1]


def _stage(table: LakeTable, batch: str = "b-1") -> Stage:
    return Stage(table, batch)


def test_a_key_that_the_store_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(INITIAL_NO_AUTH_ACTION_COUNT="1") as address:
        bucket = Bucket.made("guarded", address)
        for name, value in environment(address).items():
            monkeypatch.setenv(name, value)
        with said(SourceError, f"{bucket.uri}/*.csv: wanted to reach the place", "InvalidAccessKeyId"):
            read({"type": "csv", "path": f"{bucket.uri}/*.csv"})
        table = Lake.at(bucket.uri).table("silver/orders")
        with said(PublishError, "InvalidAccessKeyId"):
            table.snapshot()
        with said(PublishError, "wanted to write silver/orders", "InvalidAccessKeyId"), staged(_stage(table)):
            raise AssertionError("it cannot be written")
