"""What history remembers: one record per verdict, one per rule in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from dq_pipelines.engine.json_values import strictly_plain
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.history.store.metrics import BatchMetrics
from dq_pipelines.rules.core.on_rows import RowRule

#: The check of every silver table, and its rule, that tells of columns that have changed.
SCHEMA_DRIFT = "schema_drift"

#: The check of bronze tables of CSV, and its rule, that warns where the encoding of a file is but a guess.
ENCODING_GUESSED = "encoding_guessed"

#: The rule of results that hold a metric against its own past.
ANOMALY = "anomaly"

#: Results that say nothing of the quality of the rows at hand: those that every table has without being asked, and
#: those that hold a batch against earlier ones.
NO_RULES = ("rows_accounted_for", SCHEMA_DRIFT, "inputs_readable", "inputs_unassigned", ENCODING_GUESSED, ANOMALY)

#: Rules that nobody writes: values that do not fit their type, and lines that could not be read.
MISREADINGS = ("cast", "unreadable")

#: How the id of a replay begins, in place of a batch's.
REPLAY = "p-"

#: How the id of a computation of gold begins.
GOLD = "g-"

#: How the id of a rerun ends, which judges several batches at once.
RERUN = "-rerun"


@dataclass(frozen=True)
class ResultRecord:
    """What one rule found in one verdict."""

    #: name of the asset check
    check: str
    #: the rule's type
    rule: str
    column: str | None
    severity: str
    success: bool
    #: whether it kept the batch from being published
    blocks: bool
    element_count: int | None = None
    missing_count: int | None = None
    unexpected_count: int | None = None
    #: as JSON holds it
    observed_value: Any = None
    error: str | None = None
    #: hash of the rule's type and arguments: the same rule over time
    fingerprint: str | None = None
    #: 0 to 1: the share of judged rows that meet the rule; 1 or 0 for a rule on the whole table
    score: float = 1.0
    #: which side of quality the rule is about; None for results that say nothing of it
    dimension: str | None = None
    #: what its failure does: block, quarantine, drop or warn; None in records of earlier releases
    action: str | None = None
    #: the share of rows that is to meet it, where the rule says one
    mostly: float | None = None
    #: what is to be said after the observed value, where that does not tell all
    remark: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether rows that fail go to quarantine, and are open there until somebody settles them."""
        if self.action is None:
            counted = self.severity == "critical" and self.unexpected_count is not None
            return self.rule in MISREADINGS or (counted and self.rule not in NO_RULES)
        return self.action == "quarantine"

    @classmethod
    def on_inputs(cls, check: str, inputs: Sequence[str], sentence: str) -> ResultRecord:
        """The result of a check on inputs of a table, which warns where it names any."""
        return cls(
            check=check,
            rule=check,
            column=None,
            severity="warning",
            success=not inputs,
            blocks=False,
            observed_value=list(inputs),
            error=sentence or None,
        )

    @property
    def changes(self) -> str | None:
        """What has become of the columns, in one sentence; None for results of another rule than `schema_drift`."""
        if self.rule != SCHEMA_DRIFT:
            return None
        rows: list[dict[str, str]] = self.observed_value or []
        told = [f"{row['column'] or 'columns'} {row['change']}: {row['done']}" for row in rows]
        return "; ".join(told) or "the columns are those of the table"

    @property
    def strayed(self) -> str | None:
        """A metric and the band it was expected in, in one sentence; None for results of another rule than `anomaly`."""
        if self.rule != ANOMALY or not isinstance(self.observed_value, dict):
            return None
        told = {name: value for name, value in self.observed_value.items() if value is not None}
        said = f"observed {told['value']:,.6g}" if "value" in told else "nothing observed"
        if "expected" in told:
            ends = [f"{word} {told[end]:,.6g}" for word, end in (("from", "lower"), ("to", "upper")) if end in told]
            said += f", expected {told['expected']:,.6g} ({' '.join(ends)})"
        return f"{said}; {told['note']}" if told.get("note") else said

    @classmethod
    def of(cls, result: RuleResult, check: str, fingerprint: str | None = None) -> ResultRecord:
        return cls(
            check=check,
            rule=result.rule.type,
            column=result.rule.column_label,
            severity=result.rule.severity,
            success=result.success,
            blocks=result.blocks,
            element_count=result.element_count,
            missing_count=result.missing_count,
            unexpected_count=result.unexpected_count,
            observed_value=strictly_plain(result.observed_value),
            error=result.error,
            fingerprint=fingerprint,
            score=rule_score(result),
            dimension=result.rule.about,
            action=result.rule.action,
            mostly=result.rule.mostly if isinstance(result.rule, RowRule) else None,
            remark=result.remark or None,
        )


@dataclass(frozen=True)
class BatchRecord:
    """One batch of one table: which run judged it, and what became of its rows."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    #: id of the batch, `p-…` for a replay, or "" where the published table was judged as it stood
    batch: str
    run_id: str
    started_at: datetime
    duration_seconds: float
    rows_in: int
    published: int
    refused: int
    dropped: int
    blocked: bool
    partition: str | None = None

    @property
    def is_recheck(self) -> bool:
        """Whether published rows were judged again, and no batch."""
        return not self.batch


@dataclass(frozen=True)
class VerdictRecord(BatchRecord):
    """A batch with what each rule found in it."""

    results: tuple[ResultRecord, ...] = field(default=())
    #: what the batch measured; None where nothing was: the published table as it stands, a replay
    metrics: BatchMetrics | None = None
    #: whether the batch replaced all that was published before, of its partition; None in records of earlier releases
    replaces: bool | None = None

    def as_json(self) -> str:
        """The record as one line."""
        return json.dumps(asdict(self) | {"started_at": self.started_at.isoformat()}, ensure_ascii=False)

    def without_states(self) -> VerdictRecord:
        """The record without what its metrics are merged from: 4 kB a column."""
        return replace(self, metrics=self.metrics and self.metrics.without_states())

    @classmethod
    def from_json(cls, text: str) -> VerdictRecord:
        """What `as_json` wrote."""
        fields = json.loads(text)
        results = tuple(ResultRecord(**result) for result in fields["results"])
        metrics = BatchMetrics.from_dict(fields["metrics"]) if fields.get("metrics") else None
        started_at = datetime.fromisoformat(fields["started_at"])
        return cls(**fields | {"started_at": started_at, "results": results, "metrics": metrics})

    @property
    def success(self) -> bool:
        return all(result.success for result in self.results)

    @property
    def rebuilds(self) -> bool:
        """Whether nothing of what was published before it is left."""
        if self.blocked:
            return False
        return self.batch.startswith(GOLD) or self.batch.endswith(RERUN) if self.replaces is None else self.replaces

    @property
    def score(self) -> float:
        """Quality score in percent: the mean of the rules' scores, 100 where there are no rules."""
        scores = [result.score for result in self.results if result.rule not in NO_RULES]
        return 100 * sum(scores) / len(scores) if scores else 100.0


def rule_score(result: RuleResult) -> float:
    """The share of judged rows that meet a row rule; whether the table meets any other rule."""
    if result.error is not None or not isinstance(result.rule, RowRule):
        return float(result.success)
    judged = result.judged_count
    return 1.0 if judged == 0 else 1 - (result.unexpected_count or 0) / judged
