"""`dq restore`: restores a table to an earlier version, or expired rows from the backup, after printing the changes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem

if TYPE_CHECKING:
    from dq_pipelines.lake.tables import Lake
    from dq_pipelines.pipeline.runtime.table_run import TableRun

app = typer.Typer()


@app.command()
def restore(
    name: Annotated[
        str, typer.Argument(metavar="TABLE", help="sales: silver and quarantine; silver/sales: that layer alone.")
    ],
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="TIME", help="An ISO time (UTC without a zone) or a version.", show_default=False
        ),
    ] = None,
    from_backup: Annotated[
        bool, typer.Option("--from-backup", help="Restore the rows that `retention` deleted.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would change, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Restore a table to a time or version, or restore the rows that retention deleted.

    Batches that silver consumed after that time are pending again, and the next run judges them.
    """
    from dq_pipelines.cli.project_tables import named_tables
    from dq_pipelines.pipeline.runtime.stores import Stores
    from dq_pipelines.pipeline.runtime.table_run import TableRun
    from dq_pipelines.project import load_sound_tables

    if (as_of is None) == (not from_backup):
        raise ConfigError([Problem("", 0, "dq restore: wanted one of --as-of TIME and --from-backup")])
    table = named_tables(load_sound_tables(Settings.from_environment().config), [name], "restore")[0]
    layer = name.rpartition("/")[0] or None
    if from_backup and (layer is not None or table.is_gold):
        problem = f"dq restore --from-backup: wanted a table with a source, without its layer, got {name}"
        raise ConfigError([Problem("", 0, problem)])
    stores = Stores.from_environment()
    work = TableRun(table, stores.lake, log=lambda line: print(line, file=sys.stderr))
    if from_backup:
        _recover(work, stores.backups, dry_run=dry_run, yes=yes)
    else:
        _return(work, str(as_of), layer, dry_run=dry_run, yes=yes)


def _return(work: TableRun, as_of: str, layer: str | None, *, dry_run: bool, yes: bool) -> None:
    from dq_pipelines.cli.confirmation import confirmed
    from dq_pipelines.lake.time_travel import Moment
    from dq_pipelines.pipeline.maintenance.restore import plan_restore, restore
    from dq_pipelines.pipeline.maintenance.wording import restore_lines

    moment = Moment(as_of)
    planned = plan_restore(work, moment, layer)
    for each in planned:
        print("\n".join(restore_lines(each)))
    if any(each.changes for each in planned) and not dry_run and confirmed(yes=yes):
        restore(work, moment, layer)


def _recover(work: TableRun, backups: Lake, *, dry_run: bool, yes: bool) -> None:
    from dq_pipelines.cli.confirmation import confirmed
    from dq_pipelines.pipeline.maintenance.restore import plan_recovery, recover
    from dq_pipelines.pipeline.maintenance.wording import recovery_lines

    planned = plan_recovery(work, backups)
    for line in recovery_lines(work.table, planned):
        print(line)
    if planned and not dry_run and confirmed(yes=yes):
        recover(work, backups)
