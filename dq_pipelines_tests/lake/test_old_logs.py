"""A Delta table of many commits: its log is read as quickly as a young one's, and what is kept in memory is never another table."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from dq_pipelines.errors import PublishError
from dq_pipelines.lake.formats.commit import Append, Commit, Note
from dq_pipelines.lake.formats.delta import after_commit, checkpoints, open_tables
from dq_pipelines.lake.formats.delta.log import Log
from dq_pipelines.lake.tables import LakeTable
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines_tests.contracts.formats.verbs import BEFORE, in_order, rows_of, seeded, staged, table_at
from dq_pipelines_tests.forks import fork
from dq_pipelines_tests.workshop import Workshop

EVENTS = """
    source: {type: csv, path: "{landing}/*.csv"}
    silver: {columns: {id: int64}}
"""


def log_of(table: LakeTable) -> Log:
    log = Log.of(table.key, table.uri)
    assert log is not None
    return log


def aged(table: LakeTable, until: int) -> None:
    """The table with one commit after another, up to this version."""
    for number in range(table.snapshot().version + 1, until + 1):
        table.commit(Commit(Note(), {f"batch:n-{number}": number}))


def test_checkpoints_come_before_their_commits_cost_more(tmp_path: Path) -> None:
    table = seeded(tmp_path, "delta")
    ages = []
    for version in range(2, 61):
        aged(table, version)
        ages.append(version - log_of(table).checkpoint[0])
    assert max(ages) <= 20
    assert ages.count(0) >= 3
    assert table.snapshot().ledger == {"batch:b-1": 1, "batch:b-2": 2} | {f"batch:n-{at}": at for at in range(2, 61)}
    assert rows_of(table) == in_order(BEFORE)


def test_a_dearer_checkpoint_comes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = seeded(tmp_path, "delta")
    monkeypatch.setattr(checkpoints, "_CHECKPOINT", 1e9)
    aged(table, 98)
    assert log_of(table).checkpoint[0] == -1
    aged(table, 99)
    assert log_of(table).checkpoint[0] == 99


def test_a_batch_opens_each_layer_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, opened = Workshop(tmp_path), list[str]()

    def counted(uri: str, **options: Any) -> DeltaTable:
        opened.append(uri)
        return DeltaTable(uri, **options)

    made.table("events", EVENTS)
    monkeypatch.setattr(open_tables, "DeltaTable", counted)
    for batch in range(4):
        made.land(f"{batch}.csv", f"id\n{batch}\n")
        open_tables._kept.clear()  # as in a process of its own
        opened.clear()
        assert refine(TableRun(made.project.tables["events"], made.lake)) is not None
        assert len(opened) == len(set(opened)) <= 3, "of each layer once"
    made.land("4.csv", "id\n4\n")
    opened.clear()
    refine(TableRun(made.project.tables["events"], made.lake))
    assert not opened, "in a process that has just committed"
    assert made.rows("silver/events", "id") == list(range(5))


def test_another_table_at_the_same_place_is_no_later_version(tmp_path: Path) -> None:
    table = seeded(tmp_path / "lake", "delta")
    other = seeded(tmp_path / "other", "delta")
    other.commit(Commit(Append(staged(other, pl.DataFrame({"id": [9], "word": ["z"], "_batch": ["b-3"]}), "b-3"))))
    aged(other, 5)
    aged(table, 3)
    assert table.snapshot().rows() == len(BEFORE)
    shutil.rmtree(table.uri)
    shutil.copytree(other.uri, table.uri, copy_function=shutil.copy)
    assert table.snapshot().rows() == len(BEFORE) + 1
    assert rows_of(table) == rows_of(other)


def test_a_snapshot_keeps_its_version_while_others_commit(tmp_path: Path) -> None:
    table = seeded(tmp_path, "delta")
    before = table.snapshot()
    rows, asked = before.scan(), before.file_statistics()
    for number in (4, 5):
        new = staged(table, pl.DataFrame({"id": [number], "word": ["z"], "_batch": [f"b-{number}"]}), f"b-{number}")
        table.commit(Commit(Append(new)))
        now = table.snapshot()
        assert (now.rows(), len(now.files)) == (number, number - 1)
    assert in_order(rows.collect().to_dicts()) == in_order(BEFORE)
    assert before.rows() == len(BEFORE)
    assert before.file_statistics().equals(asked)
    assert table.snapshot().at(before.version).rows() == len(BEFORE)


def test_a_failed_checkpoint_is_no_failed_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    table = seeded(tmp_path, "delta")
    monkeypatch.setattr(after_commit, "write_checkpoint", full)
    aged(table, 40)
    assert log_of(table).checkpoint[0] == -1
    monkeypatch.undo()
    aged(table, 41)
    assert log_of(table).checkpoint[0] == 41
    assert rows_of(table) == in_order(BEFORE)


@pytest.mark.parametrize("moved_by_hand", [False, True], ids=["torn", "moved by hand"])
def test_a_newest_version_with_a_checkpoint_is_given_up_with_it(tmp_path: Path, moved_by_hand: bool) -> None:
    table = seeded(tmp_path, "delta")
    while log_of(table).checkpoint[0] < 0:
        aged(table, table.snapshot().version + 1)
    version = table.snapshot().version
    commit = Path(table.uri) / f"_delta_log/{version:020}.json"
    commit.write_bytes(commit.read_bytes()[:40])
    if moved_by_hand:
        commit.unlink()
        with pytest.raises(PublishError, match=f"wanted the commit of version {version} of silver/orders beside its"):
            table.commit(Commit(Note(), {"batch:late": 1}))
    else:
        with pytest.raises(
            PublishError, match="move the file, the checkpoint of its version and _last_checkpoint away"
        ):
            table.snapshot()
    (damage,) = table.format.examine(table)
    assert damage.movable
    for path in map(Path, (damage.path, *damage.companions)):
        path.unlink()
    assert not list(table.format.examine(table))
    assert table.snapshot().version == version - 1
    aged(table, version + 30)
    assert rows_of(table) == in_order(BEFORE)


def test_a_torn_commit_is_kept_where_its_checkpoint_alone_has_the_rest(tmp_path: Path) -> None:
    table = seeded(tmp_path, "delta")
    while log_of(table).checkpoint[0] < 0:
        aged(table, table.snapshot().version + 1)
    *earlier, newest = sorted((Path(table.uri) / "_delta_log").glob("*.json"))
    newest.write_bytes(b"")
    for commit in earlier:
        commit.unlink()
    (damage,) = table.format.examine(table)
    assert (damage.movable, damage.companions) == ("", ())
    assert damage.remedy == "put silver/orders/_delta_log back from a copy made by dq backup"


def test_an_expired_commit_of_a_checkpoint_stops_no_later_one(tmp_path: Path) -> None:
    table = seeded(tmp_path, "delta")
    while log_of(table).checkpoint[0] < 0:
        aged(table, table.snapshot().version + 1)
    version = table.snapshot().version
    aged(table, version + 2)
    for number in range(version + 1):
        (Path(table.uri) / f"_delta_log/{number:020}.json").unlink()
    assert not list(table.format.examine(table))
    aged(table, version + 30)
    assert rows_of(table) == in_order(BEFORE)


@pytest.mark.parametrize("whole", [True, False], ids=["whole log", "commits gone"])
def test_a_lost_checkpoint(tmp_path: Path, whole: bool) -> None:
    table = seeded(tmp_path, "delta")
    while log_of(table).checkpoint[0] < 0:
        aged(table, table.snapshot().version + 1)
    version, folder = table.snapshot().version, Path(table.uri) / "_delta_log"
    next(folder.glob("*.parquet")).unlink()
    if not whole:
        (folder / f"{0:020}.json").unlink()
    (damage,) = table.format.examine(table)
    assert damage.sentence.startswith(
        f"wanted the checkpoint of version {version} of silver/orders, which it names, got none"
    )
    open_tables._kept.clear()
    with pytest.raises(PublishError, match="which it names, got none; dq doctor names the remedy"):
        table.rows()
    assert bool(damage.movable) == whole
    if whole:
        Path(damage.path).unlink()
        assert not list(table.format.examine(table))
        aged(table, version + 30)
        assert rows_of(table) == in_order(BEFORE)


CHILD = """
import json, os, signal, sys
from pathlib import Path
from dq_pipelines.lake.formats.commit import Commit, Note
from dq_pipelines.lake.formats.delta import after_commit, checkpoints
from dq_pipelines_tests.contracts.formats.verbs import seeded

root, at, steps, inside = Path(sys.argv[1]), int(sys.argv[2]), 0, False
table = seeded(root, "delta")
write = after_commit.write_checkpoint

def step(frame, event, called):
    global steps
    steps += 1
    if steps == at:
        os.kill(os.getpid(), signal.SIGKILL)

def stepwise(*given):
    sys.setprofile(step)
    write(*given)
    sys.setprofile(None)

after_commit.write_checkpoint = stepwise
after_commit.is_due = lambda log: True
table.commit(Commit(Note(), {"batch:b-3": 7}))
print(json.dumps(steps))
"""


@pytest.mark.slow
def test_a_kill_while_a_checkpoint_is_written_harms_nothing(tmp_path: Path) -> None:
    dry = fork(CHILD, tmp_path / "dry", 0)
    assert dry.ended() == 0, dry.said
    steps = json.loads(dry.said.splitlines()[-1])
    for at in range(1, steps + 1, max(steps // 12, 1)):
        child = fork(CHILD, tmp_path / str(at), at)
        assert child.ended() == -signal.SIGKILL, child.said
        table = table_at(tmp_path / str(at), "delta")
        assert table.snapshot().ledger == {"batch:b-1": 1, "batch:b-2": 2, "batch:b-3": 7}
        assert rows_of(table) == in_order(BEFORE)
        aged(table, 30)
        assert log_of(table).checkpoint[0] > 3
        assert rows_of(table) == in_order(BEFORE)
