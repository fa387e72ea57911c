"""Tables whose files are not sound: in no run, but on every page, with the sentence that says why.

Which they are is found out by `project.loading`.
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

#: The check of a table that is left out: whoever executes it is told why.
CHECK = "file_is_sound"


def with_left_out(stands: Iterable[TableStatus], left_out: Iterable[LeftOut]) -> list[TableStatus]:
    """Where tables stand, where those that are left out have the status `error`, whatever was judged before."""
    found = {one.table: one for one in stands}
    for one in left_out:
        if one.key:
            before = found.get(one.key, TableStatus(one.key, ()))
            found[one.key] = replace(before, attempts=(*before.attempts, _attempt(one)))
    return [found[table] for table in sorted(found)]


def standing_of(stands: TableStatus | None, left_out: LeftOut | None) -> TableStatus | None:
    """The same of one table."""
    return stands if left_out is None else next(iter(with_left_out([stands] if stands else [], [left_out])))


def left_out_assets(project: Project) -> list[dg.AssetSpec]:
    """What Dagster shows of them: assets that nothing materializes, with the sentence."""
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
    """For each of them a check that fails with the sentence."""
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
    """Since its file is as it is, every attempt would fail."""
    try:
        since = datetime.fromtimestamp(Path(one.file).stat().st_mtime, UTC)
    except OSError:
        since = now()
    return Attempt(one.key, None, "", since, "failed", since, f"the table is left out: {one.why}")
