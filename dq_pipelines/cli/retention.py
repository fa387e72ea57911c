"""`dq retention`: deletes rows past their table's `retention`, as the job of the same name does, or counts them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dq_pipelines.cli.project_tables import sound_project
from dq_pipelines.config.counting import counted
from dq_pipelines.errors import ConfigError, Problem

if TYPE_CHECKING:
    from dq_pipelines.pipeline.maintenance.retention import Expiry
    from dq_pipelines.project import Project, Table

app = typer.Typer()


@app.command()
def retention(
    tables: Annotated[
        list[str] | None,
        typer.Argument(help="Only these tables; by default every table with `retention`.", show_default=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be deleted, and delete nothing.")
    ] = False,
) -> None:
    """Delete rows older than their table's `retention`, from bronze, quarantine and silver."""
    from dq_pipelines.pipeline.maintenance.retention import expire, preview_expiry
    from dq_pipelines.pipeline.runtime.stores import Stores
    from dq_pipelines.pipeline.runtime.table_run import TableRun

    project = sound_project()
    stores = Stores.from_environment()
    for table in _chosen(project, tables or ()):
        work = TableRun(table, stores.lake, log=lambda line: print(line, file=sys.stderr))
        expiry = preview_expiry(work) if dry_run else expire(work, stores.backups, "dq retention")
        print(f"{table.key}: nothing is published yet" if expiry is None else _line(expiry, would=dry_run))


def _chosen(project: Project, names: list[str] | tuple[str, ...]) -> list[Table]:
    from dq_pipelines.cli.project_tables import named_tables

    with_retention = project.with_retention
    if not names:
        return with_retention
    chosen = named_tables(project, names, "retention")
    problems = [
        Problem("", 0, f"dq retention: wanted a table with `retention`, got {table.key}, which has none")
        for table in chosen
        if table not in with_retention
    ]
    if problems:
        raise ConfigError(problems)
    return chosen


def _line(expiry: Expiry, *, would: bool) -> str:
    if not expiry.total:
        line = f"{expiry.table}: nothing to delete, {expiry.why}"
    else:
        rows = ", ".join(f"{key} {count:,}" for key, count in expiry.rows.items())
        line = f"{expiry.table}: {'would delete' if would else 'deleted'} rows: {rows}; {expiry.why}"
    if expiry.backed_up:
        line += f"; {counted(sum(expiry.backed_up.values()), 'row')} copied to the backup first"
    if expiry.untraceable:
        line += (
            f"; {counted(expiry.untraceable, 'row', 'stays', 'stay')} in bronze, since a step drops the origin of its rows: "
            f"a rerun would publish the old ones again"
        )
    return line
