"""`dq retention`: delete what is older than its table keeps it, as the job of the same name does, or say what would go."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dq_pipelines.cli.asking import sound_project
from dq_pipelines.config.counting import counted
from dq_pipelines.errors import ConfigError, Problem

if TYPE_CHECKING:
    from dq_pipelines.pipeline.maintenance.retention import Expiry
    from dq_pipelines.project import Project, Table

app = typer.Typer()


@app.command()
def retention(
    tables: Annotated[
        list[str] | None, typer.Argument(help="Only these; else every table with `retention`.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and delete nothing.")] = False,
) -> None:
    """Delete rows that are older than their table keeps them, from bronze, quarantine and silver."""
    from dq_pipelines.pipeline.maintenance.retention import expire, expiring
    from dq_pipelines.pipeline.runtime.stores import Stores
    from dq_pipelines.pipeline.runtime.table_run import Work

    project = sound_project()
    stores = Stores.from_environment()
    for table in _chosen(project, tables or ()):
        work = Work(table, stores.lake, log=lambda line: print(line, file=sys.stderr))
        expiry = expiring(work) if dry_run else expire(work, stores.backups, "dq retention")
        print(f"{table.key}: nothing is published yet" if expiry is None else _said(expiry, would=dry_run))


def _chosen(project: Project, names: list[str] | tuple[str, ...]) -> list[Table]:
    from dq_pipelines.cli.asking import named_tables

    able = [table for table in project if not table.is_gold and table.landed.retention is not None]
    if not names:
        return able
    found = named_tables(project, names, "retention")
    if unable := [table for table in found if table not in able]:
        said = [
            Problem("", 0, f"dq retention: wanted a table with `retention`, got {table.key}, which has none")
            for table in unable
        ]
        raise ConfigError(said)
    return found


def _said(expiry: Expiry, *, would: bool) -> str:
    if not expiry.total:
        line = f"{expiry.table}: nothing to delete, {expiry.why}"
    else:
        rows = ", ".join(f"{key} {count:,}" for key, count in expiry.rows.items())
        line = f"{expiry.table}: {'would delete' if would else 'deleted'} rows: {rows}; {expiry.why}"
    if expiry.backed_up:
        line += f"; {counted(sum(expiry.backed_up.values()), 'row')} copied to the backup first"
    if expiry.untold:
        line += (
            f"; {counted(expiry.untold, 'row')} of bronze {'stays' if expiry.untold == 1 else 'stay'}, since a step forgets where its rows came from: "
            f"a rerun would publish what is old among them again"
        )
    return line
