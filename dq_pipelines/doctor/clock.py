"""Finds records with times in the future: the clock was set back, or another machine's clock is ahead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.errors import DqError
from dq_pipelines.pipeline.bronze.landed import last_landed

#: The clock skew that is allowed between machines.
_TOLERANCE = timedelta(minutes=5)


def examine(installation: Installation) -> Iterator[Finding]:
    latest = installation.now + _TOLERANCE
    remedy = "set the clock right (chronyc tracking, timedatectl): until then later rows are kept later by counting on"
    for table in installation.tables:
        for key in table.keys:
            if (at := _newest(installation, key)) is not None and at > latest:
                yield Finding(
                    "warning", key, f"its last commit is of {at:%Y-%m-%d %H:%M}, which is in the future", remedy
                )
        if not table.is_gold and installation.readable(f"bronze/{table.name}"):
            at = last_landed(installation.stores.lake.table(f"bronze/{table.name}"))
            if at is not None and at > latest:
                said = f"its last batch landed at {at:%Y-%m-%d %H:%M}, which is in the future"
                yield Finding("warning", f"bronze/{table.name}", said, remedy)
        if (at := _judged(installation, table.key)) is not None and at > latest:
            said = f"its last verdict is of {at:%Y-%m-%d %H:%M}, which is in the future"
            yield Finding("warning", f"history of {table.key}", said, remedy)


def _newest(installation: Installation, key: str) -> datetime | None:
    if not installation.readable(key):
        return None
    newest = next(installation.stores.lake.table(key).snapshot().history(1), None)
    return None if newest is None else newest.at


def _judged(installation: Installation, key: str) -> datetime | None:
    if not installation.stores.history.is_begun:
        return None
    try:
        last = installation.stores.history.latest(key)
    except DqError:
        return None
    return last.started_at if last else None
