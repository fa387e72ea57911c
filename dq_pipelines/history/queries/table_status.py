"""Computes the current status of tables from the latest verdicts, re-checks, attempts and open rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from itertools import groupby

from dq_pipelines.history.queries.rule_status import OpenRows, PartitionResults, RuleState
from dq_pipelines.history.store.attempts import Attempt, last_attempts
from dq_pipelines.history.store.records import NON_QUALITY_RULES, ResultRecord, VerdictRecord
from dq_pipelines.history.store.status import ALARMING, Status, table_status, worst
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.rules.core.check_names import check_name


@dataclass(frozen=True)
class TableStatus:
    """The current status of one table: its latest verdicts, re-checks, attempts and open rows."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    #: the latest verdict on a batch, or that of each partition; the re-checks, where no batch was ever judged;
    #: empty before the first run
    verdicts: tuple[VerdictRecord, ...]
    #: the latest re-checks, that is, verdicts on published rows
    rechecks: tuple[VerdictRecord, ...] = ()
    #: the last attempt of each partition, without cancelled ones
    attempts: tuple[Attempt, ...] = ()
    #: those of `attempts` that waited for an upstream table which no longer blocks them
    released: tuple[Attempt, ...] = ()
    #: open refused rows, by reason; None where the lake was not read
    open: tuple[OpenRows, ...] | None = None
    #: number of open refused rows, each counted once; None where the lake was not read
    open_rows: int | None = None

    @cached_property
    def status(self) -> Status:
        """The status in one word, as defined in `store.status`."""
        failing = {rule.status for rule in self.failed}
        outcomes: set[str | None] = {attempt.outcome for attempt in self.attempts if attempt not in self.released}
        judged, blocked = bool(self.verdicts), bool(self.held_back)
        return worst(
            [
                table_status(is_judged=judged, is_blocked=blocked, failing=failing, attempt=outcome)
                for outcome in outcomes or {None}
            ]
        )

    @property
    def is_alarming(self) -> bool:
        """Whether a person must act: no result, a blocked batch, a critical rule that fails or has refused rows open."""
        return self.status in ALARMING or any(rule.one.severity == "critical" for rule in self.failed)

    @property
    def attempt(self) -> Attempt | None:
        """The last attempt that failed or waits for an upstream table; else the last attempt."""
        return max(
            self.attempts,
            key=lambda attempt: (attempt.is_failure and attempt not in self.released, attempt.started_at),
            default=None,
        )

    @property
    def latest(self) -> VerdictRecord | None:
        """The newest verdict on a batch; None where there is none yet."""
        return max(self.verdicts, key=lambda verdict: verdict.started_at, default=None)

    @property
    def last_attempt(self) -> Attempt | None:
        """The last attempt, whatever its outcome."""
        return max(self.attempts, key=lambda attempt: attempt.started_at, default=None)

    @property
    def at(self) -> datetime:
        """When the newest verdict or attempt began."""
        judged = [verdict.started_at for verdict in (*self.verdicts, *self.rechecks)]
        return max([*judged, *(attempt.started_at for attempt in self.attempts)])

    @property
    def partitions(self) -> tuple[str, ...]:
        return tuple(verdict.partition for verdict in self.verdicts if verdict.partition is not None)

    @property
    def blocked(self) -> tuple[VerdictRecord, ...]:
        """The verdicts for which downstream tables wait: on blocked batches, and later failed re-checks."""
        last = max((verdict.started_at for verdict in self.verdicts), default=None)
        since = [
            verdict for verdict in self.rechecks if verdict.blocked and (last is None or verdict.started_at > last)
        ]
        return (*(verdict for verdict in self.verdicts if verdict.blocked), *since)

    @property
    def held_back(self) -> tuple[VerdictRecord, ...]:
        """The verdicts that blocked a batch."""
        return tuple(verdict for verdict in self.verdicts if _holds(verdict))

    @property
    def as_it_stands(self) -> bool:
        """Whether there are only re-checks of the published table, and no batch was judged."""
        return all(verdict.is_recheck for verdict in self.verdicts)

    @property
    def rows_in(self) -> int:
        """Input rows of the batches; a re-check has none."""
        return sum(verdict.rows_in for verdict in self.verdicts if not verdict.is_recheck)

    @property
    def held(self) -> int:
        """Rows of blocked batches: neither published nor refused."""
        return sum(verdict.rows_in for verdict in self.held_back)

    @property
    def published(self) -> int:
        return self._sum("published")

    @property
    def refused(self) -> int:
        return self._sum("refused")

    @property
    def dropped(self) -> int:
        return self._sum("dropped")

    def _sum(self, name: str) -> int:
        return sum(getattr(verdict, name) for verdict in self.verdicts if not (verdict.blocked or verdict.is_recheck))

    @cached_property
    def score(self) -> float | None:
        """Quality score in percent, partitions weighted by rows; None where nothing was judged."""
        if not self.verdicts:
            return None
        if not self.rows_in:
            return sum(verdict.score for verdict in self.verdicts) / len(self.verdicts)
        return sum(verdict.score * verdict.rows_in for verdict in self.verdicts) / self.rows_in

    @cached_property
    def rules(self) -> tuple[RuleState, ...]:
        """The state of every rule with a result or open rows, worst first."""
        batches, rechecks = _by_check(self.verdicts), _by_check(self.rechecks)
        rules = [
            self._rule(tuple(batches.get(check, ())), tuple(rechecks.get(check, ())))
            for check in dict.fromkeys((*batches, *rechecks))
        ]
        judged = {(rule.one.rule, rule.one.column) for rule in rules}
        others = {(rows.rule, rows.column): rows for rows in self.open or () if (rows.rule, rows.column) not in judged}
        rules += [self._rule(((rows.partition, _of_open_rows(rows)),), ()) for rows in others.values()]
        return tuple(sorted(rules, key=lambda rule: rule.rank))

    def _rule(self, results: PartitionResults, rechecks: PartitionResults) -> RuleState:
        result = (results or rechecks)[-1][1]
        if self.open is None or not result.refuses:
            return RuleState(results, rechecks, None, self.as_it_stands)
        open_rows = tuple(rows for rows in self.open if (rows.rule, rows.column) == (result.rule, result.column))
        return RuleState(results, rechecks, open_rows, self.as_it_stands)

    def rule(self, check: str) -> RuleState | None:
        """Returns the state of this check's rule; None for an unknown check."""
        return next((rule for rule in self.rules if rule.one.check == check), None)

    @cached_property
    def failed(self) -> tuple[RuleState, ...]:
        return tuple(rule for rule in self.rules if not rule.success)


def _by_check(verdicts: Sequence[VerdictRecord]) -> dict[str, list[tuple[str | None, ResultRecord]]]:
    by_check: dict[str, list[tuple[str | None, ResultRecord]]] = {}
    for verdict in verdicts:
        for result in verdict.results:
            # Checks on columns, inputs and anomalies are about a batch, so their success in a re-check says nothing.
            if not (verdict.is_recheck and result.rule in NON_QUALITY_RULES and result.success):
                by_check.setdefault(result.check, []).append((verdict.partition, result))
    return by_check


def _of_open_rows(rows: OpenRows) -> ResultRecord:
    """Returns a result for a rule that only open rows name: an earlier batch had rows refused by it."""
    check = check_name(rows.rule, rows.column.split(", ") if rows.column else ())
    return ResultRecord(
        check, rows.rule, rows.column, "critical", success=False, blocks=False, unexpected_count=0, action="quarantine"
    )


def _holds(verdict: VerdictRecord) -> bool:
    """Whether the verdict blocked a batch; the rows of a re-check are published already."""
    return verdict.blocked and not verdict.is_recheck


def latest_statuses(history: History) -> list[TableStatus]:
    """Returns the current status of every table with an attempt or verdict, by name.

    Of a partitioned table the latest verdict of each partition counts, unless the whole table was judged after all of
    them. A re-check judges published rows and replaces no verdict on a batch. It counts until the next re-check, or
    until a run replaces all published rows. `open` is None here: it needs the lake.
    """
    statuses = statuses_without_released(history)
    return [replace(status, released=released(status.attempts, statuses.get)) for status in statuses.values()]


def statuses_without_released(history: History, tables: Collection[str] | None = None) -> dict[str, TableStatus]:
    """Returns the statuses of some or all tables by name, without a look at upstream tables: `released` is empty."""
    attempts = last_attempts(history, tables)
    latest = history.latest_of_partitions(tables)
    verdicts = {table: list(some) for table, some in groupby(latest, key=lambda verdict: verdict.table)}
    return {
        table: _status(table, verdicts.get(table, []), attempts.get(table, ()))
        for table in sorted({*verdicts, *attempts})
    }


def latest_status(history: History, table: str) -> TableStatus | None:
    """Returns the current status of one table; None before its first attempt."""
    status = _without_released(history, table)
    return status and replace(status, released=released(status.attempts, partial(_without_released, history)))


def _without_released(history: History, table: str) -> TableStatus | None:
    return statuses_without_released(history, [table]).get(table)


def _status(table: str, verdicts: Sequence[VerdictRecord], attempts: Sequence[Attempt]) -> TableStatus:
    batches, rechecks = _of_batches(verdicts), _of_rechecks(verdicts)
    if not batches:
        batches, rechecks = rechecks, ()
    return TableStatus(table, batches, rechecks, _current_attempts(attempts))


def _current_attempts(attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
    """Leaves out attempts from before the table was partitioned, or from when it still was.

    A run of a partitioned table without a partition is refused, and so is one by partitions of a table published without.
    """
    whole = next((attempt for attempt in attempts if attempt.partition is None), None)
    parts = tuple(attempt for attempt in attempts if attempt.partition is not None)
    if whole is None or not parts:
        return tuple(attempts)
    if max(attempt.started_at for attempt in parts) > whole.started_at:
        return parts
    return (whole,) if whole.outcome in ("published", "nothing_new") else tuple(attempts)


def _of_batches(verdicts: Sequence[VerdictRecord]) -> tuple[VerdictRecord, ...]:
    """Returns the verdicts on batches that count, from verdicts in the order of their recording."""
    last = {verdict.partition: verdict for verdict in verdicts if not verdict.is_recheck}
    whole = last.pop(None, None)
    parts = sorted(last.values(), key=lambda verdict: str(verdict.partition))
    newest = next((verdict for verdict in reversed(verdicts) if not verdict.is_recheck), None)
    if whole is not None and (not parts or (whole is newest and not any(_holds(part) for part in parts))):
        return (whole,)
    return tuple(parts)


def _of_rechecks(verdicts: Sequence[VerdictRecord]) -> tuple[VerdictRecord, ...]:
    """Returns the re-checks whose rows were not replaced since."""
    last: dict[str | None, VerdictRecord] = {}
    for verdict in verdicts:
        if verdict.is_recheck and verdict.partition is None:
            last = {None: verdict}
        elif verdict.is_recheck:
            last[verdict.partition] = verdict
        elif verdict.rebuilds:
            last = {part: recheck for part, recheck in last.items() if verdict.partition not in (part, None)}
    return tuple(last.values())


def released(attempts: Sequence[Attempt], status_of: Callable[[str], TableStatus | None]) -> tuple[Attempt, ...]:
    """Returns the attempts that waited for upstream tables, none of which blocks them now."""
    waiting = [attempt for attempt in attempts if attempt.outcome == "waiting" and attempt.upstream]
    return tuple(
        attempt
        for attempt in waiting
        if all(_lets_pass(status_of(key), attempt) for key in (attempt.upstream or "").split(","))
    )


def _lets_pass(upstream: TableStatus | None, waiting: Attempt) -> bool:
    """Whether a table is not blocked, and its last attempts succeeded or it was published after the waiting attempt."""
    if upstream is None:
        return True
    if upstream.blocked:
        return False
    if not any(attempt.is_failure for attempt in upstream.attempts):
        return True
    return upstream.latest is not None and upstream.latest.started_at > waiting.started_at
