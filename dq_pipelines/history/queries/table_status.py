"""Where tables stand: the verdicts that count, refused rows that are open, re-checks. How it is shown belongs in `cli` and `web`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from itertools import groupby

from dq_pipelines.history.queries.rule_status import Found, OpenRows, RuleState
from dq_pipelines.history.store.attempts import Attempt, last_attempts
from dq_pipelines.history.store.records import NO_RULES, ResultRecord, VerdictRecord
from dq_pipelines.history.store.status import ALARMING, Status, table_status, worst
from dq_pipelines.history.store.verdicts import History


@dataclass(frozen=True)
class TableStatus:
    """What counts of one table: its verdicts, re-checks, attempts and open rows."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    #: the latest verdict on a batch, or that of each partition; on what stood, where no batch was ever judged;
    #: empty where no run came so far
    verdicts: tuple[VerdictRecord, ...]
    #: the latest verdicts on published rows, beside those on batches
    rechecks: tuple[VerdictRecord, ...] = ()
    #: the last attempt of each partition; cancelled ones are left out
    attempts: tuple[Attempt, ...] = ()
    #: of these, those that waited for an upstream table which holds them back no longer
    released: tuple[Attempt, ...] = ()
    #: refused rows that wait, by reason; None where the lake was not asked
    open: tuple[OpenRows, ...] | None = None
    #: refused rows that wait, however many reasons each has; None where the lake was not asked
    open_rows: int | None = None

    @property
    def status(self) -> Status:
        """In a word; `status` says what each means."""
        failing = {rule.one.severity for rule in self.failed}
        outcomes: set[str | None] = {attempt.outcome for attempt in self.attempts if attempt not in self.released}
        judged, held = bool(self.verdicts), bool(self.held_back)
        return worst(
            [
                table_status(is_judged=judged, is_blocked=held, failing=failing, attempt=outcome)
                for outcome in outcomes or {None}
            ]
        )

    @property
    def is_alarming(self) -> bool:
        """Whether somebody must act: no result of the last attempt, a batch that is held back, a critical rule that fails."""
        return self.status in ALARMING

    @property
    def attempt(self) -> Attempt | None:
        """The last attempt that failed or waits for an upstream table, else the last one."""
        return max(
            self.attempts, key=lambda one: (one.is_failure and one not in self.released, one.started_at), default=None
        )

    @property
    def latest(self) -> VerdictRecord | None:
        """The newest of the verdicts on batches; None where there is none yet."""
        return max(self.verdicts, key=lambda verdict: verdict.started_at, default=None)

    @property
    def last_attempt(self) -> Attempt | None:
        """The attempt that came last, however it ended."""
        return max(self.attempts, key=lambda one: one.started_at, default=None)

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
        """The verdicts by which downstream tables wait: on a batch that is held back, or on published rows since."""
        last = max((verdict.started_at for verdict in self.verdicts), default=None)
        since = [one for one in self.rechecks if one.blocked and (last is None or one.started_at > last)]
        return (*(verdict for verdict in self.verdicts if verdict.blocked), *since)

    @property
    def held_back(self) -> tuple[VerdictRecord, ...]:
        """The verdicts by which a batch was not published."""
        return tuple(verdict for verdict in self.verdicts if _holds(verdict))

    @property
    def as_it_stands(self) -> bool:
        """Whether the published table was judged, and no batch."""
        return all(verdict.is_recheck for verdict in self.verdicts)

    @property
    def rows_in(self) -> int:
        """Rows of the batches; a re-check brings none."""
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

    @property
    def score(self) -> float | None:
        """Quality score in percent; that of a partition counts as much as it has rows. None where nothing was judged."""
        if not self.verdicts:
            return None
        if not self.rows_in:
            return sum(verdict.score for verdict in self.verdicts) / len(self.verdicts)
        return sum(verdict.score * verdict.rows_in for verdict in self.verdicts) / self.rows_in

    @cached_property
    def rules(self) -> tuple[RuleState, ...]:
        """Every rule of which something is known, the worst first."""
        batches, rechecks = _by_check(self.verdicts), _by_check(self.rechecks)
        found = [
            self._rule(tuple(batches.get(check, ())), tuple(rechecks.get(check, ())))
            for check in dict.fromkeys((*batches, *rechecks))
        ]
        told = {(rule.one.rule, rule.one.column) for rule in found}
        others = {(one.rule, one.column): one for one in self.open or () if (one.rule, one.column) not in told}
        found += [self._rule(((one.partition, _of_open_rows(one)),), ()) for one in others.values()]
        return tuple(sorted(found, key=lambda rule: rule.rank))

    def _rule(self, results: Found, rechecks: Found) -> RuleState:
        one = (results or rechecks)[-1][1]
        if self.open is None or not one.refuses:
            return RuleState(results, rechecks)
        waiting = tuple(each for each in self.open if (each.rule, each.column) == (one.rule, one.column))
        return RuleState(results, rechecks, waiting)

    def rule(self, check: str) -> RuleState | None:
        """The rule of this check."""
        return next((rule for rule in self.rules if rule.one.check == check), None)

    @property
    def failed(self) -> tuple[RuleState, ...]:
        return tuple(rule for rule in self.rules if not rule.success)


def _by_check(verdicts: Sequence[VerdictRecord]) -> dict[str, list[tuple[str | None, ResultRecord]]]:
    found: dict[str, list[tuple[str | None, ResultRecord]]] = {}
    for verdict in verdicts:
        for result in verdict.results:
            # What is said of columns, inputs and the past is about a batch: a re-check has nothing to say of it.
            if not (verdict.is_recheck and result.rule in NO_RULES and result.success):
                found.setdefault(result.check, []).append((verdict.partition, result))
    return found


def _of_open_rows(one: OpenRows) -> ResultRecord:
    """A result for a rule that no verdict that counts has: an earlier batch was refused for it."""
    check = f"{one.rule}__{one.column}" if one.column else one.rule
    return ResultRecord(
        check, one.rule, one.column, "critical", success=False, blocks=False, unexpected_count=0, action="quarantine"
    )


def _holds(verdict: VerdictRecord) -> bool:
    """Whether the verdict kept its rows out of the table; what was judged as it stands is published already."""
    return verdict.blocked and not verdict.is_recheck


def latest_statuses(history: History) -> list[TableStatus]:
    """Where every table stands that was ever tried, by name.

    Of a partitioned table the latest verdict of each partition counts, unless the whole table was judged after all of
    them. A re-check is a verdict of its own kind: it judges published rows, and replaces no verdict on a batch. It counts
    until the next one, or until a run replaces all that was published. Refused rows are `open` once the lake is asked.
    """
    attempts = last_attempts(history)
    found = {table: list(some) for table, some in groupby(history.latest_of_partitions(), key=lambda one: one.table)}
    every = {
        table: _standing(table, found.get(table, []), attempts.get(table, ())) for table in sorted({*found, *attempts})
    }
    return [replace(one, released=_released(one.attempts, every.get)) for one in every.values()]


def latest_status(history: History, table: str) -> TableStatus | None:
    """Where one table stands; None before its first attempt."""
    found = _alone(history, table)
    return found and replace(found, released=_released(found.attempts, partial(_alone, history)))


def _alone(history: History, table: str) -> TableStatus | None:
    """The same, whatever has become of the tables that it reads."""
    verdicts, attempts = history.latest_of_partitions(table), last_attempts(history, table).get(table, ())
    return _standing(table, verdicts, attempts) if verdicts or attempts else None


def _standing(table: str, verdicts: Sequence[VerdictRecord], attempts: Sequence[Attempt]) -> TableStatus:
    batches, rechecks = _of_batches(verdicts), _of_rechecks(verdicts)
    if not batches:
        batches, rechecks = rechecks, ()
    return TableStatus(table, batches, rechecks, _that_count(attempts))


def _that_count(attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
    """The last attempts without those at what the table has no more: partitions, or a whole where it has partitions.

    A run that names no partition is refused, and so is one by partitions that a table has not been published by.
    """
    whole = next((one for one in attempts if one.partition is None), None)
    parts = tuple(one for one in attempts if one.partition is not None)
    if whole is None or not parts:
        return tuple(attempts)
    if max(one.started_at for one in parts) > whole.started_at:
        return parts
    return (whole,) if whole.outcome in ("published", "nothing_new") else tuple(attempts)


def _of_batches(verdicts: Sequence[VerdictRecord]) -> tuple[VerdictRecord, ...]:
    """The verdicts on batches that count; they come in the order of their recording."""
    last = {verdict.partition: verdict for verdict in verdicts if not verdict.is_recheck}
    whole = last.pop(None, None)
    parts = sorted(last.values(), key=lambda verdict: str(verdict.partition))
    newest = next((verdict for verdict in reversed(verdicts) if not verdict.is_recheck), None)
    if whole is not None and (not parts or (whole is newest and not any(_holds(part) for part in parts))):
        return (whole,)
    return tuple(parts)


def _of_rechecks(verdicts: Sequence[VerdictRecord]) -> tuple[VerdictRecord, ...]:
    """The re-checks that count: nothing has replaced since what they judged."""
    last: dict[str | None, VerdictRecord] = {}
    for verdict in verdicts:
        if verdict.is_recheck and verdict.partition is None:
            last = {None: verdict}
        elif verdict.is_recheck:
            last[verdict.partition] = verdict
        elif verdict.rebuilds:
            last = {part: one for part, one in last.items() if verdict.partition not in (part, None)}
    return tuple(last.values())


def _released(attempts: Sequence[Attempt], standing_of: Callable[[str], TableStatus | None]) -> tuple[Attempt, ...]:
    """Those of these attempts that waited, and that no upstream table holds back any longer."""
    waiting = [one for one in attempts if one.outcome == "waiting" and one.upstream]
    return tuple(
        one for one in waiting if all(_lets_pass(standing_of(key), one) for key in (one.upstream or "").split(","))
    )


def _lets_pass(upstream: TableStatus | None, waiting: Attempt) -> bool:
    """Whether a table is not blocked, and either its last attempts went well or it was published since."""
    if upstream is None:
        return True
    if upstream.blocked:
        return False
    if not any(one.is_failure for one in upstream.attempts):
        return True
    return upstream.latest is not None and upstream.latest.started_at > waiting.started_at
