"""Which row of a key is published: that of the input which was written last, whatever lands together, is rerun or replayed."""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines.sources.order import natural
from dq_pipelines_tests.workshop import Workshop, at_once

PRICES = """
    source: {type: csv, path: "{landing}/*"}
    silver:
      keys: [id]
      columns: {id: int64, price: int64}
      rules: [{type: expect_column_values_to_be_between, column: price, min_value: 0}]
"""


def shop(root: Path, text: str = PRICES) -> Workshop:
    made = Workshop(root)
    made.landing.mkdir()
    made.table("prices", text)
    return made


def work(made: Workshop) -> TableRun:
    return TableRun(made.project.tables["prices"], made.lake)


def land(made: Workshop, name: str, price: int, at: int) -> None:
    path = made.land(name, f"id,price\n1,{price}\n")
    os.utime(path, (at, at))


@pytest.mark.parametrize(
    ("files", "published"),
    [
        ({"export_9.csv": 100, "export_10.csv": 100}, 10),
        ({"export_9.csv": 200, "export_10.csv": 100}, 9),
        ({"z_1.csv": 100, "a_2.csv": 200}, 2),
        ({"2024-1-9.csv": 100, "2024-1-10.csv": 100, "2024-01-11.csv": 100}, 11),
    ],
    ids=["numbers", "times", "names", "zeros"],
)
def test_of_one_batch_the_later_input_wins(tmp_path: Path, files: dict[str, int], published: int) -> None:
    made = shop(tmp_path)
    for name, at in files.items():
        land(made, name, int(name.partition(".")[0].replace("-", "_").rpartition("_")[2]), at)
    refine(work(made))
    assert made.rows("silver/prices", "price") == [published]
    rerun(work(made))
    assert made.rows("silver/prices", "price") == [published]


def test_of_one_archive_the_later_member_wins(tmp_path: Path) -> None:
    made, packed = shop(tmp_path), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, day, price in [("b_10.csv", 1, 10), ("b_9.csv", 1, 9), ("a.csv", 2, 2), ("c.csv", 1, 3)]:
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, day, 0, 0, 0)), f"id,price\n1,{price}\n2,{price}\n")
    made.land("all.zip", packed.getvalue())
    refine(work(made))
    assert made.rows("silver/prices", "price") == [2, 2]
    rerun(work(made))
    assert made.rows("silver/prices", "price") == [2, 2]


def test_a_snapshot_of_several_files_is_taken_whole(tmp_path: Path) -> None:
    made = shop(tmp_path, PRICES.replace("keys: [id]", "write: overwrite"))
    land(made, "a.csv", 1, 100)
    land(made, "b.csv", 2, 200)
    land(made, "bad.csv", -1, 300)
    refine(work(made))
    assert made.rows("silver/prices", "price") == [1, 2]
    rerun(work(made))
    assert made.rows("silver/prices", "price") == [1, 2]
    made.table("prices", PRICES.replace("keys: [id]", "write: overwrite").replace("min_value: 0", "min_value: -1"))
    replay(work(made), by="test")
    assert made.rows("silver/prices", "price") == [-1, 1, 2]


NAMES = st.sampled_from(["a_2.csv", "a_10.csv", "a_9.csv", "b.csv", "B.csv", "z.csv"])
#: What lands between two runs: a file, when it was written, its price; below 0 it is refused.
LANDED = st.lists(st.tuples(NAMES, st.integers(1, 4), st.integers(-3, 30)), max_size=5)


@settings(max_examples=6)
@given(batches=st.lists(LANDED, min_size=1, max_size=3), again=st.sampled_from(["", "rerun", "replay"]))
def test_the_published_row_is_that_of_the_last_input(batches: list[list[tuple[str, int, int]]], again: str) -> None:
    """The law; batches that come later count later, whatever the times of their files, and a file from when it came first."""
    with TemporaryDirectory() as folder:
        made, prices, clock = shop(Path(folder)), dict[str, list[int]](), 1_000
        for batch in batches:
            files = {name: (at, price) for name, at, price in batch}
            for name, (at, price) in files.items():
                land(made, name, price, clock + at)
            clock += 10  # a file that is written anew has another time
            refine(work(made))
            for name, (_, price) in sorted(files.items(), key=lambda one: (one[1][0], natural(one[0]))):
                prices.setdefault(name, []).append(price)  # the files stand in the order in which they came first
        good = [price for versions in prices.values() for price in versions if price >= 0]
        if again == "rerun":
            # A rerun takes each file in its last version.
            good = [versions[-1] for versions in prices.values() if versions[-1] >= 0]
            rerun(work(made))
        if again == "replay":
            good = [price for versions in prices.values() for price in versions]
            made.table("prices", PRICES.replace("min_value: 0", "min_value: -9"))
            replay(work(made), by="test")
        assert made.rows("silver/prices", "price") == good[-1:]


UPDATED = """
    source: {type: csv, path: "{landing}/*"}
    silver:
      keys: [id]
      merge: {order_by: upd}
      columns: {id: int64, upd: TYPE, price: int64}
      rules: [{type: expect_column_values_to_be_between, column: price, min_value: 0}]
"""


def updated(made: Workshop, name: str, *rows: tuple[str, int]) -> None:
    made.land(name, "id,upd,price\n" + "".join(f"1,{upd},{price}\n" for upd, price in rows))


def test_a_column_that_is_not_there_is_named(shop: Workshop) -> None:
    shop.table("x", 'source: {type: csv, path: "{landing}/*"}\nsilver: {keys: [id], merge: {order_by: upt}}\n')
    shop.land("a.csv", "id,upd\n1,2\n")
    assert shop.run("x").failures == {"x": "merge.order_by: no column 'upt' (nearest: upd); there are: id, upd"}


def test_the_order_is_that_of_todays_type(shop: Workshop) -> None:
    """Also where the published column has another one, and where it has become text."""
    text = 'source: {type: csv, path: "{landing}/*"}\nschema: evolve\nsilver: {keys: [id], merge: {order_by: at}, columns: {id: int64, at: KIND}}\n'
    for number, (kind, at, published) in enumerate(
        [
            ("string", "9", "9"),
            ("int64", "10", "10"),
            ("int64", "8", "10"),
            ("float64", "10.5", "10.5"),
            ("string", "9", "9"),
        ]
    ):
        shop.table("x", text.replace("KIND", kind))
        shop.land(f"{number}.csv", f"id,at\n1,{at}\n")
        assert shop.run("x").success
        assert shop.rows("silver/x", "at") == [published], number


def test_a_late_older_row_loses(tmp_path: Path) -> None:
    made = shop(tmp_path, UPDATED.replace("TYPE", "datetime"))
    updated(made, "2024-01-02.csv", ("2024-01-02 10:00:00", 2))
    refine(work(made))
    updated(made, "2024-01-01.csv", ("2024-01-01 10:00:00", 1))
    outcome = refine(work(made))
    assert outcome is not None
    assert (outcome.counts.rows_in, outcome.counts.published, outcome.counts.superseded) == (1, 0, 1)
    assert made.rows("silver/prices", "price") == [2]
    rerun(work(made))
    assert made.rows("silver/prices", "price") == [2]
    updated(made, "no_date.csv", ("", 3))
    refine(work(made))
    assert made.rows("silver/prices", "price") == [2]
    updated(made, "same.csv", ("2024-01-02 10:00:00", 4))
    refine(work(made))
    assert made.rows("silver/prices", "price") == [4]


def test_what_a_person_has_mended_loses_to_a_newer_row(tmp_path: Path) -> None:
    made = shop(tmp_path, UPDATED.replace("TYPE", "int64"))
    updated(made, "a.csv", ("5", -5))
    updated(made, "b.csv", ("3", 3))
    refine(work(made))
    updated(made, "c.csv", ("4", 4), ("9", -9))
    refine(work(made))
    assert made.rows("silver/prices", "price") == [4]
    (low, high) = sorted(made.rows("quarantine/prices", "_id"))
    replay(work(made), by="test", edits={low: {"price": "50"}})
    assert made.rows("silver/prices", "price") == [50]  # updated at 5, though it came before 4
    replay(work(made), by="test", edits={high: {"price": "90", "upd": "2"}})
    assert made.rows("silver/prices", "price") == [50]
    rerun(work(made))
    assert made.rows("silver/prices", "price") == [50]


ORDERED = st.lists(st.tuples(st.sampled_from(["", "1", "2", "3"]), st.integers(-2, 9)), min_size=1, max_size=3)


@settings(max_examples=6)
@given(
    files=st.lists(st.tuples(ORDERED, st.sampled_from(["wait", "refine", "rerun", "replay"])), min_size=1, max_size=5),
    kind=st.sampled_from(["int64", "string", "float64"]),
)
def test_the_published_row_is_that_which_the_order_says(
    files: list[tuple[list[tuple[str, int]], str]], kind: str
) -> None:
    """The law, after any sequence of landings, runs, reruns and replays; each file lands once."""
    with TemporaryDirectory() as folder:
        made, came, lowest = shop(Path(folder), UPDATED.replace("TYPE", kind)), list[tuple[str, int]](), 0
        for number, (rows, then) in enumerate(files):
            updated(made, f"f_{number}.csv", *rows)
            os.utime(made.landing / f"f_{number}.csv", (1_000 + number, 1_000 + number))
            came += rows
            if then == "wait":
                continue
            (rerun if then == "rerun" else refine)(work(made))
            if then == "replay":
                lowest = -2
                made.table("prices", UPDATED.replace("TYPE", kind).replace("min_value: 0", "min_value: -2"))
                replay(work(made), by="test")
            good = [(upd, at, price) for at, (upd, price) in enumerate(came) if price >= lowest]
            assert made.rows("silver/prices", "price") == [max(good)[2]] * bool(good)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "missing"),
    [("select id, price from self", "_source"), ("select *, 1 as one from self", None)],
    ids=["forgets", "keeps"],
)
def test_a_step_that_forgets_where_rows_came_from_is_told_where_it_decides(
    tmp_path: Path, step: str, missing: str | None
) -> None:
    made = shop(tmp_path, f"{PRICES}\n      transform: [{{sql: '{step}'}}]\n")
    land(made, "old.csv", 1, 100)
    land(made, "new.csv", 2, 200)
    said: list[str] = []
    told = replace(work(made), log=said.append)
    refine(told)
    land(made, "other.csv", 3, 300)
    refine(at_once(told))
    assert not any("does not give on" in line for line in said)  # nothing has come again
    land(made, "old.csv", 4, 400)
    for do in (refine, rerun):
        said.clear()
        do(at_once(told))
        lines = [line for line in said if "does not give on" in line]
        assert len(lines) == (missing is not None)
        assert made.rows("silver/prices", "price") == [4 if missing else 3]
        for line in lines:
            assert line.startswith("a step of silver/prices does not give on ")
            assert "_source" in line
            assert line.endswith(
                "which rows came first: a file that has changed, or waited, replaces newer rows of its keys"
            )
