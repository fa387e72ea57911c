"""Defines the records of the history: one per verdict, and one per rule result in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from dq_pipelines.engine.json_values import strictly_plain
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.history.store.metrics import BatchMetrics
from dq_pipelines.rules.core.check_names import current_name
from dq_pipelines.rules.core.on_rows import RowRule

#: The check of every silver table on changed columns, and its rule.
SCHEMA_DRIFT = "schema_drift"

#: The check of bronze tables of CSV on doubtful encodings, and its rule.
ENCODING_GUESSED = "encoding_guessed"

#: The rule of anomaly results.
ANOMALY = "anomaly"

#: Rules whose results do not count in quality scores: the built-in checks of every table, and anomalies.
NON_QUALITY_RULES = (
    "rows_accounted_for",
    SCHEMA_DRIFT,
    "inputs_readable",
    "inputs_unassigned",
    ENCODING_GUESSED,
    ANOMALY,
)

#: Built-in rules that refuse rows: values that do not fit their type, and unreadable lines.
MISREADINGS = ("cast", "unreadable")

#: Prefix of a replay's id, which takes the place of a batch's.
REPLAY = "p-"

#: Prefix of the id of a computation of gold.
GOLD = "g-"

#: Suffix of a rerun's id. A rerun judges several batches at once.
RERUN = "-rerun"


@dataclass(frozen=True)
class ResultRecord:
    """The result of one rule in one verdict."""

    #: name of the asset check
    check: str
    #: the rule's type
    rule: str
    column: str | None
    severity: str
    success: bool
    #: whether it blocked the batch
    blocks: bool
    element_count: int | None = None
    missing_count: int | None = None
    unexpected_count: int | None = None
    #: a JSON value
    observed_value: Any = None
    error: str | None = None
    #: hash of the rule's type and arguments, to find the same rule over time
    fingerprint: str | None = None
    #: 0 to 1: the share of judged rows that meet the rule; 1 or 0 for a rule on the whole table
    score: float = 1.0
    #: quality dimension of the rule; None for results that do not count in scores
    dimension: str | None = None
    #: what its failure does: block, quarantine, drop or warn; None in records of earlier releases
    action: str | None = None
    #: the rule's `mostly`: the required share of passing rows
    mostly: float | None = None
    #: a remark that completes the observed value
    remark: str | None = None

    def with_current_name(self) -> ResultRecord:
        """Returns the result with the name that its check has now; it may be of an earlier release."""
        check = current_name(self.check, self.rule, self.column)
        return self if check == self.check else replace(self, check=check)

    @property
    def refuses(self) -> bool:
        """Whether failing rows go to quarantine."""
        if self.action is None:
            counted = self.severity == "critical" and self.unexpected_count is not None
            return self.rule in MISREADINGS or (counted and self.rule not in NON_QUALITY_RULES)
        return self.action == "quarantine"

    @property
    def sets_aside(self) -> bool:
        """Whether failing rows are not published, and everything else is: they are refused or dropped."""
        return (self.refuses or self.action == "drop") and not self.blocks and self.error is None

    @classmethod
    def on_inputs(cls, check: str, inputs: Sequence[str], sentence: str) -> ResultRecord:
        """Returns the result of a check on a table's inputs: a warning if `inputs` is not empty."""
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
        """The column changes in one sentence; None for rules other than `schema_drift`."""
        if self.rule != SCHEMA_DRIFT:
            return None
        rows: list[dict[str, str]] = self.observed_value or []
        changes = [f"{row['column'] or 'columns'} {row['change']}: {row['done']}" for row in rows]
        return "; ".join(changes) or "the columns are those of the table"

    @property
    def anomaly_sentence(self) -> str | None:
        """The metric's value and expected range in one sentence; None for rules other than `anomaly`."""
        if self.rule != ANOMALY or not isinstance(self.observed_value, dict):
            return None
        values = {name: value for name, value in self.observed_value.items() if value is not None}
        sentence = f"observed {values['value']:,.6g}" if "value" in values else "nothing observed"
        if "expected" in values:
            ends = [f"{word} {values[end]:,.6g}" for word, end in (("from", "lower"), ("to", "upper")) if end in values]
            sentence += f", expected {values['expected']:,.6g} ({' '.join(ends)})"
        return f"{sentence}; {values['note']}" if values.get("note") else sentence

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
    """One judged batch of one table: its run, and the counts of its rows."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    #: id of the batch, `p-…` for a replay, or "" for a re-check of the published table
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
        """Whether the verdict is on published rows and not on a batch."""
        return not self.batch


@dataclass(frozen=True)
class VerdictRecord(BatchRecord):
    """A batch with the result of each rule."""

    results: tuple[ResultRecord, ...] = field(default=())
    #: metrics of the batch; None for a re-check and a replay
    metrics: BatchMetrics | None = None
    #: whether the batch replaced all published rows (of its partition); None in records of earlier releases
    replaces: bool | None = None

    def as_json(self) -> str:
        """Returns the record as one line of JSON."""
        return json.dumps(asdict(self) | {"started_at": self.started_at.isoformat()}, ensure_ascii=False)

    def without_states(self) -> VerdictRecord:
        """Returns the record without the sketches of its metrics, which take 4 kB per column."""
        return replace(self, metrics=self.metrics and self.metrics.without_states())

    @classmethod
    def from_json(cls, text: str) -> VerdictRecord:
        """Reads what `as_json` wrote."""
        fields = json.loads(text)
        results = tuple(ResultRecord(**result).with_current_name() for result in fields["results"])
        metrics = BatchMetrics.from_dict(fields["metrics"]) if fields.get("metrics") else None
        started_at = datetime.fromisoformat(fields["started_at"])
        return cls(**fields | {"started_at": started_at, "results": results, "metrics": metrics})

    @property
    def success(self) -> bool:
        return all(result.success for result in self.results)

    @property
    def rebuilds(self) -> bool:
        """Whether the batch replaced all previously published rows."""
        if self.blocked:
            return False
        return self.batch.startswith(GOLD) or self.batch.endswith(RERUN) if self.replaces is None else self.replaces

    @property
    def score(self) -> float:
        """Quality score in percent: the mean of the rules' scores; 100 without rules."""
        scores = [result.score for result in self.results if result.rule not in NON_QUALITY_RULES]
        return 100 * sum(scores) / len(scores) if scores else 100.0


def rule_score(result: RuleResult) -> float:
    """Returns the share of judged rows that meet a row rule; for other rules, 1 on success, else 0."""
    if result.error is not None or not isinstance(result.rule, RowRule):
        return float(result.success)
    judged = result.judged_count
    return 1.0 if judged == 0 else 1 - (result.unexpected_count or 0) / judged
