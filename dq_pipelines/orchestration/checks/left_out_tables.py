"""Shows tables with an invalid YAML file as failed assets: no run includes them, but every page gives the error.

`project.loading` finds these tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.attempts import Attempt
from dq_pipelines.orchestration.checks.rule_checks import asset_key
from dq_pipelines.project import LeftOut, Project
from dq_pipelines.rules.core.clock import now

#: The check of a table that is left out. It fails with the error of the file.
CHECK = "file_is_sound"


def with_left_out(statuses: Iterable[TableStatus], left_out: Iterable[LeftOut]) -> list[TableStatus]:
    """Returns the statuses of tables; those that are left out get the status `error`, whatever their verdicts were."""
    by_table = {status.table: status for status in statuses}
    for one in left_out:
        if one.key:
            before = by_table.get(one.key, TableStatus(one.key, ()))
            by_table[one.key] = replace(before, attempts=(*before.attempts, _attempt(one)))
    return [by_table[table] for table in sorted(by_table)]


def status_with_left_out(status: TableStatus | None, left_out: LeftOut | None) -> TableStatus | None:
    """Returns the status of one table: `error` where it is left out."""
    return status if left_out is None else next(iter(with_left_out([status] if status else [], [left_out])))


def left_out_assets(project: Project) -> list[dg.AssetSpec]:
    """Returns specs of assets that no run materializes, with the error as description."""
    return [
        dg.AssetSpec(
            asset_key(key),
            description=f"Left out: {one.why}",
            group_name=one.domain,
            metadata={"dq/error": one.why},
            tags={"dq/domain": one.domain, "dq/left_out": ""},
        )
        for one in project.left_out
        if one.key
        for key in _keys(one)
    ]


def left_out_checks(project: Project) -> list[dg.AssetChecksDefinition]:
    """Returns a check for each table that is left out. It fails with the error."""
    return [_check(one) for one in project.left_out if one.key]


def _check(one: LeftOut) -> dg.AssetChecksDefinition:
    description = "Whether the table's file is sound, and those of the tables that it reads"

    @dg.asset_check(asset=asset_key(one.key), name=CHECK, description=description)
    def file_is_sound() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, description=one.why, metadata={"dq/error": one.why})

    return file_is_sound


def _keys(one: LeftOut) -> Sequence[str]:
    if one.key.startswith("gold/"):
        return (one.key,)
    return (f"bronze/{one.name}", one.key, f"quarantine/{one.name}")


def _attempt(one: LeftOut) -> Attempt:
    """Returns a failed attempt that began when the file was last changed: until then, every attempt would fail."""
    try:
        since = datetime.fromtimestamp(Path(one.file).stat().st_mtime, UTC)
    except OSError:
        since = now()
    return Attempt(one.key, None, "", since, "failed", since, f"the table is left out: {one.why}")
