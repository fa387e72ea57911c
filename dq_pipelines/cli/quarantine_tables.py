"""Prints the rows and counts of `dq quarantine list`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from dq_pipelines.config.counting import counted
from dq_pipelines.engine.results.reasons import REASONS
from dq_pipelines.pipeline.bronze.landed import BATCH
from dq_pipelines.pipeline.exchange.refusal_reasons import RuleDescriptions
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter, refused_of, superseded
from dq_pipelines.pipeline.quarantine.refused_rows import ID, STATUS, STATUS_NOTE, SUPERSEDED, cells_in
from dq_pipelines.sources import ROW, SOURCE

if TYPE_CHECKING:
    from dq_pipelines.pipeline.runtime.table_run import TableRun

#: Wider than any table of counts.
_WIDEST = 10_000


def rows(work: TableRun, chosen: RefusedRowFilter, status: str | None, limit: int) -> list[dict[str, Any]]:
    """The refused rows, oldest batches first; without a status all but superseded rows."""
    refused = chosen.rows(refused_of(work))
    refused = refused.filter(pl.col(STATUS) != SUPERSEDED if status is None else pl.col(STATUS) == status)
    return (refused.head(limit) if limit else refused).collect().to_dicts()


def print_superseded(work: TableRun, chosen: RefusedRowFilter) -> None:
    """Print on stderr how many rows are superseded, and how to list them."""
    if count := superseded(work, chosen):
        rows = counted(count, "row", "is", "are")
        print(f"{rows} superseded and not listed; dq quarantine list --status superseded lists them", file=sys.stderr)


def print_rows(work: TableRun, refused: Sequence[dict[str, Any]]) -> None:
    """Print each row: its source, its status, its reasons (wanted and got) and its cells."""
    console, wanted = Console(), RuleDescriptions.of(work.table)
    lines = [_line(row, wanted) for row in refused]
    # Rule names are copied into other commands: if the column of reasons would break one, rows are printed as lines.
    longest = max((len(word) for _, _, why, _ in lines for word in why.split()), default=0)
    if longest > console.width // 4:
        for where, by, why, cells in lines:
            console.print(Text(f"{where}: {by}\n  {why}"), Text(f"  {cells}", "dim"), sep="\n", soft_wrap=True)
    else:
        table = Table(*_folding("where", "status", "why", "row"), show_lines=True)
        for where, by, why, cells in lines:
            table.add_row(where, by.replace(" by ", "\nby "), why, cells)
        console.print(table)
    if refused:
        console.print(f"ids for --id: see dq quarantine list --json; the first is {refused[0][ID]}", soft_wrap=True)


def _line(row: Mapping[str, Any], wanted: RuleDescriptions) -> tuple[str, str, str, str]:
    """A row's source, its status, its reasons (wanted and got) and its cells."""
    cells = ", ".join(f"{name}={row[name]}" for name in cells_in(row) if row[name] is not None)
    by = f"{row[STATUS]} by {row['_status_by']}" if row.get("_status_by") else row[STATUS]
    by += f": {row[STATUS_NOTE]}" if row.get(STATUS_NOTE) else ""
    return f"{row[SOURCE]}:{row[ROW]}", by, wanted.refusal_of(row).why, cells


def _folding(*names: str) -> list[Column]:
    """Columns that wrap in a narrow terminal, so that nothing is cut off."""
    return [Column(name, overflow="fold") for name in names]


def print_counts(works: Sequence[TableRun], chosen: RefusedRowFilter, *, as_json: bool) -> None:
    """Print the number of rows by table, rule, column and status; a row counts once for each of its reasons."""
    counts = [{"table": work.table.name, **row} for work in works for row in _counts(work, chosen)]
    if as_json:
        print(json.dumps(counts, indent=1))
        return
    console = Console()
    if not counts:
        console.print("quarantine is empty")
        return
    # Names are copied into other commands: they are printed whole, even in a narrow terminal.
    table = Table(*(Column(name, no_wrap=True) for name in counts[0]))
    for row in counts:
        table.add_row(*(str(value or "") for value in row.values()))
    if Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum <= console.width:
        console.print(table)
        return
    for row in counts:
        where = f"{row['rule']} of {row['column']}" if row["column"] else row["rule"]
        console.print(Text(f"{row['table']}: {where}"), soft_wrap=True)
        told = f"  {counted(row['rows'], 'row')} {row['status']}, of {counted(row['batches'], 'batch')}"
        console.print(Text(told, "dim"), soft_wrap=True)


def _counts(work: TableRun, chosen: RefusedRowFilter) -> list[dict[str, Any]]:
    reasons = (
        chosen.rows(refused_of(work))
        .select(STATUS, BATCH, pl.col(REASONS).list.unique())
        .explode(REASONS)
        .unnest(REASONS)
    )
    by = ["rule", "column", STATUS]
    return (
        (reasons.group_by(by).agg(pl.len().alias("rows"), pl.col(BATCH).n_unique().alias("batches")).sort(by))
        .rename({STATUS: "status"})
        .collect()
        .to_dicts()
    )
