"""A replay that is broken off, or meets a batch that was: the next one ends it, and nothing is published twice."""

from __future__ import annotations

import signal
from dataclasses import replace

import polars as pl
import pytest

from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter, refused_of, set_status
from dq_pipelines.pipeline.quarantine.refused_rows import DISMISSED, OPEN
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines_tests.forks import fork
from dq_pipelines_tests.pipeline.refused_orders import ONE, again, id_of, orders, statuses, work
from dq_pipelines_tests.workshop import Workshop

#: A replay that is killed when it has told quarantine, or when silver has the rows.
KILLED = """
import os, signal, sys
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.replay import replay, replay_part
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project import load_project

root, place = sys.argv[1:]

def dying(function):
    def wrapped(*args, **kwargs):
        function(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
    return wrapped

setattr(replay_part, place, dying(getattr(replay_part, place)))
work = TableRun(load_project(f"{root}/assets_config", environment={}).tables["orders"], Lake.at(f"{root}/lake"))
replay.replay(work, by="ann")
"""


@pytest.mark.slow
@pytest.mark.parametrize("keys", ["", "id"])
@pytest.mark.parametrize("place", ["update", "publish"])
def test_a_killed_replay_is_finished_by_the_next(shop: Workshop, place: str, keys: str) -> None:
    orders(shop, keys=keys)
    shop.land("orders/a.csv", ONE)
    assert shop.run("orders").success
    orders(shop, least=-10, keys=keys)
    child = fork(KILLED, shop.root, place)
    assert child.ended() == -signal.SIGKILL, child.said
    waiting = refused_of(work(shop)).filter(pl.col("_status") == OPEN).collect().height
    assert waiting == (4 if place == "update" else 3), "a row that silver does not have is open"
    assert len(again(shop).published) == (place == "update")
    assert shop.rows("silver/orders", "id", "amount") == [(1, 10), (2, -5)]
    assert statuses(shop) == [(3, "replayed"), (4, "open"), (5, "open"), (6, "open")]
    assert shop.leftovers() == []


def test_rows_of_a_batch_that_still_waits_are_not_mended_yet(landed: Workshop) -> None:
    """A run was cancelled between quarantine and silver: mended now, its rows would be published now and by the next run."""
    asked = []

    def third() -> None:
        asked.append(True)
        if len(asked) == 3:
            raise InterruptedError

    landed.land("orders/b.csv", "id,amount,Day\n6,60,06.02.2026\n7,-70,07.02.2026\n")
    with pytest.raises(InterruptedError):
        refine(replace(work(landed), may_commit=third))
    assert len(landed.rows("quarantine/orders")) == 5
    orders(landed, least=-100)
    assert len(again(landed).published) == 2
    assert landed.rows("silver/orders", "id") == [1, 2, 3]
    refine(work(landed))
    assert landed.rows("silver/orders", "id") == [1, 2, 3, 6, 7]


def killed_while_mending(shop: Workshop) -> None:
    """The third row is mended, and the replay killed before silver gets it."""
    edits = f'{{"{id_of(shop, 3)}": {{"amount": "7"}}}}'
    code = KILLED.replace(
        'by="ann"', f"by='ann', edits={edits}, chosen=replay.RefusedRowFilter(ids=[{id_of(shop, 3)!r}])"
    )
    child = fork(code, shop.root, "update")
    assert child.ended() == -signal.SIGKILL, child.said


@pytest.mark.slow
def test_what_a_killed_replay_has_mended_outlives_reruns(landed: Workshop) -> None:
    killed_while_mending(landed)
    for _ in range(2):
        assert landed.run("orders", mode="rerun").success
        assert landed.rows("silver/orders", "id", "amount") == [(1, 10), (2, 7)]
        assert statuses(landed) == [(3, "fixed"), (4, "open"), (5, "open"), (6, "open")]


@pytest.mark.slow
def test_a_row_of_a_killed_replay_can_be_given_up(landed: Workshop) -> None:
    killed_while_mending(landed)
    assert set_status(work(landed), RefusedRowFilter(ids=[id_of(landed, 3)]), DISMISSED, "ann") == 1
    assert (3, DISMISSED) in refused_of(work(landed)).select("_row", "_status").collect().rows()
    assert set_status(work(landed), RefusedRowFilter(ids=[id_of(landed, 3)]), OPEN, "ann") == 1
    assert again(landed).published == (id_of(landed, 3),)
    assert landed.rows("silver/orders", "id", "amount") == [(1, 10), (2, 7)]
