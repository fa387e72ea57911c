"""A run killed outright, before or after any of its commits, and repeated: the lake is as if it had never been killed."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from dq_pipelines.pipeline import gold
from dq_pipelines.pipeline.runtime import table_run as working
from dq_pipelines.pipeline.silver import modes, refinement, rerun
from dq_pipelines_tests.forks import fork
from dq_pipelines_tests.workshop import Workshop

#: Refines or reruns one table in a process of its own, and kills itself when `may_commit` is asked the n-th
#: time, or when a step deep in the lake is reached the n-th time.
CHILD = """
import os, signal, sys
from pathlib import Path
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline import gold
from dq_pipelines.pipeline.bronze import ingest
from dq_pipelines.pipeline.runtime import table_run as working
from dq_pipelines.pipeline.silver import commit, refinement, rerun
from dq_pipelines.project import load_project

root, table, what, place, calls = Path(sys.argv[1]), *sys.argv[2:5], int(sys.argv[5])
asked = 0

def die():
    global asked
    asked += 1
    if asked == calls:
        os.kill(os.getpid(), signal.SIGKILL)

def dying(function, late):
    def wrapped(*args, **kwargs):
        if not late:
            die()
        result = function(*args, **kwargs)
        if late:
            die()
        return result
    return wrapped

project = load_project(root / "assets_config", environment={})
work = working.TableRun(project.tables[table], Lake.at(str(root / "lake")), may_commit=die if place == "may_commit" else lambda: None)
if place in ("before", "after"):
    ingest.publish = commit.publish = gold.publish = dying(gold.publish, place == "after")
if place == "delete_batches":
    commit.delete_batches = dying(commit.delete_batches, True)
{"refine": refinement.refine, "rerun": rerun.rerun, "compute": gold.compute, "land": ingest.land}[what](work)
"""

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    silver:
      KEYS
      columns: {id: int64, amount: float64}
      rules:
        - {type: expect_column_values_to_be_between, column: amount, min_value: 0}
"""
FIRST = "id,amount\n1,10\n2,-5\n3,x\n"
SECOND = "id,amount\n1,11\n4,40\n5,-1\n6,7,8\n"


def prepared(root: Path, keys: str) -> Workshop:
    """A table that was published once, with a second file waiting."""
    shop = Workshop(root)
    shop.table("orders", ORDERS.replace("KEYS", keys))
    shop.land("orders/a.csv", FIRST)
    refinement.refine(work(shop))
    shop.land("orders/b.csv", SECOND)
    return shop


def work(shop: Workshop, table: str = "orders") -> working.TableRun:
    return working.TableRun(shop.project.tables[table], shop.lake)


def killed(shop: Workshop, what: str, place: str, calls: int, table: str = "orders") -> None:
    """Do it in a process of its own, which dies at the given place."""
    child = fork(CHILD, shop.root, table, what, place, calls)
    assert child.ended() == -signal.SIGKILL, f"{place} was passed fewer than {calls} times: {child.said}"


def content(shop: Workshop) -> dict[str, list[str]]:
    """Every row of the three layers, without the moments and places that differ from run to run."""
    found = {}
    for key in ("bronze/orders", "silver/orders", "quarantine/orders"):
        rows = [{k: v for k, v in row.items() if not k.startswith("_") or k == "_reasons"} for row in shop.rows(key)]
        found[key] = sorted(map(repr, rows))
    return found


@pytest.fixture(scope="module", params=["", "keys: [id]", "write: overwrite"], ids=["append", "merge", "overwrite"])
def keys(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def unharmed(keys: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    shop = prepared(tmp_path_factory.mktemp("unharmed"), keys)
    refinement.refine(work(shop))
    return content(shop)


#: Places and how often each is passed: bronze, quarantine, silver.
POINTS = [(place, calls) for place in ("may_commit", "after") for calls in (1, 2, 3)]


@pytest.mark.slow
@pytest.mark.parametrize(("place", "calls"), POINTS)
def test_killed_at_a_commit(keys: str, unharmed: dict[str, list[str]], tmp_path: Path, place: str, calls: int) -> None:
    shop = prepared(tmp_path, keys)
    killed(shop, "refine", place, calls)
    refinement.refine(work(shop))
    assert content(shop) == unharmed
    assert shop.leftovers() == []


@pytest.mark.slow
def test_killed_again_and_again(keys: str, unharmed: dict[str, list[str]], tmp_path: Path) -> None:
    shop = prepared(tmp_path, keys)
    for place, calls in (("after", 1), ("after", 1), ("delete_batches", 1), ("after", 1), ("may_commit", 2)):
        killed(shop, "refine", place, calls)
    refinement.refine(work(shop))
    assert content(shop) == unharmed
    assert shop.leftovers() == []


@pytest.mark.slow
@pytest.mark.parametrize("calls", [1, 2])
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_rerun_killed_at_a_commit(tmp_path: Path, place: str, calls: int) -> None:
    shop = prepared(tmp_path, "")
    refinement.refine(work(shop))
    before = content(shop)
    shop.table("orders", ORDERS.replace("KEYS", "").replace("min_value: 0", "min_value: 11"))
    killed(shop, "rerun", place, calls)
    assert content(shop)["bronze/orders"] == before["bronze/orders"]
    rerun.rerun(work(shop))
    assert shop.rows("silver/orders", "id") == [1, 4]
    assert len(shop.rows("quarantine/orders")) == 5
    assert shop.leftovers() == []


@pytest.mark.slow
@pytest.mark.parametrize("keys", ["", "keys: [id]"], ids=["append", "merge"])
@pytest.mark.parametrize(("place", "calls"), [("may_commit", 2), ("after", 1)])
def test_an_ordinary_run_finishes_a_killed_rerun(tmp_path: Path, keys: str, place: str, calls: int) -> None:
    """Between quarantine and silver: with the rule of the rerun, some rows would be in both, and others in neither."""
    shops = prepared(tmp_path / "unharmed", keys), prepared(tmp_path / "killed", keys)
    for shop in shops:
        refinement.refine(work(shop))
        shop.table("orders", ORDERS.replace("KEYS", keys).replace("min_value: 0", "min_value: -1, max_value: 11"))
    rerun.rerun(work(shops[0]))
    killed(shops[1], "rerun", place, calls)
    assert content(shops[1]) != content(shops[0])
    logged: list[str] = []
    assert modes.incremental(replace(work(shops[1]), log=logged.append)) is not None
    assert content(shops[1]) == content(shops[0])
    assert "silver/orders: a rerun was broken off between quarantine and silver; doing it again" in logged
    assert shops[1].leftovers() == []
    assert modes.incremental(work(shops[1])) is None, "once is enough"


@pytest.mark.slow
def test_killed_and_meanwhile_more_has_landed(tmp_path: Path) -> None:
    """What a killed run landed waits with the file that came since; quarantine is not written twice."""
    shop = prepared(tmp_path, "")
    killed(shop, "refine", "after", 2)
    shop.land("orders/c.csv", "id,amount\n7,70\n8,-8\n")
    refinement.refine(work(shop))
    assert shop.rows("silver/orders", "id") == [1, 1, 4, 7]
    assert sorted(row["id"] or "" for row in shop.rows("quarantine/orders")) == ["", "2", "3", "5", "8"]
    assert shop.leftovers() == [], "the batch has another name by now"


@pytest.mark.slow
@pytest.mark.parametrize("calls", [1, 2])
def test_gold_killed_at_a_commit(tmp_path: Path, calls: int) -> None:
    shop = prepared(tmp_path, "")
    shop.table(
        "daily",
        """
        gold:
          sql: select id, amount from silver.orders
          rules: [{type: expect_column_values_to_be_between, column: amount, max_value: 10.5}]
        """,
    )
    gold.compute(work(shop, "daily"))
    refinement.refine(work(shop))
    killed(shop, "compute", "before", calls, "daily")
    gold.compute(work(shop, "daily"))
    assert shop.rows("gold/daily", "id") == [1]
    assert sorted(shop.rows("quarantine/daily", "id")) == ["1", "4"]
    assert shop.leftovers() == [], "each computation has a name of its own"
