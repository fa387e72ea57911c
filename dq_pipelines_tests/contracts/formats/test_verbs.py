"""Every verb on every format: rows, ledger, history and schema of the version that it makes, and of those before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dq_pipelines.errors import Overtaken, PublishError
from dq_pipelines.lake import formats
from dq_pipelines.lake.compaction import Compaction, checkpoint, forget_versions, vacuum
from dq_pipelines.lake.formats.commit import Append, Change, Commit, Delete, Merge, Note, Overwrite, Rebuild, Restore
from dq_pipelines.lake.table_lock import Claim
from dq_pipelines.lake.tables import PARTITION, LakeTable

from .verbs import BEFORE, CASES, ENTRY, FIRST, NAMES, NEW, VERBS, WIDER, in_order, rows_of, seeded, staged, table_at


@pytest.fixture(params=NAMES)
def table(request: pytest.FixtureRequest, tmp_path: Path) -> LakeTable:
    """A table with the rows `BEFORE`, in each format."""
    return seeded(tmp_path, request.param)


def needs(table: LakeTable, *capabilities: str) -> None:
    """Skip for formats that say that they cannot."""
    for each in capabilities:
        if not getattr(table.format.capabilities, each):
            pytest.skip(f"{table.format.name} says that it has no {each}")


# --- each verb --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_verb_changes_rows_and_ledger_in_one_version(tmp_path: Path, kind: str, name: str) -> None:
    table, verb = seeded(tmp_path, kind), VERBS[name]
    before = table.snapshot()
    done = table.commit(verb.commit(table))
    now = table.snapshot()
    assert rows_of(table) == in_order(verb.after)
    assert now.rows() == len(verb.after)
    assert now.version == done.version > before.version
    assert now.ledger == {"batch:b-1": 1, "batch:b-2": 2, ENTRY: 7}
    newest = next(now.history())
    assert (newest.version, newest.metadata["dq.by"]) == (done.version, "a test")
    assert newest.at is not None
    assert abs(datetime.now(UTC) - newest.at) < timedelta(hours=1)
    assert now.entries_since(before.version) == {ENTRY}


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_what_was_read_before_a_commit_stays_as_it_was(tmp_path: Path, kind: str, name: str) -> None:
    table, verb = seeded(tmp_path, kind), VERBS[name]
    before = table.snapshot()
    rows = before.scan()
    table.commit(verb.commit(table))
    assert in_order(rows.collect().to_dicts()) == in_order(BEFORE)
    assert (before.rows(), before.ledger) == (3, {"batch:b-1": 1, "batch:b-2": 2})
    assert before.schema == FIRST.schema
    if table.format.capabilities.time_travel:
        then = table.snapshot().at(before.version)
        assert in_order(then.scan().collect().to_dicts()) == in_order(BEFORE)
        assert (then.version, then.ledger, then.schema) == (before.version, before.ledger, before.schema)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_commit_is_made_once(tmp_path: Path, kind: str, name: str) -> None:
    table, verb = seeded(tmp_path, kind), VERBS[name]
    commit, again = verb.commit(table), verb.commit(table)
    version = table.commit(commit).version
    with pytest.raises(Overtaken, match=f"silver/orders: another run has published {ENTRY} meanwhile"):
        table.commit(again)
    assert table.snapshot().version == version
    assert rows_of(table) == in_order(verb.after)


# --- snapshots --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NAMES)
def test_a_table_that_was_never_published(tmp_path: Path, kind: str) -> None:
    table = table_at(tmp_path, kind)
    snapshot = table.snapshot()
    assert not snapshot.exists
    assert table.published() is None
    assert (snapshot.rows(), dict(snapshot.ledger), snapshot.files, list(snapshot.history())) == (0, {}, [], [])
    assert not snapshot.partitions
    with pytest.raises(PublishError, match="silver/orders is not published yet: materialize it first"):
        snapshot.scan()
    for change in (Note(), Delete("_batch", ("b-1",))):
        with pytest.raises(PublishError, match="silver/orders is not published yet"):
            table.commit(Commit(change))
    assert not list(table.format.examine(table))
    assert not table.format.lies_at(table)


@pytest.mark.parametrize("verb", ["append", "overwrite", "merge"])
@pytest.mark.parametrize("kind", NAMES)
def test_the_first_commit_makes_the_table(tmp_path: Path, kind: str, verb: str) -> None:
    table = table_at(tmp_path, kind)
    needs(table, *VERBS[verb].needs)
    stage = staged(table, NEW, "b-3")
    changes: dict[str, Change] = {
        "append": Append(stage),
        "overwrite": Overwrite(stage),
        "merge": Merge(stage, ("id",)),
    }
    table.commit(Commit(changes[verb], {ENTRY: 7}))
    assert rows_of(table) == in_order(NEW.to_dicts())
    assert table.snapshot().ledger == {ENTRY: 7}
    assert table.format.lies_at(table)
    assert table.format.tables_in(str(Path(table.uri).parent)) == ["orders"]


def test_files_have_statistics(table: LakeTable) -> None:
    needs(table, "files")
    snapshot = table.snapshot()
    found = snapshot.file_statistics("id", "word", "no such column").sort("rows", descending=True)
    assert found["rows"].to_list() == [2, 1]
    assert [found[f"{kind}.id"].to_list() for kind in ("least", "most", "nulls")] == [[1, 3], [2, 3], [0, 0]]
    assert found["nulls.word"].to_list() == [1, 0]
    assert found["least.no such column"].null_count() == 2
    assert sum(file.scan().collect().height for file in snapshot.files) == 3
    assert snapshot.retained_files() == {file.path for file in snapshot.files}
    known = snapshot.column_statistics(snapshot.schema)
    assert (known["id"].missing, known["id"].least, known["id"].greatest, known["word"].missing) == (0, 1, 3, 1)


def test_partitions_are_replaced_and_listed_apart(tmp_path: Path, table: LakeTable) -> None:
    needs(table, "partitions")
    parted = table_at(tmp_path, table.format.name, "parted")
    for day in ("mon", "a b/ü"):
        parted.commit(Commit(Append(staged(parted, FIRST, f"b-{len(day)}", day)), {f"batch:{day}": 1}))
    assert sorted(map(str, parted.snapshot().partitions)) == ["a b/ü", "mon"]
    parted.commit(Commit(Overwrite(staged(parted, FIRST.head(1), "b-3", "mon")), {ENTRY: 7}))
    snapshot = parted.snapshot()
    assert sorted(snapshot.scan().collect()[PARTITION]) == ["a b/ü", "a b/ü", "mon"]
    assert snapshot.last_made(ENTRY) == (snapshot.version, {"mon"})
    assert list(snapshot.partition_columns) == [PARTITION]
    parts = (staged(parted, FIRST.tail(1), "b-4", "mon"), staged(parted, NEW, "b-5", "tue"))
    parted.commit(Commit(Rebuild(parts, whole=False), expected=snapshot.version))
    assert sorted(parted.snapshot().scan().collect()[PARTITION]) == ["a b/ü", "a b/ü", "mon", "tue", "tue"]


# --- what is refused --------------------------------------------------------------------------------


def test_new_columns_are_refused_unless_they_may_come(table: LakeTable) -> None:
    with pytest.raises(PublishError, match=r"silver/orders: new column 'more'.*wanted: id, word, _batch"):
        table.commit(Commit(Append(staged(table, WIDER, "b-3")), {ENTRY: 7}))
    with pytest.raises(PublishError, match=r"silver/orders: column 'id' was .* and is now"):
        table.commit(Commit(Append(staged(table, NEW.cast({"id": pl.String}), "b-3"), "add"), {ENTRY: 7}))
    assert (rows_of(table), table.snapshot().ledger.get(ENTRY)) == (in_order(BEFORE), None)


def test_a_version_that_is_no_longer_the_newest_is_not_replaced(table: LakeTable) -> None:
    version = table.snapshot().version
    stage = staged(table, NEW, "b-3")
    table.commit(Commit(Note(), {"batch:b-9": 9}))
    with pytest.raises(Overtaken, match="silver/orders: another writer changed the table"):
        table.commit(Commit(Rebuild((stage,), whole=True), {ENTRY: 7}, expected=version))
    assert rows_of(table) == in_order(BEFORE)


def test_an_entry_of_any_number_keeps_a_commit_away(table: LakeTable) -> None:
    with pytest.raises(Overtaken, match="silver/orders: another run has done batch:b-1 meanwhile"):
        table.commit(Commit(Note(), {ENTRY: 7}, once={"batch:b-1": None}))
    table.commit(Commit(Note(), {ENTRY: 7}, once={"batch:b-1": 99}))
    assert table.snapshot().ledger[ENTRY] == 7


def test_files_that_somebody_else_has_replaced_are_not_replaced_again(table: LakeTable) -> None:
    needs(table, "files")
    commit = VERBS["replace files"].commit(table)
    table.commit(Commit(Delete("_batch", ("b-1",))))
    with pytest.raises(Overtaken):
        table.commit(commit)
    assert rows_of(table) == in_order(BEFORE[2:])


# --- versions ---------------------------------------------------------------------------------------


def test_restoring_goes_there_and_back(table: LakeTable) -> None:
    needs(table, "time_travel")
    first = table.snapshot().version
    table.commit(Commit(Overwrite(staged(table, NEW.select("id", x=pl.lit(1.5)), "b-3"))))
    second = table.snapshot().version
    for version, wanted in ((first, BEFORE), (second, NEW.select("id", x=pl.lit(1.5)).to_dicts())):
        table.commit(Commit(Restore(version), read=table.snapshot()))
        assert rows_of(table) == in_order(wanted)
    with pytest.raises(PublishError):
        table.snapshot().at(999)


def test_compaction_changes_no_row_and_keeps_earlier_versions(table: LakeTable) -> None:
    needs(table, "files")
    before = table.snapshot()
    found = Compaction.of(table)
    assert found is not None
    found.run(Claim(), lambda: None)
    assert (len(before.files), len(table.snapshot().files)) == (2, 1)
    checkpoint(table)
    assert vacuum(table, timedelta(days=1)) == []
    assert in_order(before.scan().collect().to_dicts()) == rows_of(table) == in_order(BEFORE)
    assert len(vacuum(table, timedelta(0), dry_run=True)) == len(vacuum(table, timedelta(0))) == 2
    assert rows_of(table) == in_order(BEFORE)
    assert table.snapshot().ledger == before.ledger


def test_earlier_versions_are_forgotten_and_the_ledger_is_not(table: LakeTable) -> None:
    table.commit(Commit(Delete("_batch", ("b-1",))))
    version, ledger = table.snapshot().version, table.snapshot().ledger
    gone = forget_versions(table)
    after = table.snapshot()
    assert (rows_of(table), after.ledger) == (in_order(BEFORE[2:]), ledger)
    if table.format.capabilities.files:
        assert gone
        assert after.retained_files() >= {file.path for file in after.files}
    if table.format.capabilities.time_travel:
        with pytest.raises(PublishError):
            after.at(version - 1).scan().collect()


def test_a_change_is_told_without_a_read(table: LakeTable) -> None:
    token = table.format.change_token(table)
    if token is None:
        pytest.skip(f"{table.format.name} has no such token")
    assert table.format.change_token(table) == token
    table.commit(Commit(Note(), {ENTRY: 7}))
    assert table.format.change_token(table) != token


# --- types ------------------------------------------------------------------------------------------

VALUES: dict[str, Callable[[], pl.Series]] = {
    "bool": lambda: pl.Series([True, None]),
    "int8": lambda: pl.Series([-128, 127], dtype=pl.Int8),
    "int64": lambda: pl.Series([-(2**63), 2**63 - 1]),
    "uint64": lambda: pl.Series([0, 2**64 - 1], dtype=pl.UInt64),
    "float32": lambda: pl.Series([0.5, -1.0], dtype=pl.Float32),
    "float64": lambda: pl.Series([1e300, -0.1]),
    "decimal": lambda: pl.Series([Decimal("1.50"), Decimal("-99999999.99")], dtype=pl.Decimal(10, 2)),
    "string": lambda: pl.Series(["", 'ü "x"\n']),
    "binary": lambda: pl.Series([b"", b"\x00\xff"]),
    "date": lambda: pl.Series([date(1, 1, 1), date(9999, 12, 31)]),
    "moment": lambda: pl.Series([datetime(2026, 1, 1, 1, 2, 3, 4), None], dtype=pl.Datetime("us")),  # noqa: DTZ001
    "moment of a zone": lambda: pl.Series([datetime(2026, 1, 1, tzinfo=UTC), None], dtype=pl.Datetime("us", "UTC")),
    "time": lambda: pl.Series([time(1, 2, 3), time(23, 59, 59, 999999)]),
    "category": lambda: pl.Series(["a", "b"], dtype=pl.Categorical),
    "list": lambda: pl.Series([[1, None], []], dtype=pl.List(pl.Int64)),
    "struct": lambda: pl.Series([{"a": 1, "b": "x"}, {"a": None, "b": None}]),
    "nothing": lambda: pl.Series([None, None]),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("kind", NAMES)
def test_values_come_back_as_the_type_that_the_format_names(tmp_path: Path, kind: str, name: str) -> None:
    table, rows = table_at(tmp_path, kind), pl.DataFrame({"v": VALUES[name]()})
    stored = table.format.stored_type(rows.schema["v"])
    if stored is None:
        pytest.skip(f"{kind} says that it cannot store {name}")
    table.commit(Commit(Append(staged(table, rows, "b-1"))))
    got = table.snapshot().scan().collect()
    assert got.schema == {"v": stored} == table.snapshot().schema
    assert_frame_equal(got, table.format.storable(rows.lazy()).collect(), check_row_order=False)


@pytest.mark.parametrize("kind", NAMES)
def test_a_format_says_what_it_is(kind: str) -> None:
    found = formats.named(kind)
    assert found.name == kind
    said: dict[str, Any] = vars(found.capabilities)
    assert all(isinstance(can, bool) for can in said.values())
