"""Several runs on one table at once: every row that landed is published once, whoever was quicker.

Each writer is a process that lands a file of its own and refines whatever is new, others' files among it. With the
claim they take turns; without it, as in an object store, only the ledger keeps them apart.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.table_lock import claimed
from dq_pipelines.pipeline.bronze.landed import INGESTED_AT
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.sources import ROW, SOURCE
from dq_pipelines_tests.forks import fork
from dq_pipelines_tests.workshop import Workshop

WRITER = """
import random, sys
from datetime import timedelta
from pathlib import Path
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.maintenance import compaction
from dq_pipelines.pipeline.silver import refinement, rerun
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project import load_project

root, who, batches = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
table = load_project(root / "assets_config", environment={}).tables["orders"]
chance = random.Random(who)
for batch in range(batches):
    rows = [f"{chance.randrange(40)},{who * 100_000 + batch * 100 + row},{chance.choice([1, -1])}" for row in range(6)]
    part = root / "landing" / f"{who}-{batch}.part"
    part.write_text("\\n".join(["id,amount,sign", *rows, ""]))
    part.rename(root / "landing" / "orders" / f"{who}-{batch}.csv")
    work = TableRun(table, Lake.at(str(root / "lake")))
    do = rerun.rerun if chance.random() * batches < 1 else refinement.refine
    do(work)
    if chance.random() * 5 < 1:  # files put together, and those of old versions removed, beside the writers
        compaction.run_upkeep(work, Lake.at(str(root / "backup")), timedelta(0))
"""

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    silver:
      KEYS
      columns: {id: int64, amount: int64, sign: int64}
      rules:
        - {type: expect_column_values_to_be_between, column: sign, min_value: 0}
"""


def writers(shop: Workshop, many: int, batches: int) -> None:
    """Let them loose, and wait until all are done."""
    begun = [fork(WRITER, shop.root, who, batches) for who in range(many)]
    assert [child.ended(1_200) for child in begun] == [0] * many, "\n".join(child.said for child in begun)


def landed(shop: Workshop) -> list[tuple[int, ...]]:
    return [
        tuple(int(cell) for cell in line.split(","))
        for file in (shop.landing / "orders").glob("*.csv")
        for line in file.read_text(encoding="utf-8").splitlines()[1:]
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("many", "batches"), [(4, 5), pytest.param(8, 50, marks=pytest.mark.torture)], ids=["few", "storm"]
)
@pytest.mark.parametrize("keys", ["", "keys: [id]"], ids=["append", "merge"])
def test_a_storm_of_runs_publishes_each_row_once(tmp_path: Path, keys: str, many: int, batches: int) -> None:
    shop = Workshop(tmp_path)
    shop.table("orders", ORDERS.replace("KEYS", keys))
    (shop.landing / "orders").mkdir(parents=True)
    writers(shop, many, batches)
    assert refine(TableRun(shop.project.tables["orders"], shop.lake)) is None, "somebody's file was left"

    rows = landed(shop)
    there = Counter((int(row["id"]), int(row["amount"]), int(row["sign"])) for row in shop.rows("bronze/orders"))
    assert there == Counter(rows)
    refused = Counter((int(row["id"]), int(row["amount"]), int(row["sign"])) for row in shop.rows("quarantine/orders"))
    assert refused == Counter(row for row in rows if row[2] < 0)
    kept = [row for row in rows if row[2] >= 0]
    published = shop.rows("silver/orders", "id", "amount", "sign")
    if not keys:
        assert Counter(published) == Counter(kept)
    else:
        bronze = shop.lake.table("bronze/orders").scan().select(pl.col("id", "amount", "sign").cast(int), r"^_.*$")
        last = bronze.filter(pl.col("sign") > 0).sort(INGESTED_AT, SOURCE, ROW).unique("id", keep="last").collect()
        assert published == sorted(last.select("id", "amount", "sign").rows(), key=repr)
    assert shop.leftovers() == []


def test_a_claim_is_held_by_one_and_ends_with_its_process(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    code = """if True:
        import sys, time
        from dq_pipelines.lake.table_lock import claimed
        from dq_pipelines.lake.tables import Lake
        with claimed(Lake.at(sys.argv[1]), "orders"):
            print("held", flush=True)
            time.sleep(60)
    """
    holder = subprocess.Popen([sys.executable, "-c", code, shop.lake.root], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    def waiting(seconds: float) -> None:
        if seconds > 0.5:
            raise TimeoutError

    with pytest.raises(TimeoutError), claimed(shop.lake, "orders", waiting):
        pass
    with claimed(shop.lake, "customers", waiting):
        pass
    holder.kill()
    holder.communicate()

    def never(_: float) -> None:
        raise AssertionError("a claim of a process that has ended was waited for")

    with claimed(shop.lake, "orders", never):
        pass


def test_what_a_failed_run_could_not_remove_the_next_removes(tmp_path: Path) -> None:
    """Also where the next run stages another batch: a writer may have gone on when the run had failed already."""
    shop = Workshop(tmp_path)

    def failing() -> None:
        with claimed(shop.lake, "orders") as claim:
            claim.note(Stage(shop.lake.table("quarantine/orders"), "b-failed"))
            raise TimeoutError

    with pytest.raises(TimeoutError):
        failing()
    left = shop.root / "lake/quarantine/orders/b-failed/1/0.parquet"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"")
    with claimed(shop.lake, "orders"):
        assert shop.leftovers() == []
