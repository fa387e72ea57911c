"""What the dashboard counts in the lake: rows of layers, and refused rows by reason. Texts of it are stored in the history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dq_pipelines.errors import PublishError
from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.quarantine.quarantine_summary import QuarantineSummary, Reason, summarize_quarantine
from dq_pipelines.web.dashboard.lake_errors import told


@dataclass(frozen=True)
class LakeCounts:
    """Row counts of the lake."""

    #: rows by `<layer>/<table>`, without layers that a table does not have
    rows: Mapping[str, int] = field(default_factory=dict)
    #: quarantine by published table
    quarantines: Mapping[str, QuarantineSummary] = field(default_factory=dict)
    #: the result about inputs that are set aside, by silver table
    asides: Mapping[str, ResultRecord] = field(default_factory=dict)
    #: sentences about what could not be read
    notes: tuple[str, ...] = ()
    #: tables that are still to be counted
    uncounted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class TableCounts:
    """The row counts of one published table and its layers."""

    quarantine: QuarantineSummary
    #: by `<layer>/<table>`
    rows: Mapping[str, int] = field(default_factory=dict)
    #: a sentence about what could not be read; "" for none
    note: str = ""


def layers_of(table: str) -> tuple[str, ...]:
    """The tables in the lake whose rows are counted for a published table; quarantine comes last."""
    layer, _, name = table.partition("/")
    return (*((f"bronze/{name}",) if layer == "silver" else ()), table, f"quarantine/{name}")


def count_table(lake: Lake, table: str) -> TableCounts:
    """Count the rows of a table in the lake."""
    *judged, refused_rows = layers_of(table)
    try:
        rows = {key: lake.table(key).rows() for key in judged}
        quarantine = summarize_quarantine(lake, table)
    except PublishError as error:
        note = f"Rows of {table} are not counted: {told(error, lake)}"
        return TableCounts(QuarantineSummary(table, is_known=False), note=note)
    refused = sum(count for _, count in quarantine.statuses)
    return TableCounts(quarantine, rows | {refused_rows: refused})


def as_text(counts: TableCounts) -> str:
    """Counts as JSON, to be stored."""
    quarantine = counts.quarantine
    reasons = [
        [one.rule, one.column, one.since.isoformat() if one.since else None, one.rows, one.partition]
        for one in quarantine.reasons
    ]
    return json.dumps([quarantine.is_known, quarantine.statuses, reasons, dict(counts.rows)], ensure_ascii=False)


def from_text(table: str, text: str) -> TableCounts | None:
    """The counts of `as_text`; None for text of another release."""
    try:
        is_known, statuses, reasons, rows = json.loads(text)
        found = tuple(
            Reason(rule, column, datetime.fromisoformat(since) if since else None, count, partition)
            for rule, column, since, count, partition in reasons
        )
        kinds = tuple((status, count) for status, count in statuses)
    except (ValueError, TypeError):
        return None
    return TableCounts(QuarantineSummary(table, kinds, found, is_known), rows)
