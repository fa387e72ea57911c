"""Rules that an engine has no way to run over these columns, found before any row is read: by a trial on no rows."""

from __future__ import annotations

from dataclasses import replace

from dq_pipelines.engine.backends.sql.query_engine import first_line
from dq_pipelines.engine.backends.sql.scan import SqlScan
from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.dialect import Unsupported


def validated(scan: SqlScan) -> SqlScan:
    """The scan, in which the rules that the engine cannot run are left to another backend."""
    if _refusal(scan) is None:
        return scan
    candidates = [item.index for item in scan.plan.planned if item.error is None and item.lacking is None]
    refusals = {index: _refusal(scan.only([index])) for index in candidates}
    return replace(scan, plan=scan.plan.lacks({index: why for index, why in refusals.items() if why is not None}))


def _refusal(scan: SqlScan) -> str | None:
    """What the engine says against the plan, tried on no rows; None when it runs it."""
    empty = replace(scan, frame=scan.frame.head(0))
    refusals: tuple[type[Exception], ...] = (*scan.backend.errors, RuleError, Unsupported, NotImplementedError)
    try:
        measured = empty.with_measures()
        for frame in (measured.numbers(), measured.marked_frame(), *measured.small_frames().values()):
            scan.backend.try_out(frame)
    except refusals as error:
        return first_line(error)
    return None
