"""The lake's own words: stage, publish, forget, and the ledger of what was consumed."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars import selectors as cs

from dq_pipelines.errors import Overtaken, PublishError
from dq_pipelines.lake.ledger import transactions
from dq_pipelines.lake.publish import Mode, Publication, delete_batches, publish
from dq_pipelines.lake.schema_evolution import drift
from dq_pipelines.lake.schema_rewrite import rewriting
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import PARTITION, Lake, LakeTable
from dq_pipelines_tests.workshop import delta_of, leftovers

ROWS = pl.DataFrame({"id": [1, 2, 3], "name": ["a", "b", None]})


@pytest.fixture
def table(tmp_path: Path) -> LakeTable:
    return Lake.at(str(tmp_path / "lake")).table("silver/orders")


def staged(table: LakeTable, rows: pl.DataFrame, batch: str = "b-1", partition: str | None = None) -> Stage:
    stage = Stage(table, batch, partition)
    stage.prepare()
    pl.collect_all([stage.sink(rows.lazy())], engine="streaming")
    return stage


def append(table: LakeTable, rows: pl.DataFrame, batch: str = "b-1", partition: str | None = None) -> Publication:
    return publish(staged(table, rows, batch, partition), "append", {f"batch:{batch}": 1})


def rows_of(table: LakeTable) -> list[tuple[object, ...]]:
    return sorted(table.scan().collect().rows(), key=repr)


def test_nothing_is_seen_before_the_commit(table: LakeTable) -> None:
    stage = staged(table, ROWS)
    assert not table.exists
    assert transactions(table) == {}
    with pytest.raises(PublishError, match="silver/orders is not published yet: materialize it first"):
        table.scan()
    assert publish(stage, "append", {"batch:b-1": 7}) == Publication("silver/orders", 0, 3)
    assert rows_of(table) == rows_of_frame(ROWS)
    assert transactions(table) == {"batch:b-1": 7}
    assert table.rows() == 3


def rows_of_frame(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    return sorted(frame.rows(), key=repr)


def test_what_is_not_committed_is_removed_and_what_is_stays(table: LakeTable) -> None:
    append(table, ROWS)
    stage = staged(table, ROWS, "b-2")
    stage.discard_uncommitted()
    assert leftovers(Path(table.uri).parents[1]) == []
    assert table.rows() == 3


def test_tidying_removes_what_a_killed_run_of_the_batch_left(table: LakeTable) -> None:
    staged(table, ROWS)  # killed here
    again = staged(table, ROWS)
    again.tidy()
    publish(again, "append", {"batch:b-1": 1})
    assert leftovers(Path(table.uri).parents[1]) == []
    assert table.rows() == 3


def test_a_batch_that_is_published_anew_leaves_the_files_of_the_version_before(table: LakeTable) -> None:
    """Somebody may be in the midst of reading it."""
    append(table, ROWS)
    reader = table.scan()
    again = staged(table, ROWS.head(1))
    again.tidy()
    publish(again, "overwrite", {"batch:b-1": 1})
    again.discard_uncommitted()
    assert reader.collect().height == 3
    assert table.rows() == 1


# --- modes ------------------------------------------------------------------------------------------


def test_merge_updates_and_adds(table: LakeTable) -> None:
    append(table, ROWS)
    stage = staged(table, pl.DataFrame({"id": [2, 4], "name": ["B", "d"]}), "b-2")
    assert publish(stage, "merge", {"batch:b-2": 1}, keys=("id",)).rows == 2
    assert rows_of(table) == [(1, "a"), (2, "B"), (3, None), (4, "d")]
    assert transactions(table) == {"batch:b-1": 1, "batch:b-2": 1}


def test_merge_with_a_key_that_must_be_quoted(table: LakeTable) -> None:
    name = 'Order "No." é'
    append(table, pl.DataFrame({name: [1, 2], "v": [1, 2]}))
    publish(staged(table, pl.DataFrame({name: [2], "v": [9]}), "b-2"), "merge", {}, keys=(name,))
    assert rows_of(table) == [(1, 1), (2, 9)]


def test_overwrite_takes_on_another_schema(table: LakeTable) -> None:
    append(table, ROWS)
    publish(staged(table, pl.DataFrame({"other": [1.5]}), "b-2"), "overwrite", {})
    assert table.scan().collect().to_dicts() == [{"other": 1.5}]


def test_a_batch_of_no_rows_makes_a_table(table: LakeTable) -> None:
    append(table, ROWS.clear())
    assert table.rows() == 0
    assert table.scan().collect_schema() == ROWS.schema


# --- partitions -----------------------------------------------------------------------------------------

ODD_KEYS = [
    "plain",
    "a b",
    "50%",
    "a=b",
    "a/b",
    "ü",
    "it's",
    'say "x"',
    "a%20b",
    "#1",
    "?",
    "+",
    "a\\b",
    "2026-10-01",
    "{x}",
    "~",
    "..",
]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_partition_key_of_odd_characters(table: LakeTable, key: str) -> None:
    append(table, ROWS, "b-0", "other")
    append(table, ROWS, "b-1", key)
    assert table.scan().filter(pl.col(PARTITION) == key).collect().height == 3
    again = staged(table, ROWS.head(1), "b-2", key)
    again.tidy()
    publish(again, "overwrite", {})
    again.discard_uncommitted()
    found = table.scan().select(PARTITION).collect()[PARTITION].to_list()
    assert sorted(found) == sorted(["other"] * 3 + [key])


@pytest.mark.slow
@given(key=st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text and text.isprintable()))
def test_any_partition_key(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    table = Lake.at(str(tmp_path_factory.mktemp("lake"))).table("silver/t")
    append(table, ROWS, "b-1", key)
    publish(staged(table, ROWS.head(2), "b-2", key), "merge", {}, keys=("id",))
    publish(staged(table, ROWS.head(1), "b-3", key), "overwrite", {})
    assert table.scan().collect().rows() == [(1, "a", key)]


def test_overwriting_a_partition_leaves_the_others(table: LakeTable) -> None:
    append(table, ROWS, "b-1", "mon")
    append(table, ROWS, "b-2", "tue")
    publish(staged(table, ROWS.head(1), "b-3", "tue"), "overwrite", {})
    assert sorted(table.scan().collect()[PARTITION]) == ["mon", "mon", "mon", "tue"]


# --- schema -----------------------------------------------------------------------------------------------


def test_a_new_column_is_refused_with_the_nearest_name(table: LakeTable) -> None:
    append(table, ROWS)
    stage = staged(table, ROWS.rename({"name": "nam"}), "b-2")
    with pytest.raises(PublishError) as caught:
        publish(stage, "append", {"batch:b-2": 1})
    assert str(caught.value) == (
        "silver/orders: new column 'nam' (nearest: name); wanted: id, name (to take it on, run with mode: rerun)"
    )
    assert table.rows() == 3
    assert transactions(table) == {"batch:b-1": 1}


def test_or_taken_on(table: LakeTable) -> None:
    append(table, ROWS)
    publish(staged(table, ROWS.with_columns(x=pl.lit(1)), "b-2"), "append", {}, new_columns="add")
    assert sorted(row["x"] or 0 for row in table.scan().collect().to_dicts()) == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("mode", ["append", "merge"])
@pytest.mark.parametrize("partition", [None, "a b"])
@pytest.mark.parametrize("first", ["id", "a.b", "*", 'Order "No." é'])
def test_columns_are_taken_on_in_the_commit_of_the_rows(
    table: LakeTable, mode: Mode, partition: str | None, first: str
) -> None:
    old, new = pl.DataFrame({first: [1, 2]}), pl.DataFrame({first: [2, 3], "x": ["b", "c"]})
    append(table, old, "b-1", None if partition is None else "other")
    append(table, old, "b-2", partition)
    publish(staged(table, new, "b-3", partition), mode, {"batch:b-3": 1}, keys=(first,), new_columns="add")
    delta = delta_of(table)
    assert delta.version() == 2
    assert {field.name for field in delta.schema().fields} - {PARTITION} == {first, "x"}
    assert transactions(table) == {f"batch:b-{number}": 1 for number in (1, 2, 3)}
    rows = sorted(table.scan().collect().select(cs.by_name(first, "x")).rows(), key=repr)
    twos = [(2, "b"), (2, "b")] if mode == "merge" else [(2, "b"), (2, None), (2, None)]
    assert rows == [(1, None), (1, None), *twos, (3, "c")]


def test_a_table_that_somebody_changed_meanwhile_is_not_replaced_by_what_was_written_anew(table: LakeTable) -> None:
    append(table, ROWS)
    stage = staged(table, ROWS.cast({"id": pl.String}), "b-2")
    with rewriting(stage, drift(ROWS.schema, stage.schema, "evolve"), "append") as rewrite:
        append(table, ROWS, "b-3")
        with pytest.raises(Overtaken, match="silver/orders: another writer"):
            publish(stage, "append", {"batch:b-2": 1}, rewrite=rewrite)
    stage.discard_uncommitted()
    assert leftovers(Path(table.uri).parents[1]) == []
    assert table.scan().collect_schema() == ROWS.schema
    assert table.rows() == 6


def test_another_type_is_refused(table: LakeTable) -> None:
    append(table, ROWS)
    with pytest.raises(PublishError, match=r"silver/orders: column 'id' was long and is now string; give it one type"):
        publish(staged(table, ROWS.cast({"id": pl.String}), "b-2"), "append", {})
    assert table.rows() == 3


# --- ledger -------------------------------------------------------------------------------------------------


def test_the_ledger_reads_checkpoints_and_what_came_after(table: LakeTable) -> None:
    for number in range(4):
        append(table, ROWS, f"b-{number}")
    delta = delta_of(table)
    delta.create_checkpoint()
    delta.cleanup_metadata()
    append(table, ROWS, "b-4")
    assert transactions(table) == {f"batch:b-{number}": 1 for number in range(5)}
    assert len(table.snapshot().retained_files()) == 5
    append(table, ROWS, "b-0")
    stage = staged(table, ROWS, "b-2")
    stage.discard_uncommitted()
    assert table.scan().collect().height == 18


def test_the_later_number_of_a_name_counts(table: LakeTable) -> None:
    for number in (3, 9):
        publish(staged(table, ROWS, f"b-{number}"), "append", {"input:/a": number})
    assert transactions(table) == {"input:/a": 9}


def test_names_of_all_kinds(table: LakeTable) -> None:
    names = {'input:/a "b"/ü\\c': 1, "input:s3://x/y?z#1": 2, "content:{}": 3}
    publish(staged(table, ROWS), "append", names)
    assert transactions(table) == names


def test_forgotten_batches_are_gone_and_no_others(table: LakeTable) -> None:
    for batch in ("b-1", "b-2"):
        append(table, ROWS.with_columns(_batch=pl.lit(batch)), batch)
    delete_batches(Stage(table, "b-2"), ["b-2"])
    assert set(table.scan().collect()["_batch"]) == {"b-1"}
    delete_batches(Stage(table, "b-2"), [])
    assert table.rows() == 3


# --- two at once --------------------------------------------------------------------------------------------


def both_at_once(first: Stage, second: Stage, mode: str = "append") -> list[Publication | PublishError]:
    """Two writers that have nothing in common but the table."""
    start = threading.Barrier(2)
    done: list[Publication | PublishError] = []

    def write(stage: Stage) -> None:
        start.wait()
        try:
            done.append(publish(stage, mode, {f"batch:{stage.batch}": 1}))  # type: ignore[arg-type]
        except PublishError as error:
            done.append(error)

    writers = [threading.Thread(target=write, args=[stage]) for stage in (first, second)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return done


@pytest.mark.parametrize("exists", [False, True], ids=["first creation", "table exists"])
def test_two_writers_lose_no_row(tmp_path: Path, exists: bool) -> None:
    for attempt in range(5):
        table = Lake.at(str(tmp_path / str(attempt))).table("bronze/orders")
        if exists:
            append(table, ROWS, "b-0")
        done = both_at_once(staged(table, ROWS, "b-1"), staged(table, ROWS, "b-2"))
        made = [one for one in done if isinstance(one, Publication)]
        refused = [one for one in done if isinstance(one, PublishError)]
        assert made
        assert all("bronze/orders" in str(error) and "\n" not in str(error) for error in refused)
        assert table.rows() == 3 * (len(made) + exists)
        assert len(transactions(table)) == len(made) + exists


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "silver").write_text("a file", encoding="utf-8")
    stage = Stage(Lake.at(str(tmp_path / "lake")).table("silver/orders"), "b-1")
    with pytest.raises(OSError, match="silver"):
        stage.prepare()


STEPS = st.lists(st.sampled_from(["commit", "checkpoint", "clean up", "begin anew"]), min_size=1, max_size=8)


@settings(max_examples=15)
@given(steps=STEPS, looks=st.lists(st.booleans(), min_size=8, max_size=8))
def test_the_ledger_is_what_the_log_says_however_often_it_was_read(steps: list[str], looks: list[bool]) -> None:
    """What a process has read before is of use only for the table that it was read of."""
    with TemporaryDirectory() as folder:
        table, noted = Lake.at(folder).table("silver/orders"), dict[str, int]()
        for number, (step, look) in enumerate(zip(steps, looks, strict=False)):
            if step == "commit" or not table.exists:
                name = f"batch:b-{number % 3}"
                noted |= {name: number}
                publish(staged(table, ROWS, f"b-{number}"), "append", {name: number})
            elif step == "begin anew":
                shutil.rmtree(table.uri)
                noted.clear()
            else:
                delta_of(table).create_checkpoint()
                commits = sorted(Path(table.uri, "_delta_log").glob("*.json"))
                for commit in commits[:-1] if step == "clean up" else ():
                    commit.unlink()
            if look:
                assert transactions(table) == noted
        assert transactions(table) == noted
