"""Holds the outcome of one batch: rule results, row counts and commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime

import polars as pl

from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.history.store.metrics import BatchMetrics
from dq_pipelines.history.store.records import SCHEMA_DRIFT, ResultRecord, VerdictRecord
from dq_pipelines.lake.publish import Publication
from dq_pipelines.lake.schema_evolution import Drift
from dq_pipelines.pipeline.runtime.orphans import Orphans
from dq_pipelines.pipeline.runtime.schema_check import drift_result
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.check_names import check_name, check_names
from dq_pipelines.rules.core.render import fingerprint
from dq_pipelines.sources import PassedOver
from dq_pipelines.sources.base import FileReport

#: The check that every silver table has by default.
ROWS_ACCOUNTED_FOR = "rows_accounted_for"


@dataclass(frozen=True)
class Counts:
    """Where the rows of a batch went; all are rows."""

    rows_in: int = 0
    published: int = 0
    #: in quarantine, unreadable lines and failed casts among them
    refused: int = 0
    #: by rules with `on_failure: drop`
    dropped_by_rules: int = 0
    #: left out (or, negative, added) by the steps of `transform`
    dropped_by_transform: int = 0
    #: replaced by a later row of the same batch with the same merge keys
    superseded: int = 0
    #: lines that the reader could not parse
    unreadable: int = 0
    #: records in the landed files, counted by their lines, minus their rows in bronze
    missing_from_files: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def dropped(self) -> int:
        return self.dropped_by_rules + self.dropped_by_transform + self.superseded

    @property
    def accounted_for(self) -> bool:
        """Whether no row was lost or doubled, from the files on: in = published + refused + dropped."""
        return self.missing_from_files == 0 and self.rows_in == self.published + self.refused + self.dropped


@dataclass(frozen=True)
class Outcome:
    """One batch of one table, judged and published, or blocked."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    batch: str
    results: tuple[RuleResult, ...]
    counts: Counts
    started_at: datetime
    partition: str | None = None
    #: addresses of the inputs that landed in this run
    sources: tuple[str, ...] = ()
    #: what was committed, in order; empty when the batch was blocked
    publications: tuple[Publication, ...] = ()
    #: names and types of the published columns
    schema: Mapping[str, pl.DataType] = field(default_factory=dict)
    #: how they differ from the table's earlier columns; None where nothing was published yet or compared
    drift: Drift | None = None
    #: refused rows by the column whose value did not fit its type
    miscast: Mapping[str, int] = field(default_factory=dict)
    #: the first published rows
    preview: pl.DataFrame = field(default_factory=pl.DataFrame)
    seconds: float = 0.0
    #: metrics of the batch; None where none were measured
    metrics: BatchMetrics | None = None
    #: reports on the files that landed in this run, and the inputs that were ignored
    files: tuple[FileReport, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    #: columns named differently in the inputs and in bronze: both names
    renamed: tuple[tuple[str, str], ...] = ()
    #: whether it replaces all published rows of its partition
    replaces: bool = False
    #: rows that stay published but refer to removed rows
    orphans: Orphans = field(default_factory=Orphans)

    @property
    def blocked_by(self) -> tuple[RuleResult, ...]:
        """The results that blocked the batch."""
        return tuple(result for result in self.results if result.blocks)

    @property
    def why_blocked(self) -> str:
        """Why nothing was published, in a sentence; empty where the batch is not blocked."""
        if not self.blocked_by:
            return ""
        failures = [
            f"{result.rule.type}{f' of {result.rule.column_label}' if result.rule.column_label else ''} ({_found(result)})"
            for result in self.blocked_by
        ]
        return f"{self.table}: nothing was published, batch {self.batch} is blocked by {'; '.join(failures)}"

    def committed(self, publications: Sequence[Publication], took: float) -> Outcome:
        """The outcome with its commits, which took `took` seconds."""
        metrics = self.metrics and replace(self.metrics, committing_seconds=took)
        return replace(self, publications=tuple(publications), seconds=elapsed(self.started_at), metrics=metrics)

    def results_of(self, rules: Sequence[Rule]) -> dict[str, RuleResult]:
        """The results of the table's checked rules, in their order, by the name of their check."""
        checked = [result for result in self.results if not result.rule.internal]
        return dict(zip(check_names(rules), checked, strict=True))

    def record(self, run_id: str, rules: Sequence[Rule]) -> VerdictRecord:
        """The outcome as a record of the history."""
        results = [ResultRecord.of(r, check, fingerprint(r.rule)) for check, r in self.results_of(rules).items()]
        # A re-check of published rows has no incoming rows.
        incoming = self.counts if self.batch else Counts()
        return VerdictRecord(
            table=self.table,
            batch=self.batch,
            run_id=run_id,
            started_at=self.started_at,
            duration_seconds=self.seconds,
            rows_in=incoming.rows_in,
            published=incoming.published,
            refused=incoming.refused,
            dropped=incoming.dropped,
            blocked=bool(self.blocked_by),
            partition=self.partition,
            results=(*results, *self._misreadings(), *self._drifting(), *self._accounting()),
            metrics=self.metrics,
            replaces=self.replaces,
        )

    def _misreadings(self) -> list[ResultRecord]:
        """Failed casts and unreadable lines as results of the rules `cast` and `unreadable`; empty where there were none."""
        rows = self.counts.rows_in
        results = [
            _counted(check_name("cast", [column]), count, rows, "cast", column)
            for column, count in self.miscast.items()
        ]
        if self.counts.unreadable:
            results.append(_counted("unreadable", self.counts.unreadable, rows))
        return results

    def _drifting(self) -> list[ResultRecord]:
        if self.table.startswith("gold/"):
            return []
        # Without a batch to publish, no column can differ from the table.
        drifts = [result for result in self.results if result.rule.type == SCHEMA_DRIFT] or [drift_result(None, {})]
        return [ResultRecord.of(result, SCHEMA_DRIFT) for result in drifts]

    def _accounting(self) -> list[ResultRecord]:
        if self.table.startswith("gold/"):
            return []
        counts = self.counts
        lost = counts.rows_in - counts.published - counts.refused - counts.dropped
        return [_counted(ROWS_ACCOUNTED_FOR, abs(lost) + abs(counts.missing_from_files), counts.rows_in)]


def _found(result: RuleResult) -> str:
    if result.error:
        return str(result.error)
    if result.unexpected_count is None:
        return f"observed {result.observed_value}{f', {result.remark}' if result.remark else ''}"
    return f"{result.unexpected_count:,} of {result.element_count:,} rows fail"


def _counted(
    check: str, unexpected: int, rows: int, rule: str | None = None, column: str | None = None
) -> ResultRecord:
    """The result of a built-in check: `unexpected` of `rows` rows fail."""
    return ResultRecord(
        check=check,
        rule=rule or check,
        column=column,
        severity="critical",
        success=unexpected == 0,
        blocks=check == ROWS_ACCOUNTED_FOR and unexpected > 0,
        element_count=rows,
        unexpected_count=unexpected,
        score=1 - min(unexpected / rows, 1) if rows else float(unexpected == 0),
        dimension="validity" if rule else None,
        action="block" if check == ROWS_ACCOUNTED_FOR else "quarantine",
    )


def elapsed(since: datetime) -> float:
    """Seconds since `since`; 0 where the clock was set back meanwhile."""
    return max((datetime.now(UTC) - since).total_seconds(), 0.0)
