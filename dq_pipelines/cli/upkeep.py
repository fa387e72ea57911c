"""`dq upkeep`: compacts small files and vacuums old ones, as the job of the same name does, or counts them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dq_pipelines.pipeline.maintenance.compaction import UpkeepResult

app = typer.Typer()


@app.command()
def upkeep(
    tables: Annotated[
        list[str] | None, typer.Argument(help="Only these tables; by default every table.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")] = False,
) -> None:
    """Compact small files, write checkpoints, and remove files of versions older than `upkeep.keep_versions`."""
    from dq_pipelines.cli.project_tables import named_tables, sound_project
    from dq_pipelines.pipeline.maintenance.compaction import preview_upkeep, run_upkeep
    from dq_pipelines.pipeline.runtime.stores import Stores
    from dq_pipelines.pipeline.runtime.table_run import TableRun

    project = sound_project()
    stores, keep = Stores.from_environment(), project.settings.upkeep.length
    for table in named_tables(project, tables, "upkeep") if tables else project:
        work = TableRun(table, stores.lake)
        tended = preview_upkeep(work, stores.backups, keep) if dry_run else run_upkeep(work, stores.backups, keep)
        for each in tended:
            print(_line(each, would=dry_run))
        if not tended:
            print(f"{table.key}: nothing is published yet", file=sys.stderr)


def _line(each: UpkeepResult, *, would: bool) -> str:
    name = each.key if each.place == "lake" else f"{each.place} {each.key}"
    if not each.changed:
        return f"{name}: nothing to do"
    become, removed = ("would become", "would be removed") if would else ("became", "were removed")
    return f"{name}: {each.compacted:,} small files {become} {each.into:,}, {each.vacuumed:,} old files {removed}"
