"""Work on a table's refused rows in this process: what takes a moment and needs no run."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project import Table
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.problem_details import ApiError

#: Seconds that a request waits at most while a run works on the table.
PATIENCE = 20.0
#: Ids that a line of the audit log names; of more it says the number.
_NAMED = 20


def work_on(behind: Backend, table: Table, seconds: float = PATIENCE) -> TableRun:
    """This process's work on a table. It raises ApiError (409) and changes nothing where it gets no turn in time."""
    until = time.monotonic() + seconds

    def may_commit() -> None:
        if time.monotonic() > until:
            wanted = f"wanted to change its refused rows within {seconds:g} seconds, got no turn"
            raise ApiError(409, f"{table.key}: {wanted}, since a run works on the table; try again when it has ended")

    return TableRun(table, behind.site.stores.lake, may_commit=may_commit)


def landed(table: Table) -> Table:
    """The table; raises ApiError (422) for a computed one, whose refused rows each run replaces."""
    if table.is_gold:
        raise ApiError(422, f"{table.key} is computed: correct its inputs or its rules, and materialize it again")
    return table


def audited(chosen: RefusedRowFilter) -> dict[str, Any]:
    """The selection of rows as the audit log has it."""
    told: dict[str, Any] = {
        name: value for name in ("rule", "column", "batch") if (value := getattr(chosen, name)) is not None
    }
    return told | _ids(chosen.ids)


def _ids(ids: Collection[str] | None) -> dict[str, Any]:
    if ids is None:
        return {}
    return {"ids": list(ids)} if len(ids) <= _NAMED else {"number_of_ids": len(ids)}
