"""Where tables stand: the latest verdicts of each, over its partitions. How that is shown belongs in `cli` and `web`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import groupby
from typing import Literal

from dq_pipelines.history.records import ResultRecord, VerdictRecord
from dq_pipelines.history.store import History

#: Where a table stands in a word, the worst first.
Level = Literal["blocked", "bad", "warn", "good"]

_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True)
class RuleStanding:
    """What one rule found in a table's latest verdicts: one result, or one per partition."""

    #: partition (None where the table has none) and result, by partition
    results: tuple[tuple[str | None, ResultRecord], ...]

    @property
    def one(self) -> ResultRecord:
        """Any of the results, for what is the same in all: check, rule, column, severity."""
        return self.results[-1][1]

    @property
    def success(self) -> bool:
        return all(result.success for _, result in self.results)

    @property
    def blocks(self) -> bool:
        return any(result.blocks for _, result in self.results)

    @property
    def failed(self) -> tuple[tuple[str | None, ResultRecord], ...]:
        """The results that are no success."""
        return tuple((partition, result) for partition, result in self.results if not result.success)

    @property
    def unexpected_count(self) -> int | None:
        """Failing rows over all partitions, or None for a rule on the whole table."""
        counts = [result.unexpected_count for _, result in self.results if result.unexpected_count is not None]
        return sum(counts) if counts else None

    @property
    def judged_count(self) -> int:
        """Rows that were looked at, over all partitions: those whose value is missing are left out."""
        return sum((result.element_count or 0) - (result.missing_count or 0) for _, result in self.results)

    @property
    def is_tolerated(self) -> bool:
        """Whether some rows fail, but no more than `mostly` allows."""
        return self.success and bool(self.unexpected_count)

    @property
    def rank(self) -> tuple[int, int, str]:
        """Sorts the worst first: what blocks, what failed by severity, what is tolerated, what passed."""
        state = 0 if self.blocks else 1 if not self.success else 2 if self.is_tolerated else 3
        severity = self.one.severity
        return state, _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES), self.one.check


@dataclass(frozen=True)
class TableStanding:
    """One table's latest verdict, or the latest verdict of each of its partitions."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    #: by partition; never empty
    verdicts: tuple[VerdictRecord, ...]

    @property
    def latest(self) -> VerdictRecord:
        """The newest of the verdicts."""
        return max(self.verdicts, key=lambda verdict: verdict.started_at)

    @property
    def at(self) -> datetime:
        return self.latest.started_at

    @property
    def partitions(self) -> tuple[str, ...]:
        return tuple(verdict.partition for verdict in self.verdicts if verdict.partition is not None)

    @property
    def blocked(self) -> tuple[VerdictRecord, ...]:
        """The verdicts by which a batch was not published."""
        return tuple(verdict for verdict in self.verdicts if verdict.blocked)

    @property
    def as_it_stands(self) -> bool:
        """Whether the published table was judged, and no batch."""
        return all(not verdict.batch for verdict in self.verdicts)

    @property
    def rows_in(self) -> int:
        return sum(verdict.rows_in for verdict in self.verdicts)

    @property
    def held(self) -> int:
        """Rows of blocked batches: neither published nor refused."""
        return sum(verdict.rows_in for verdict in self.verdicts if _holds(verdict))

    @property
    def published(self) -> int:
        return sum(verdict.published for verdict in self.verdicts if not _holds(verdict))

    @property
    def refused(self) -> int:
        return sum(verdict.refused for verdict in self.verdicts if not _holds(verdict))

    @property
    def dropped(self) -> int:
        return sum(verdict.dropped for verdict in self.verdicts if not _holds(verdict))

    @property
    def score(self) -> float:
        """Quality score in percent; that of a partition counts as much as it has rows."""
        if not self.rows_in:
            return sum(verdict.score for verdict in self.verdicts) / len(self.verdicts)
        return sum(verdict.score * verdict.rows_in for verdict in self.verdicts) / self.rows_in

    @cached_property
    def rules(self) -> tuple[RuleStanding, ...]:
        """Every rule that was judged, the worst first."""
        found: dict[str, list[tuple[str | None, ResultRecord]]] = {}
        for verdict in self.verdicts:
            for result in verdict.results:
                found.setdefault(result.check, []).append((verdict.partition, result))
        return tuple(sorted((RuleStanding(tuple(results)) for results in found.values()), key=lambda rule: rule.rank))

    @property
    def failed(self) -> tuple[RuleStanding, ...]:
        return tuple(rule for rule in self.rules if not rule.success)

    @property
    def is_alarming(self) -> bool:
        """Whether a batch is blocked or a critical rule failed."""
        return bool(self.blocked) or any(rule.one.severity == "critical" for rule in self.failed)

    @property
    def level(self) -> Level:
        """`blocked`, `bad` (a critical rule failed), `warn` (another did), `good`."""
        return "blocked" if self.blocked else "bad" if self.is_alarming else "warn" if self.failed else "good"


def _holds(verdict: VerdictRecord) -> bool:
    """Whether the verdict kept its rows out of the table; what was judged as it stands is published already."""
    return verdict.blocked and bool(verdict.batch)


def standings(history: History) -> list[TableStanding]:
    """Where every table stands, by name.

    Of a partitioned table the latest verdict of each partition counts, unless the whole table was judged
    after all of them. A blocked batch stands until it is mended: checks that are run alone meanwhile judge
    what was published before it, and do not hide it.
    """
    found = groupby(history.latest_of_partitions(), key=lambda verdict: verdict.table)
    return [TableStanding(table, _current(list(verdicts))) for table, verdicts in found]


def standing(history: History, table: str) -> TableStanding | None:
    """Where one table stands; None before its first verdict."""
    verdicts = history.latest_of_partitions(table)
    return TableStanding(table, _current(verdicts)) if verdicts else None


def _current(verdicts: Sequence[VerdictRecord]) -> tuple[VerdictRecord, ...]:
    """Those that count; they come in the order of their recording."""
    by_partition: dict[str | None, VerdictRecord] = {}
    for verdict in verdicts:
        before = by_partition.get(verdict.partition)
        if before is None or verdict.batch or not _holds(before):
            by_partition[verdict.partition] = verdict
    whole = by_partition.pop(None, None)
    parts = sorted(by_partition.values(), key=lambda verdict: str(verdict.partition))
    if whole is not None and (not parts or (whole is verdicts[-1] and not any(_holds(part) for part in parts))):
        return (whole,)
    return tuple(parts)
