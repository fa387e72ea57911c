"""What became of one batch: the verdict, the counts, and what was committed."""

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
from dq_pipelines.rules.core.render import check_names, fingerprint
from dq_pipelines.sources import PassedOver
from dq_pipelines.sources.base import FileReport

#: The check that every silver table has without being asked.
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
    #: lines that no reader could make a record of
    unreadable: int = 0
    #: records in the files that landed, counted by their lines, less the rows that bronze has of them
    missing_from_files: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def dropped(self) -> int:
        return self.dropped_by_rules + self.dropped_by_transform + self.superseded

    @property
    def accounted_for(self) -> bool:
        """Whether no row was lost or doubled, beginning with the files: in = published + refused + dropped."""
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
    #: how they differ from those of the table before; None where nothing was published yet, or nothing compared
    drift: Drift | None = None
    #: refused rows by the column whose value did not fit its type
    miscast: Mapping[str, int] = field(default_factory=dict)
    #: the first published rows
    preview: pl.DataFrame = field(default_factory=pl.DataFrame)
    seconds: float = 0.0
    #: what the batch measured; None where nothing was
    metrics: BatchMetrics | None = None
    #: what is known beside their records of the files that landed in this run, and what was passed over
    files: tuple[FileReport, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    #: columns that have another name in the inputs than in bronze: both names
    renamed: tuple[tuple[str, str], ...] = ()
    #: whether it replaces all that was published before, of its partition
    replaces: bool = False
    #: rows that stay published, and referred to rows that go
    orphans: Orphans = field(default_factory=Orphans)

    @property
    def blocked_by(self) -> tuple[RuleResult, ...]:
        """The results for which nothing was published."""
        return tuple(result for result in self.results if result.blocks)

    @property
    def why_blocked(self) -> str:
        """Why nothing was published, in a sentence; empty where the batch is not blocked."""
        if not self.blocked_by:
            return ""
        said = [
            f"{result.rule.type}{f' of {result.rule.column_label}' if result.rule.column_label else ''} ({_found(result)})"
            for result in self.blocked_by
        ]
        return f"{self.table}: nothing was published, batch {self.batch} is blocked by {'; '.join(said)}"

    def committed(self, publications: Sequence[Publication], took: float) -> Outcome:
        """The outcome with what was committed of it, which took so many seconds."""
        metrics = self.metrics and replace(self.metrics, committing_seconds=took)
        return replace(self, publications=tuple(publications), seconds=elapsed(self.started_at), metrics=metrics)

    def results_of(self, rules: Sequence[Rule]) -> dict[str, RuleResult]:
        """The results of the table's checked rules, in their order, by the name of their check."""
        found = [result for result in self.results if not result.rule.internal]
        return dict(zip(check_names(rules), found, strict=True))

    def record(self, run_id: str, rules: Sequence[Rule]) -> VerdictRecord:
        """The outcome as history remembers it."""
        results = [ResultRecord.of(r, check, fingerprint(r.rule)) for check, r in self.results_of(rules).items()]
        # Published rows that are judged again are no rows that came in.
        came = self.counts if self.batch else Counts()
        return VerdictRecord(
            table=self.table,
            batch=self.batch,
            run_id=run_id,
            started_at=self.started_at,
            duration_seconds=self.seconds,
            rows_in=came.rows_in,
            published=came.published,
            refused=came.refused,
            dropped=came.dropped,
            blocked=bool(self.blocked_by),
            partition=self.partition,
            results=(*results, *self._misreadings(), *self._drifting(), *self._accounting()),
            metrics=self.metrics,
            replaces=self.replaces,
        )

    def _misreadings(self) -> list[ResultRecord]:
        """What could not be read, as results of the rules `cast` and `unreadable`; only where there was any."""
        rows = self.counts.rows_in
        found = [_counted(f"cast__{column}", count, rows, "cast", column) for column, count in self.miscast.items()]
        if self.counts.unreadable:
            found.append(_counted("unreadable", self.counts.unreadable, rows))
        return found

    def _drifting(self) -> list[ResultRecord]:
        if self.table.startswith("gold/"):
            return []
        # Where no batch is to be published, there is nothing that could differ from the table.
        told = [result for result in self.results if result.rule.type == SCHEMA_DRIFT] or [drift_result(None, {})]
        return [ResultRecord.of(result, SCHEMA_DRIFT) for result in told]

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
    """A result that no rule of the YAML gives: so many of so many rows."""
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
    """Seconds since `since`; none where the clock was put back meanwhile."""
    return max((datetime.now(UTC) - since).total_seconds(), 0.0)
