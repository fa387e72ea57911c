"""Defines the asset checks of a table and turns rule results into check results.

Each rule has a check. Other checks cover unreadable and unassigned inputs, encodings, row accounting and schema drift.
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
from dq_pipelines.history.store.status import is_failure
from dq_pipelines.lake.skipped_inputs import SkippedInput
from dq_pipelines.orchestration.console_links import check_link
from dq_pipelines.orchestration.partitions_definition import check_spec
from dq_pipelines.pipeline.bronze.skipped_inputs import INPUTS_READABLE, why_skipped
from dq_pipelines.pipeline.bronze.unassigned_inputs import INPUTS_UNASSIGNED, sentence
from dq_pipelines.pipeline.runtime.outcome import ROWS_ACCOUNTED_FOR, Outcome
from dq_pipelines.project import Table
from dq_pipelines.project.check_titles import BUILT_IN
from dq_pipelines.project.checked_rules import checked_rules, rules_by_check
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.render import as_yaml
from dq_pipelines.rules.core.titles import title
from dq_pipelines.sources import PassedOver
from dq_pipelines.sources.base import FileReport

SAMPLE_ROWS = 10
#: Rows in the metadata table of `inputs_unassigned`.
MOST_UNASSIGNED = 20

#: The batch name in a check's metadata when the check ran alone.
AS_PUBLISHED = "the published table"


def asset_key(key: str) -> dg.AssetKey:
    """Returns the Dagster key of a table key such as `silver/sales`."""
    return dg.AssetKey(key.split("/"))


def check_specs(table: Table) -> list[dg.AssetCheckSpec]:
    """Returns the check specs of a table: one per rule, two of silver as a whole, and those of bronze on its inputs."""
    key = asset_key(table.key)
    specs = [
        check_spec(
            table,
            name,
            key,
            description=title(rule),
            # A rule that refuses rows blocks the batch past its `mostly`. Dagster then skips downstream assets of the run.
            blocking=rule.action in ("block", "quarantine", "drop"),
            metadata={
                "rule": _rule_metadata(rule),
                "severity": rule.severity,
                "on_failure": rule.action,
                **check_link(table.key, name),
            },
        )
        for name, rule in rules_by_check(table).items()
    ]
    if not table.is_gold:
        of_bronze = [inputs_readable_key(table), inputs_unassigned_key(table)]
        of_bronze += [encoding_key(table)] if guesses_encoding(table) else []
        specs += [check_spec(table, one.name, one.asset_key, description=BUILT_IN[one.name]) for one in of_bronze]
        of_silver = (ROWS_ACCOUNTED_FOR, SCHEMA_DRIFT)
        specs += [
            check_spec(
                table, name, key, description=BUILT_IN[name], blocking=True, metadata=check_link(table.key, name)
            )
            for name in of_silver
        ]
    return specs


def inputs_readable_key(table: Table) -> dg.AssetCheckKey:
    """Returns the key of bronze's check on unreadable inputs."""
    return dg.AssetCheckKey(asset_key(f"bronze/{table.name}"), INPUTS_READABLE)


def inputs_readable(table: Table, marks: Sequence[SkippedInput]) -> dg.AssetCheckResult:
    """Returns the result of `inputs_readable`: a warning that lists skipped inputs with their reasons. It never blocks."""
    key = inputs_readable_key(table)
    rows = [{"input": mark.uri, "reason": mark.reason, "since": mark.since.isoformat()} for mark in marks]
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=not marks,
        severity=dg.AssetCheckSeverity.WARN,
        description=why_skipped(marks) or "every input was read",
        metadata={"inputs_aside": len(marks), **({"aside": _table(rows)} if rows else {})},
    )


def inputs_unassigned_key(table: Table) -> dg.AssetCheckKey:
    """Returns the key of bronze's check on inputs that no run reads."""
    return dg.AssetCheckKey(asset_key(f"bronze/{table.name}"), INPUTS_UNASSIGNED)


def inputs_unassigned(table: Table, inputs: Sequence[PassedOver]) -> dg.AssetCheckResult:
    """Returns the result of `inputs_unassigned`: a warning that lists inputs that no run reads. It never blocks."""
    key = inputs_unassigned_key(table)
    rows = [{"input": one.uri, "reason": one.why} for one in inputs[:MOST_UNASSIGNED]]
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=not inputs,
        severity=dg.AssetCheckSeverity.WARN,
        description=sentence(inputs) or "every input belongs to a run",
        metadata={"inputs_unassigned": len(inputs), **({"unassigned": _table(rows)} if rows else {})},
    )


def guesses_encoding(table: Table) -> bool:
    """Whether the table's source detects the encoding of its files."""
    return not table.is_gold and getattr(table.landed.source, "encoding", None) == "auto"


def encoding_key(table: Table) -> dg.AssetCheckKey:
    """Returns the key of bronze's check on the encodings of its files."""
    return dg.AssetCheckKey(asset_key(f"bronze/{table.name}"), ENCODING_GUESSED)


def encoding_guessed(table: Table, result: ResultRecord, unsure: Sequence[FileReport]) -> dg.AssetCheckResult:
    """Returns the result of `encoding_guessed`: a warning that lists files with a doubtful encoding. It never blocks."""
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
    """Converts the rule results of one judgement to Dagster check results."""

    table: Table
    records: Iterable[ResultRecord]
    #: fresh results with their sample rows, by check; empty when the records come from history
    fresh: Mapping[str, RuleResult]
    batch: str
    #: the table's current status
    status: TableStatus | None = None

    @classmethod
    def of(cls, table: Table, outcome: Outcome, status: TableStatus | None = None) -> Evaluations:
        rules = checked_rules(table)
        return cls(table, outcome.record("", rules).results, outcome.results_of(rules), outcome.batch, status)

    def yield_selected(self, selected: Iterable[dg.AssetCheckKey]) -> Iterator[dg.AssetCheckResult]:
        wanted = {key.name for key in selected if key.asset_key == asset_key(self.table.key)}
        rules = rules_by_check(self.table)
        for record in self.records:
            # `anomaly_checks` reports anomalies: a point may have been accepted in the meantime.
            if record.check in wanted and record.rule != ANOMALY:
                yield self._result(record, rules.get(record.check))

    def _result(self, record: ResultRecord, rule: Rule | None) -> dg.AssetCheckResult:
        # A re-check judges published rows: what fails there is not set aside.
        aside = record.sets_aside and bool(self.batch)
        alarming = is_failure(severity=record.severity, blocks=record.blocks, sets_aside=aside)
        batch = self.batch or AS_PUBLISHED
        metadata: dict[str, Any] = {
            "batch": batch,
            "severity": record.severity,
            **(_counts(record) if record.changes is None else _changes(record)),
            **check_link(self.table.key, record.check),
        }
        state = self.status.rule(record.check) if self.status is not None else None
        if state is not None:
            metadata["status"] = state.status
            if state.open_rows:
                metadata["open_in_quarantine"] = state.open_rows
        # A recorded verdict may have passed since: a replay or a person may have settled its refused rows.
        passed = record.success or (not self.fresh and state is not None and state.success)
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
            description=_description(record, rule, recheck=not self.batch),
            metadata=metadata,
        )


def _counts(record: ResultRecord) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "element_count": record.element_count,
        "missing_count": record.missing_count,
        "unexpected_count": record.unexpected_count,
        "observed_value": None if record.observed_value is None else str(record.observed_value),
        "error": record.error,
    }
    judged = (record.element_count or 0) - (record.missing_count or 0)
    if record.unexpected_count is not None and judged:
        counts["unexpected_percent"] = 100 * record.unexpected_count / judged
    return {name: value for name, value in counts.items() if value is not None}


def _changes(record: ResultRecord) -> dict[str, Any]:
    """Returns the column changes as a table: column, change, before, after, done."""
    return {"changes": _table(record.observed_value)} if record.observed_value else {}


def _description(record: ResultRecord, rule: Rule | None, *, recheck: bool) -> str:
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


def _rule_metadata(rule: Rule) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(f"```yaml\n{as_yaml(rule)}```")


def _sample(rows: Iterable[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Returns the first failing rows as a metadata table; each cell is cut to 200 characters."""
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
