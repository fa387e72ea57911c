"""Says in sentences what a restore or an erasure would do, and what it did. Command line, jobs and pages share them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dq_pipelines.config.counting import counted
from dq_pipelines.lake.ledger import batches_in
from dq_pipelines.lake.time_travel import TableRestore
from dq_pipelines.pipeline.maintenance.certificates import Certificate
from dq_pipelines.pipeline.maintenance.erasure import preview_erasure
from dq_pipelines.pipeline.maintenance.erasure_plan import ErasureRequest
from dq_pipelines.pipeline.maintenance.restore import Recovery
from dq_pipelines.project import Table


def restore_lines(back: TableRestore) -> Iterator[str]:
    """What the restore of one table changes."""
    if not back.changes:
        yield f"{back.table.key} is already as of version {back.then.version}"
        return
    (version, target), (rows, rows_then), (leaving, coming) = back.versions, back.rows, back.files
    yield f"{back.table.key}: version {version} back to {target} of {back.at.isoformat(timespec='seconds')}"
    yield f"  rows {rows:,} -> {rows_then:,}; files: {leaving:,} removed, {coming:,} restored"
    lost, found = back.columns
    if lost or found:
        yield f"  columns removed: {', '.join(lost) or 'none'}; columns restored: {', '.join(found) or 'none'}"
    batches = batches_in(back.taken_back)
    if batches:
        more = f" and {len(batches) - 5} more" if len(batches) > 5 else ""
        yield f"  the next run judges these batches again: {', '.join(batches[:5])}{more}"


def recovery_lines(table: Table, planned: Sequence[Recovery]) -> Iterator[str]:
    """Which rows return from the backup, by layer."""
    if not planned:
        yield f"{table.key}: all backed up rows are already restored"
        return
    for each in planned:
        rows, now = each.count(), each.table.rows()
        line = f"{each.table.key}: {counted(rows, 'row')} to restore, rows {now:,} -> {now + rows:,}"
        if each.lost_columns:
            line += f"; columns that the table no longer has, left in the backup: {', '.join(each.lost_columns)}"
        yield line
    if (retention := table.landed.retention) is not None:
        yield f"these rows are older than {retention.keep}: the next retention deletes them again, unless `retention.keep` grows"


def erasure_lines(request: ErasureRequest, *, dry_run: bool) -> Iterator[str]:
    """How many rows are erased from each table, and which tables are not searched. It reads the tables."""
    for place, key, rows in preview_erasure(request):
        yield f"{place} {key}: {counted(rows, 'row')} {'would go' if dry_run else 'to erase'}"
    yield from not_searched_lines(request)


def not_searched_lines(request: ErasureRequest) -> Iterator[str]:
    """What to do about each table that is no longer in YAML and may hold the same rows."""
    for name, uri in request.not_judged().items():
        yield (
            f"{name}: the table is no longer in YAML, and {uri} was not searched: add --also {name.rpartition('/')[2]}, or "
            "move the folder away if it lacks the columns of the condition"
        )


def certificate_lines(certificate: Certificate, predicate: str) -> Iterator[str]:
    """What an erasure removed, and what it cannot reach."""
    yield f"Certificate of erasure {certificate.id}"
    yield f"  {certificate.table} where {predicate}"
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
