"""`dq quarantine`: lists refused rows, exports them for correction, imports corrections, replays and dismisses rows."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dq_pipelines.config.counting import counted
from dq_pipelines.config.settings import Settings

if TYPE_CHECKING:
    from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter
    from dq_pipelines.pipeline.replay.replayed import Replayed
    from dq_pipelines.pipeline.runtime.table_run import TableRun
    from dq_pipelines.project import Table

app = typer.Typer()
verbs = typer.Typer(no_args_is_help=True)
app.add_typer(verbs, name="quarantine", help="List refused rows, correct them in a workbook, replay or dismiss them.")


@app.callback()
def _group() -> None:
    """The group is the only verb of this module."""


class Status(StrEnum):
    """The status of a refused row."""

    open = "open"
    fixed = "fixed"
    replayed = "replayed"
    dismissed = "dismissed"
    superseded = "superseded"


TableName = Annotated[str, typer.Argument(help="A table, as sales or silver/sales.", show_default=False)]
Rule = Annotated[str | None, typer.Option(help="Only rows that this rule refused.", show_default=False)]
Column = Annotated[str | None, typer.Option(help="Only rows refused for this column.", show_default=False)]
Batch = Annotated[str | None, typer.Option(help="Only rows of this batch.", show_default=False)]
Note = Annotated[str | None, typer.Option(help="Why; kept with the rows.", show_default=False)]
Ids = Annotated[list[str] | None, typer.Option("--id", help="Only the row with this _id; may be given several times.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Judge and print the outcome, but write nothing.")]


@verbs.command("list")
def list_rows(
    table: Annotated[
        str | None, typer.Argument(help="A table; without it, counts for all tables.", show_default=False)
    ] = None,
    rule: Rule = None,
    column: Column = None,
    batch: Batch = None,
    status: Annotated[
        Status | None,
        typer.Option(help="Only rows of this status; by default all but superseded rows.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="At most this many rows; 0 for all.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Show a table's refused rows with their reasons, or counts by table, rule and status."""
    from dq_pipelines.cli import quarantine_tables as shown

    if table is None:
        tables = [each for each in _project_tables() if _work(each).quarantine.exists]
        shown.print_counts([_work(each) for each in tables], _chosen(rule, column, batch), as_json=as_json)
        return
    work, chosen = _work(_table(table)), _chosen(rule, column, batch)
    rows = shown.rows(work, chosen, status and status.value, limit)
    if as_json:
        print(json.dumps(rows, indent=1, ensure_ascii=False, default=str))
    else:
        shown.print_rows(work, rows)
    if status is None:
        shown.print_superseded(work, chosen)


@verbs.command()
def export(
    table: TableName,
    path: Annotated[Path, typer.Argument(help="The file to write, ending in .xlsx or .csv.")],
    rule: Rule = None,
    column: Column = None,
    batch: Batch = None,
) -> None:
    """Write the open rows to a workbook for correction."""
    from dq_pipelines.pipeline.exchange.corrections_exchange import export as written

    count = written(_work(_table(table)), path, _chosen(rule, column, batch))
    print(f"{counted(count, 'open row')} of {table} in {path}")


@verbs.command("import")
def import_rows(
    path: Annotated[Path, typer.Argument(help="A corrected file of `dq quarantine export`.")],
    table: Annotated[str | None, typer.Option(help="The table, if the file does not name it.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Judge the corrected rows, publish those that pass, and print the reasons of those that fail. Exit 1 when any fails."""
    from dq_pipelines.pipeline.exchange.corrections_exchange import ReturnedFile, import_corrections
    from dq_pipelines.project import load_sound_tables

    project = load_sound_tables(Settings.from_environment().config)
    book = ReturnedFile.read(path)
    work = _work(project.tables[book.table_of(project, table and table.rpartition("/")[2])])
    done = import_corrections(work, book, by=_who(), dry_run=dry_run)
    _remember(done.replayed)
    for problem in (*done.notes, *done.problems):
        print(f"{path}: {problem}", file=sys.stderr)
    print(f"{done.table}: {done.sentence(dry_run=dry_run)}")
    if done.problems:
        raise typer.Exit(1)


@verbs.command()
def replay(
    table: TableName,
    rule: Rule = None,
    column: Column = None,
    batch: Batch = None,
    ids: Ids = None,
    dry_run: DryRun = False,
) -> None:
    """Judge open rows by the current rules, and publish those that pass."""
    from dq_pipelines.pipeline.replay.replay import replay as replayed

    done = replayed(_work(_table(table)), _chosen(rule, column, batch, ids), by=_who(), dry_run=dry_run)
    _remember(done)
    print(f"{table}: {done.sentence(dry_run=dry_run)}")


@verbs.command()
def dismiss(
    table: TableName,
    rule: Rule = None,
    column: Column = None,
    batch: Batch = None,
    ids: Ids = None,
    note: Note = None,
) -> None:
    """Give up open rows. They stay in quarantine, and replays skip them."""
    _give_status(table, _chosen(rule, column, batch, ids), "dismissed", note)


@verbs.command()
def reopen(table: TableName, rule: Rule = None, column: Column = None, batch: Batch = None, ids: Ids = None) -> None:
    """Open dismissed rows again, so that replays judge them."""
    _give_status(table, _chosen(rule, column, batch, ids), "open")


def _give_status(table: str, chosen: RefusedRowFilter, status: str, note: str | None = None) -> None:
    from dq_pipelines.pipeline.quarantine.quarantine_status import set_status

    count = set_status(_work(_table(table)), chosen, status, _who(), note)
    print(f"{table}: {counted(count, 'row', 'is', 'are')} {status} now")


def _chosen(
    rule: str | None, column: str | None, batch: str | None, ids: Sequence[str] | None = None
) -> RefusedRowFilter:
    from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter

    return RefusedRowFilter(rule, column, batch, ids or None)


def _project_tables() -> list[Table]:
    from dq_pipelines.cli.project_tables import sound_project

    return list(sound_project())


def _table(name: str) -> Table:
    from dq_pipelines.cli.project_tables import named_tables
    from dq_pipelines.project import load_sound_tables

    return named_tables(load_sound_tables(Settings.from_environment().config), [name], "quarantine")[0]


def _work(table: Table) -> TableRun:
    from dq_pipelines.pipeline.runtime.stores import Stores
    from dq_pipelines.pipeline.runtime.table_run import TableRun

    return TableRun(table, Stores.from_environment().lake, log=lambda line: print(line, file=sys.stderr))


def _remember(done: Replayed) -> None:
    from dq_pipelines.pipeline.runtime.stores import Stores

    history = Stores.from_environment().history
    for record in done.records:
        history.record(record)


def _who() -> str:
    return getpass.getuser()
