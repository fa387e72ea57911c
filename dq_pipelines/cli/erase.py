"""`dq erase`: erases a person's rows from every layer, version, backup and the history, with a certificate."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from dq_pipelines.config.counting import counted
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem

if TYPE_CHECKING:
    from dq_pipelines.pipeline.maintenance.certificates import Certificate
    from dq_pipelines.pipeline.maintenance.erasure_plan import ErasureRequest

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
    from dq_pipelines.pipeline.maintenance.erasure import preview_erasure
    from dq_pipelines.pipeline.maintenance.erasure_plan import ErasureRequest
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
        for place, key, rows in preview_erasure(request):
            print(f"{place} {key}: {counted(rows, 'row')} {'would go' if dry_run else 'to erase'}")
        print("".join(f"{line}\n" for line in _not_judged(request)), end="")
    if dry_run or not confirmed(yes=yes):
        return
    certificate = erased(request, stores.history, getpass.getuser())
    print(certificate.to_json() if as_json else "\n".join(_lines(certificate)))
    if certificate.not_judged:
        print("\n".join(_not_judged(request)), file=sys.stderr)
        raise typer.Exit(1)


def _not_judged(request: ErasureRequest) -> Iterator[str]:
    """What to do about each table that is no longer in YAML and may hold the same rows."""
    for name, uri in request.not_judged().items():
        yield (
            f"{name}: the table is no longer in YAML, and {uri} was not searched: add --also {name.rpartition('/')[2]}, or "
            "move the folder away if it lacks the columns of the condition"
        )


def _lines(certificate: Certificate) -> Iterator[str]:
    yield f"Certificate of erasure {certificate.id}"
    yield f"  {certificate.table} where {certificate.predicate}"
    yield f"  by {certificate.by} at {certificate.at.isoformat(timespec='seconds')}: {counted(certificate.rows, 'row')}"
    for each in certificate.erased:
        yield (
            f"  {each.place} {each.table}: {counted(each.rows, 'row')}, {counted(each.files_rewritten, 'file')} rewritten, "
            f"{counted(each.files_vacuumed, 'file')} of older versions removed, version {each.version}"
        )
    values, columns = (
        counted(certificate.history_results, "observed value"),
        counted(certificate.history_metrics, "column"),
    )
    yield f"  history: {values} forgotten, metrics of {columns}"
    if certificate.gold_to_materialize:
        yield f"  to materialize again, since computed from the rows: {', '.join(certificate.gold_to_materialize)}"
    yield "Not erased here:"
    if certificate.inputs:
        yield f"  the inputs that held the rows: {', '.join(certificate.inputs)}"
    if certificate.unreadable_lines:
        yield f"  {counted(certificate.unreadable_lines, 'line')} of bronze and quarantine that cannot be parsed: search them yourself"
    if certificate.not_judged:
        yield f"  tables that are no longer in YAML, which were not searched: {', '.join(certificate.not_judged)}"
    runs = f" (runs {', '.join(certificate.dagster_runs)})" if certificate.dagster_runs else ""
    yield f"  samples of rows in Dagster's check and materialization events: delete these runs in Dagster{runs}"
