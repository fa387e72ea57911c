"""`dq erase`: erases a person's rows from every layer, version, backup and the history, with a certificate."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem

app = typer.Typer()


@app.command()
def erase(
    name: Annotated[str, typer.Argument(metavar="TABLE", help="A table with a source, as sales or silver/sales.")],
    where: Annotated[
        str, typer.Option("--where", metavar="CONDITION", help='SQL over silver\'s columns, as "customer_id = 7".')
    ],
    also: Annotated[
        list[str] | None,
        typer.Option("--also", metavar="NAME", help="Also from this table of the lake, which is no longer in YAML."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be erased, and erase nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the certificate as JSON.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase rows from bronze, silver, quarantine, gold, the backup and the history, and every older version of them.

    They cannot be restored. Queries that read an older version of these tables meanwhile fail.

    Exit 1 when the lake or the backup has tables that are neither in YAML nor in --also: they may hold the same rows,
    and are not searched.
    """
    from dq_pipelines.cli.confirmation import confirmed
    from dq_pipelines.cli.project_tables import named_tables
    from dq_pipelines.pipeline.maintenance.erasure import erase as erased
    from dq_pipelines.pipeline.maintenance.erasure_plan import ErasureRequest
    from dq_pipelines.pipeline.maintenance.wording import certificate_lines, erasure_lines, not_searched_lines
    from dq_pipelines.pipeline.runtime.stores import Stores
    from dq_pipelines.pipeline.runtime.table_run import TableRun
    from dq_pipelines.project import load_project

    project = load_project(Settings.from_environment().config)
    table = named_tables(project, [name], "erase")[0]
    if table.is_gold:
        problem = (
            f"dq erase: wanted a table with a source, got {table.key}: erase from the tables that it is computed from"
        )
        raise ConfigError([Problem("", 0, problem)])
    stores = Stores.from_environment()
    request = ErasureRequest(
        TableRun(table, stores.lake, log=lambda line: print(line, file=sys.stderr)),
        project,
        where,
        stores.backups,
        tuple(also or ()),
    )
    if dry_run or not as_json:
        for line in erasure_lines(request, dry_run=dry_run):
            print(line)
    if dry_run or not confirmed(yes=yes):
        return
    certificate = erased(request, stores.history, getpass.getuser())
    print(certificate.to_json() if as_json else "\n".join(certificate_lines(certificate, certificate.predicate)))
    if certificate.not_judged:
        print("\n".join(not_searched_lines(request)), file=sys.stderr)
        raise typer.Exit(1)
