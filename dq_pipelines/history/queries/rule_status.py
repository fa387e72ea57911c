"""Computes the current state of one rule from its latest results, open refused rows, and re-checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.history.store.status import RuleStatus, rule_status

_SEVERITIES = ("critical", "warning", "info")

#: Results with their partitions (None where the table has none).
PartitionResults = tuple[tuple[str | None, ResultRecord], ...]


@dataclass(frozen=True)
class OpenRows:
    """Open rows of a table in quarantine, for one reason."""

    rule: str
    column: str | None
    partition: str | None
    rows: int
    #: when the oldest of them landed; None where a step dropped that column
    since: datetime | None = None


@dataclass(frozen=True)
class RuleState:
    """The current state of one rule: latest results, last re-checks and open rows."""

    #: results of the latest verdicts on batches; empty where only re-checks or open rows name the rule
    results: PartitionResults
    #: results of the last re-checks, which judge published rows
    rechecks: PartitionResults = ()
    #: open refused rows; None where the rule refuses none, or the lake was not read
    open: tuple[OpenRows, ...] | None = None
    #: whether `results` are of published rows too: no batch was ever judged
    judges_published: bool = False

    @property
    def one(self) -> ResultRecord:
        """One of the results, for the fields that all share: check, rule, column, severity."""
        return (self.results or self.rechecks)[-1][1]

    @cached_property
    def success(self) -> bool:
        return not (self.failed or self.rechecks_failed or (self.open_rows and not self.one.mostly))

    @property
    def blocks(self) -> bool:
        return any(result.blocks for _, result in self.results)

    @property
    def status(self) -> RuleStatus:
        results = [result for _, result in self.failed]
        # A re-check judges published rows: what fails there is not set aside.
        aside = not (self.judges_published or self.rechecks_failed) and all(result.sets_aside for result in results)
        return rule_status(success=self.success, blocks=self.blocks, severity=self.one.severity, sets_aside=aside)

    @property
    def open_rows(self) -> int:
        """The number of this rule's open rows in quarantine."""
        return sum(open_rows.rows for open_rows in self.open or ())

    @cached_property
    def failed(self) -> PartitionResults:
        """Failed results of batches, without those whose refused rows are all settled."""
        return tuple(
            (part, result) for part, result in self.results if not (result.success or self._is_settled(part, result))
        )

    @property
    def settled(self) -> PartitionResults:
        """Failed results without open rows: all were replayed, corrected, dismissed, expired or superseded."""
        return tuple(
            (part, result) for part, result in self.results if not result.success and self._is_settled(part, result)
        )

    @property
    def rechecks_failed(self) -> PartitionResults:
        return tuple((part, result) for part, result in self.rechecks if not result.success)

    def _is_settled(self, partition: str | None, result: ResultRecord) -> bool:
        if self.open is None or not result.refuses or result.blocks or result.error is not None:
            return False
        return not any(one.rows for one in self.open if partition is None or one.partition in (partition, None))

    def fails_in(self, partition: str | None) -> bool:
        """Whether the rule fails in this partition; for None, in the whole table or any partition."""
        failed = [part for part, _ in (*self.failed, *self.rechecks_failed)]
        if not self.one.mostly:
            failed += [one.partition for one in self.open or () if one.rows]
        return bool(failed) and (partition is None or partition in failed or None in failed)

    @property
    def unexpected_count(self) -> int | None:
        """Failing rows over all partitions; None for a rule on the whole table."""
        counts = [result.unexpected_count for _, result in self.results if result.unexpected_count is not None]
        return sum(counts) if counts else None

    @property
    def judged_count(self) -> int:
        """Judged rows over all partitions, without those whose value is missing."""
        return sum((result.element_count or 0) - (result.missing_count or 0) for _, result in self.results)

    @property
    def is_tolerated(self) -> bool:
        """Whether some rows fail, but no more than `mostly` allows."""
        return self.success and bool(self.unexpected_count) and not self.settled

    @cached_property
    def rank(self) -> tuple[int, int, str]:
        """Sort key, worst first: blocking, failed by severity, tolerated, passed."""
        state = 0 if self.blocks else 1 if not self.success else 2 if self.is_tolerated else 3
        severity = self.one.severity
        return state, _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES), self.one.check
