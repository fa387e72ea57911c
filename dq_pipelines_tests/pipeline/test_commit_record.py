"""What the commits of a batch record in the ledgers of quarantine and silver, as a value."""

from __future__ import annotations

import pytest

from dq_pipelines.lake.publish import Mode
from dq_pipelines.pipeline.silver.commit import CommitRecord, record_of
from dq_pipelines.pipeline.silver.rerun import unfinished_reruns

CONSUMED = {"batch:b-1": 1, "batch:b-2": 1}


@pytest.mark.parametrize("mode", ["append", "merge", "overwrite"])
def test_refused_rows_are_added_and_published_ones_go_by_the_mode_of_the_table(mode: Mode) -> None:
    record = record_of(mode, CONSUMED, (), {})
    assert (record.quarantine_mode, record.silver_mode, record.consumed) == ("append", mode, CONSUMED)


def test_nobody_else_may_have_consumed_the_batches() -> None:
    record = record_of("append", CONSUMED, ["batch:b-0"], {})
    assert record.first_in_quarantine == record.first_in_silver == ("batch:b-1", "batch:b-2")
    assert record.left_behind == []


def test_what_a_killed_run_has_left_in_quarantine_is_removed_before_it_is_written_anew() -> None:
    record = record_of("append", CONSUMED, ["batch:b-0", "batch:b-1"], {})
    assert record.left_behind == ["b-1"]
    assert (record.first_in_quarantine, record.first_in_silver) == (("batch:b-2",), ("batch:b-1", "batch:b-2"))


def test_a_snapshot_notes_when_it_landed() -> None:
    landed_at = {"b-1": 10, "b-2": 20, "b-3": 30}
    assert record_of("overwrite", CONSUMED, (), landed_at).noted == {"snapshot": 20}
    assert record_of("overwrite", CONSUMED, (), landed_at, "mon").noted == {"snapshot:mon": 20}
    assert record_of("overwrite", CONSUMED, (), {}).noted == {}, "bronze of an earlier release has not noted it"
    assert record_of("append", CONSUMED, (), landed_at).noted == {}


def test_a_rerun_replaces_what_it_consumes_once_more() -> None:
    record = CommitRecord("overwrite", "overwrite", CONSUMED)
    assert (record.left_behind, record.first_in_quarantine, record.first_in_silver) == ([], (), ())


@pytest.mark.parametrize(
    ("quarantine", "silver", "unfinished"),
    [
        ({}, {}, []),
        ({"rerun": 5}, {}, [None]),
        ({"rerun": 5}, {"rerun": 5}, []),
        ({"rerun:mon": 5, "rerun:tue": 6}, {"rerun:mon": 5}, ["tue"]),
        ({"rerun:mon": 5}, {"rerun": 6}, []),
        ({"rerun:mon": 7}, {"rerun": 6}, ["mon"]),
    ],
)
def test_a_rerun_is_unfinished_where_quarantine_knows_of_a_later_one_than_silver(
    quarantine: dict[str, int], silver: dict[str, int], unfinished: list[str | None]
) -> None:
    assert unfinished_reruns(quarantine, silver) == unfinished
