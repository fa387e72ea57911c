"""Cached statuses are those that are read anew, whatever was written in between; and a total counts each row once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq_pipelines.history.queries import status_cache
from dq_pipelines.history.queries.change_token import change_token
from dq_pipelines.history.queries.failing_since import all_failing_since, failing_since
from dq_pipelines.history.queries.status_cache import StatusCache
from dq_pipelines.history.queries.table_status import TableStatus, latest_statuses, statuses_without_released
from dq_pipelines.history.queries.totals import rows_in_by_table
from dq_pipelines.history.store.attempts import Attempt, Attempts
from dq_pipelines.history.store.records import GOLD, REPLAY, RERUN, ResultRecord, VerdictRecord
from dq_pipelines.history.store.status import Outcome
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.history.value_erasure import forget

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
TABLES = ("silver/a", "silver/b", "gold/c")

tables = st.sampled_from(TABLES)
partitions = st.sampled_from((None, "mon", "tue"))
batches = st.sampled_from(("", "b-1", "b-2", f"{GOLD}1", f"{REPLAY}1", f"b-2{RERUN}"))


@st.composite
def verdicts(draw: st.DrawFn) -> VerdictRecord:
    results = tuple(
        ResultRecord(check, check, "x", "critical", draw(st.booleans()), False, 10, 0, 1, observed_value="secret")
        for check in ("one", "two")
    )
    at = BEGAN + timedelta(minutes=draw(st.integers(0, 90)))
    return VerdictRecord(
        draw(tables), draw(batches), draw(st.sampled_from(("r-1", "r-2"))), at, 1.0, draw(st.integers(0, 9)), 5,
        draw(st.integers(0, 3)), 0, draw(st.booleans()), results=results, partition=draw(partitions),
    )  # fmt: skip


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    outcomes: tuple[Outcome, ...] = ("running", "published", "failed", "waiting", "cancelled")
    outcome = draw(st.sampled_from(outcomes))
    begun = Attempt(draw(tables), draw(partitions), draw(st.sampled_from(("r-1", "r-2"))), BEGAN, upstream="silver/a")
    return begun if outcome == "running" else begun.ended(outcome, BEGAN + timedelta(hours=1), "secret")


def written(one: VerdictRecord | Attempt | str) -> Callable[[History], object]:
    if isinstance(one, VerdictRecord):
        return lambda history: history.record(one)
    if isinstance(one, Attempt):
        return lambda history: Attempts(history).record(one)
    return lambda history: forget(history, [one], lambda _, value: value == "secret", lambda _: False)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(verdicts(), attempts(), tables), max_size=12))
def test_a_cached_status_is_the_one_that_is_read_anew(writes: list[VerdictRecord | Attempt | str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(f"sqlite:///{folder}/h.db")
        cache = StatusCache(history)
        assert cache.all() == {}
        for one in writes:
            before = change_token(history)
            written(one)(history)
            assert list(cache.all().values()) == (latest_statuses(history) if history.is_begun else [])
            assert isinstance(one, str) or change_token(history) != before
        history.engine.dispose()


def test_only_what_changed_is_read_again(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = VerdictRecord("silver/a", "b-1", "r", BEGAN, 1.0, 1, 1, 0, 0, False)
    for table in TABLES:
        history.record(replace(verdict, table=table))
    cache, read = StatusCache(history), list[object]()

    def noted(of: History, some: list[str] | None) -> dict[str, TableStatus]:
        read.append(some)
        return statuses_without_released(of, some)

    monkeypatch.setattr(status_cache, "statuses_without_released", noted)
    first = dict(cache.all())
    assert sorted(first) == sorted(TABLES)
    read.clear()
    cache.all()
    assert read == []
    history.record(replace(verdict, table="silver/b", duration_seconds=2.0))
    second = cache.all()
    assert read == [["silver/b"]]
    assert second["silver/a"] is first["silver/a"]
    assert second["silver/b"].verdicts[0].duration_seconds == 2.0


def test_a_replaced_file_is_read_anew(tmp_path: Path) -> None:
    """A copy that is put back has the marks of its time."""
    history, other = (History(f"sqlite:///{tmp_path}/{name}.db") for name in ("one", "two"))
    verdict = VerdictRecord("silver/a", "b-1", "r", BEGAN, 1.0, 1, 1, 0, 0, False)
    history.record(verdict)
    cache = StatusCache(history)
    assert cache.all()["silver/a"].verdicts[0].rows_in == 1
    other.record(replace(verdict, rows_in=7))
    other.engine.dispose()
    (tmp_path / "two.db").replace(tmp_path / "one.db")
    assert cache.all()["silver/a"].verdicts[0].rows_in == 7


@settings(max_examples=25, deadline=None)
@given(st.lists(verdicts(), max_size=14))
def test_each_row_is_counted_once_and_rules_fail_since_their_last_success(records: list[VerdictRecord]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(f"sqlite:///{folder}/h.db")
        for one in records:
            history.record(one)
        kept = {(one.table, one.batch, one.run_id, one.partition): place for place, one in enumerate(records)}
        found = [records[place] for place in sorted(kept.values())]
        for chosen in (None, ["silver/a", "gold/c"]):
            sums = rows_in_by_table(history, None, chosen).values()
            assert (sum(rows for rows, _ in sums), sum(refused for _, refused in sums)) == counted_by_hand(
                [v for v in found if chosen is None or v.table in chosen]
            )
        pairs = [(table, check) for table in TABLES for check in ("one", "two")]
        together = all_failing_since(history, pairs)
        assert together == {
            (table, check): began
            for table in TABLES
            for check, began in failing_since(history, table, ["one", "two"]).items()
        }
        assert together == since_by_hand(found)
        history.engine.dispose()


def counted_by_hand(found: list[VerdictRecord]) -> tuple[int, int]:
    def is_on_batch(one: VerdictRecord) -> bool:
        return one.batch != "" and not one.batch.startswith(REPLAY) and not one.batch.endswith(RERUN)

    counting = [
        one
        for place, one in enumerate(found)
        if is_on_batch(one)
        and not any(
            is_on_batch(later)
            and (later.table, later.partition) == (one.table, one.partition)
            and (later.batch == one.batch or one.blocked or one.batch.startswith(GOLD))
            for later in found[place + 1 :]
        )
    ]
    return sum(one.rows_in for one in counting), sum(one.refused for one in counting if not one.blocked)


def since_by_hand(found: list[VerdictRecord]) -> dict[tuple[str, str], datetime]:
    failing: dict[tuple[str, str, str], list[datetime]] = {}
    for one in found:
        partition = f"{'recheck:' if one.is_recheck else ''}{one.partition or ''}"
        for result in one.results:
            of = (one.table, result.check, partition)
            failing[of] = [] if result.success else [*failing.get(of, []), one.started_at]
    began: dict[tuple[str, str], datetime] = {}
    for (table, check, _), moments in failing.items():
        if moments:
            began[table, check] = min([*moments, *([began[table, check]] if (table, check) in began else [])])
    return began
