"""Asset checks: one per rule, and one that says whether every row is accounted for.

What a rule means belongs in `rules`; here its result becomes what Dagster shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import dagster as dg

from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.records import ANOMALY, ENCODING_GUESSED, SCHEMA_DRIFT, ResultRecord
from dq_pipelines.lake.skipped_inputs import Aside
from dq_pipelines.orchestration.partitions_definition import check_spec
from dq_pipelines.pipeline.bronze.skipped_inputs import INPUTS_READABLE, told
from dq_pipelines.pipeline.bronze.unassigned_inputs import INPUTS_UNASSIGNED, sentence
from dq_pipelines.pipeline.runtime.outcome import ROWS_ACCOUNTED_FOR, Outcome
from dq_pipelines.project import Table
from dq_pipelines.project.checked_rules import checked_rules, rules_by_check
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.render import as_yaml
from dq_pipelines.sources import PassedOver
from dq_pipelines.sources.base import FileReport

SAMPLE_ROWS = 10
#: Inputs that the check on what no run reads lists in its table.
MOST_UNASSIGNED = 20

#: What a check names in place of a batch, where it was run alone.
AS_PUBLISHED = "the published table"


def asset_key(key: str) -> dg.AssetKey:
    """`silver/sales` as Dagster's key."""
    return dg.AssetKey(key.split("/"))


def check_specs(table: Table) -> list[dg.AssetCheckSpec]:
    """The checks of a table: one per rule, on silver `rows_accounted_for` and `schema_drift`, on bronze those on its inputs."""
    key = asset_key(table.key)
    specs = [
        check_spec(
            table,
            name,
            key,
            description=rule.description or _first_sentence(rule),
            # A refusing rule blocks when its `mostly` is passed; Dagster then stops what is downstream.
            blocking=rule.action in ("block", "quarantine", "drop"),
            metadata={"rule": _rule_metadata(rule), "severity": rule.severity, "on_failure": rule.action},
        )
        for name, rule in rules_by_check(table).items()
    ]
    if not table.is_gold:
        readable = "Every input could be read, or lines of it: none stands aside as a whole"
        specs.append(check_spec(table, INPUTS_READABLE, inputs_readable_key(table).asset_key, description=readable))
        unread = "Every input belongs to a partition, and is a file: some run reads it"
        specs.append(check_spec(table, INPUTS_UNASSIGNED, inputs_unassigned_key(table).asset_key, description=unread))
        if guesses_encoding(table):
            sure = "The encoding of each file that landed is UTF-8, told, or guessed without a doubt"
            specs.append(check_spec(table, ENCODING_GUESSED, encoding_key(table).asset_key, description=sure))
        said = "Every row that came in is published, in quarantine, or dropped by a rule or a step"
        specs.append(check_spec(table, ROWS_ACCOUNTED_FOR, key, description=said, blocking=True))
        said = "The columns that a batch publishes are those of the table, or change as its `schema` allows"
        specs.append(check_spec(table, SCHEMA_DRIFT, key, description=said, blocking=True))
    return specs


def inputs_readable_key(table: Table) -> dg.AssetCheckKey:
    """The check of a bronze table on its inputs."""
    return dg.AssetCheckKey(asset_key(f"bronze/{table.name}"), INPUTS_READABLE)


def inputs_readable(table: Table, marks: Sequence[Aside]) -> dg.AssetCheckResult:
    """Which inputs stand aside, and why: it fails as long as there are any, and stops nothing."""
    key = inputs_readable_key(table)
    rows = [{"input": mark.uri, "reason": mark.reason, "since": mark.since.isoformat()} for mark in marks]
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=not marks,
        severity=dg.AssetCheckSeverity.WARN,
        description=told(marks) or "every input was read",
        metadata={"inputs_aside": len(marks), **({"aside": _table(rows)} if rows else {})},
    )


def inputs_unassigned_key(table: Table) -> dg.AssetCheckKey:
    """The check of a bronze table on what no run reads."""
    return dg.AssetCheckKey(asset_key(f"bronze/{table.name}"), INPUTS_UNASSIGNED)


def inputs_unassigned(table: Table, found: Sequence[PassedOver]) -> dg.AssetCheckResult:
    """Which inputs no run reads, and why: it fails as long as there are any, and stops nothing."""
    key = inputs_unassigned_key(table)
    rows = [{"input": one.uri, "reason": one.why} for one in found[:MOST_UNASSIGNED]]
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        description=sentence(found) or "every input belongs to a run",
        metadata={"inputs_unassigned": len(found), **({"unassigned": _table(rows)} if rows else {})},
    )


def guesses_encoding(table: Table) -> bool:
    """Whether the table's source is text of which nobody has told the encoding."""
    return not table.is_gold and getattr(table.landed.source, "encoding", None) == "auto"


def encoding_key(table: Table) -> dg.AssetCheckKey:
    """The check of a bronze table on the encodings of its files."""
    return dg.AssetCheckKey(asset_key(f"bronze/{table.name}"), ENCODING_GUESSED)


def encoding_guessed(table: Table, result: ResultRecord, unsure: Sequence[FileReport]) -> dg.AssetCheckResult:
    """Of which files the encoding is but a guess: it warns, and stops nothing."""
    key = encoding_key(table)
    rows: list[dict[str, str | int | float | bool]] = [
        {
            "file": file.source,
            "encoding": file.encoding.encoding,
            "confidence": file.encoding.confidence,
            "alternative": file.encoding.alternative,
        }
        for file in unsure[:SAMPLE_ROWS]
    ]
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.success,
        severity=dg.AssetCheckSeverity.WARN,
        description=result.error or "no encoding was in doubt",
        metadata={"files_in_doubt": len(unsure), **({"files": _table(rows)} if rows else {})},
    )


@dataclass(frozen=True)
class Evaluations:
    """The results of one judgement as Dagster's check results, by check."""

    table: Table
    records: Iterable[ResultRecord]
    #: fresh results with their sample rows, by check; empty when the records come from history
    fresh: Mapping[str, RuleResult]
    batch: str
    #: where the table stands now
    stands: TableStatus | None = None

    @classmethod
    def of(cls, table: Table, outcome: Outcome, stands: TableStatus | None = None) -> Evaluations:
        rules = checked_rules(table)
        return cls(table, outcome.record("", rules).results, outcome.results_of(rules), outcome.batch, stands)

    def yield_selected(self, selected: Iterable[dg.AssetCheckKey]) -> Iterator[dg.AssetCheckResult]:
        wanted = {key.name for key in selected if key.asset_key == asset_key(self.table.key)}
        rules = rules_by_check(self.table)
        for record in self.records:
            # What is unlike its past is told beside this (`anomaly_checks`): it may have been accepted meanwhile.
            if record.check in wanted and record.rule != ANOMALY:
                yield self._result(record, rules.get(record.check))

    def _result(self, record: ResultRecord, rule: Rule | None) -> dg.AssetCheckResult:
        alarming = record.blocks or (record.severity == "critical" and (rule is None or not _refuses(rule)))
        batch = self.batch or AS_PUBLISHED
        metadata: dict[str, Any] = {
            "batch": batch,
            "severity": record.severity,
            **(_counts(record) if record.changes is None else _changes(record)),
        }
        stands = self.stands.rule(record.check) if self.stands is not None else None
        if stands is not None:
            metadata["status"] = stands.status
            if stands.open_rows:
                metadata["open_in_quarantine"] = stands.open_rows
        # Of a verdict that stands: its refused rows may have been settled since.
        passed = record.success or (not self.fresh and stands is not None and stands.success)
        if rule is not None:
            metadata["rule"] = _rule_metadata(rule)
        rows = self.fresh[record.check].unexpected_rows if record.check in self.fresh else ()
        if rows:
            metadata["failing_rows"] = _sample(rows)
        return dg.AssetCheckResult(
            asset_key=asset_key(self.table.key),
            check_name=record.check,
            passed=passed,
            severity=dg.AssetCheckSeverity.ERROR if alarming else dg.AssetCheckSeverity.WARN,
            description=_said(record, rule, recheck=not self.batch),
            metadata=metadata,
        )


def _refuses(rule: Rule) -> bool:
    return rule.action in ("quarantine", "drop")


def _counts(record: ResultRecord) -> dict[str, Any]:
    found: dict[str, Any] = {
        "element_count": record.element_count,
        "missing_count": record.missing_count,
        "unexpected_count": record.unexpected_count,
        "observed_value": None if record.observed_value is None else str(record.observed_value),
        "error": record.error,
    }
    judged = (record.element_count or 0) - (record.missing_count or 0)
    if record.unexpected_count is not None and judged:
        found["unexpected_percent"] = 100 * record.unexpected_count / judged
    return {name: value for name, value in found.items() if value is not None}


def _changes(record: ResultRecord) -> dict[str, Any]:
    """What has become of the columns as a table: column, change, before, after, done."""
    return {"changes": _table(record.observed_value)} if record.observed_value else {}


def _said(record: ResultRecord, rule: Rule | None, *, recheck: bool) -> str:
    if record.error:
        return record.error
    if record.changes is not None:
        return record.changes
    if record.unexpected_count is None:
        return f"observed {record.observed_value}{f', {record.remark}' if record.remark else ''}"
    done = (
        {"quarantine": "; they are in quarantine", "drop": "; they were dropped"}.get(rule.action, "") if rule else ""
    )
    if record.blocks:
        done = "; nothing was published"
    if recheck:
        return f"{record.unexpected_count:,} of {record.element_count:,} published rows fail"
    return f"{record.unexpected_count:,} of {record.element_count:,} rows fail{done if record.unexpected_count else ''}"


def _first_sentence(rule: Rule) -> str:
    return (type(rule).__doc__ or rule.type).strip().splitlines()[0]


def _rule_metadata(rule: Rule) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(f"```yaml\n{as_yaml(rule)}```")


def _sample(rows: Iterable[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """The first failing rows as a table; cells are cut to a line."""
    return _table([{name: _cell(value) for name, value in row.items()} for row in list(rows)[:SAMPLE_ROWS]])


def _table(rows: Iterable[Mapping[str, str | int | float | bool]]) -> dg.TableMetadataValue:
    records = [dg.TableRecord(dict(row)) for row in rows]
    columns = [dg.TableColumn(name, "string") for name in records[0].data]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def _cell(value: Any) -> str | int | float | bool:
    match value:
        case bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case None:
            return "null"
        case datetime():
            return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
        case Decimal():
            return str(value)
    text = str(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
