"""Entries of a ledger: rows that are lost stay told until a rerun of theirs has made them anew."""

from __future__ import annotations

import pytest

from dq_pipelines.lake.ledger import lost_from, lost_since_rerun, rerun_of


@pytest.mark.parametrize("partition", [None, "a"])
@pytest.mark.parametrize("at", [5, 50], ids=["a clock that was put back", "a clock that goes on"])
def test_a_loss_is_told_until_a_later_rerun(partition: str | None, at: int) -> None:
    entries = {rerun_of(partition): 10}
    assert lost_since_rerun(entries) == []
    entries |= lost_from(partition, at, entries)
    assert lost_since_rerun(entries) == [partition]
    assert lost_since_rerun(entries | {rerun_of("b"): 100}) == [partition]
    assert lost_since_rerun(entries | {rerun_of(partition): 51}) == []
    assert lost_since_rerun(entries | {rerun_of(None): 51}) == []
