"""What changed since a moment is what a plain reading of all verdicts says, for random histories on both databases."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from dq_pipelines.history.queries.recent_changes import RecentChanges, recent_changes
from dq_pipelines.history.queries.status_cache import StatusCache
from dq_pipelines.history.store.attempts import Attempt, Attempts
from dq_pipelines.history.store.records import REPLAY, RERUN, ResultRecord, VerdictRecord
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.web.dashboard.per_table_cache import PerTableCache

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
SINCE = AT - timedelta(days=1)
TABLES = ("silver/a", "silver/b")


def verdict(
    number: int, table: str, minutes: int, *, partition: str | None = None, blocked: bool = False, batch: str = "b",
    **passes: bool,
) -> VerdictRecord:  # fmt: skip
    """The number-th verdict, so many minutes after the moment, with these rules."""
    results = tuple(
        ResultRecord(
            check, f"expect_{check}", "x", "critical" if check == "one" else "warning", passed, False, 10, 0, 1
        )
        for check, passed in passes.items()
    )
    at = SINCE + timedelta(minutes=minutes)
    named = batch if not batch.startswith("b") else f"{batch}-{number}"
    return VerdictRecord(
        table, named, f"r-{number}", at, 1.0, 10, 8, 2, 0, blocked, results=results, partition=partition
    )


@st.composite
def verdicts(draw: st.DrawFn) -> list[VerdictRecord]:
    """Verdicts in order of time, half of them before the moment."""
    minutes = sorted(draw(st.lists(st.integers(-600, 600), max_size=14)))
    checks = st.dictionaries(st.sampled_from(("one", "two")), st.booleans(), min_size=1)
    return [
        verdict(
            number, draw(st.sampled_from(TABLES)), at, partition=draw(st.sampled_from((None, "mon", "tue"))),
            blocked=draw(st.booleans()), batch=draw(st.sampled_from(("b", "b", "b", f"{REPLAY}1", ""))), **draw(checks),
        )
        for number, at in enumerate(minutes)
    ]  # fmt: skip


def plainly(records: Sequence[VerdictRecord], table: str) -> tuple[set[str], set[str], bool, int, int]:
    """The checks that began to fail and that passed again, whether the table is new, and its batches."""
    single = [
        one for one in records if one.table == table and one.batch and not one.batch.startswith(REPLAY)
        and not one.batch.endswith(RERUN)
    ]  # fmt: skip
    old, new = ([one for one in single if (one.started_at >= SINCE) is late] for late in (False, True))
    began: set[str] = set()
    recovered: set[str] = set()
    for partition in {one.partition for one in new} if old else ():
        last = [one for one in new if one.partition == partition][-1]
        before = ([one for one in old if one.partition == partition] or old)[-1]
        was = {result.check: result.success for result in before.results}
        for result in last.results:
            if result.success != was.get(result.check, True):
                (recovered if result.success else began).add(result.check)
    blocked = sum(one.blocked for one in new)
    return began, recovered - began, bool(new) and not old, len(new) - blocked, blocked


@settings(max_examples=40, deadline=None)
@given(verdicts())
def test_changes_are_those_of_a_plain_reading(records: list[VerdictRecord]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(f"sqlite:///{folder}/h.db")
        for one in records:
            history.record(one)
        found = recent_changes(history, SINCE)
        for table in TABLES:
            of = found.get(table, RecentChanges())
            assert (
                {rule.check for rule in of.began},
                {rule.check for rule in of.recovered},
                bool(of.first_judged),
                of.published_batches,
                of.blocked_batches,
            ) == plainly(records, table)
            assert of.rows_in == 10 * of.published_batches
            assert recent_changes(history, SINCE, [table]).get(table, RecentChanges()) == of
        history.engine.dispose()


def test_sums_and_changes(history: History) -> None:
    for one in (
        verdict(1, "silver/a", -100, one=True, two=False),
        verdict(2, "silver/a", 5, one=False, two=True),
        verdict(3, "silver/a", 6, one=False, two=True, blocked=True),
        verdict(4, "silver/new", 7, one=False),
    ):
        history.record(one)
    begun = Attempt("silver/b", None, "r-9", SINCE + timedelta(minutes=9))
    Attempts(history).record(begun)
    Attempts(history).record(begun.ended("failed", AT, "no such file"))
    found = recent_changes(history, SINCE)
    assert sorted(found) == ["silver/a", "silver/b", "silver/new"]
    every = RecentChanges.of(found.values())
    assert [(one.check, one.severity) for one in every.began] == [("one", "critical")]
    assert [(one.table, one.check, one.rule, one.column) for one in every.recovered] == [
        ("silver/a", "two", "expect_two", "x")
    ]
    assert (every.first_judged, every.published_batches, every.blocked_batches) == (1, 2, 1)
    assert (every.rows_in, every.refused, every.failed_attempts) == (20, 4, 1)
    assert not every.is_empty
    assert RecentChanges.of([]).is_empty
    assert recent_changes(history, AT) == {}


def test_a_rule_is_listed_once_with_the_number_of_its_partitions(history: History) -> None:
    for number, day in enumerate(("mon", "tue", "wed")):
        history.record(verdict(number, "silver/a", -100 + number, partition=day, one=True, two=True))
        history.record(verdict(10 + number, "silver/a", 100 + number, partition=day, one=False, two=day == "mon"))
    began = recent_changes(history, SINCE)["silver/a"].began
    assert [(one.check, one.partitions, one.at) for one in began] == [
        ("one", 3, SINCE + timedelta(minutes=102)),
        ("two", 2, SINCE + timedelta(minutes=102)),
    ]


@settings(max_examples=12, deadline=None)
@given(verdicts(), st.integers(0, 14))
def test_a_cache_knows_what_a_query_finds(records: list[VerdictRecord], first: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(f"sqlite:///{folder}/h.db")
        statuses, cache = StatusCache(history), PerTableCache(history, recent_changes, timedelta(days=1))
        for some in (records[:first], records[first:], []):
            for one in some:
                history.record(one)
            assert cache.now(statuses.all(), AT) == recent_changes(history, SINCE)
        later = AT + timedelta(hours=3)
        assert cache.now(statuses.all(), later) == recent_changes(history, later - timedelta(days=1))
        history.engine.dispose()
