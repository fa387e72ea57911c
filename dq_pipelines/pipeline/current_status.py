"""Where tables stand just now: their latest verdicts, and what has changed in the lake since.

Which verdicts count, and what status follows from them, belongs in `history.queries.table_status`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from dq_pipelines.config.counting import counted
from dq_pipelines.errors import PublishError
from dq_pipelines.history.queries.table_status import TableStatus, latest_status, latest_statuses
from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.lake.skipped_inputs import asides, tables_with_asides
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.bronze.skipped_inputs import INPUTS_READABLE, as_result
from dq_pipelines.pipeline.quarantine.quarantine_summary import Quarantine, waiting
from dq_pipelines.pipeline.runtime.stores import Stores


def lost_history(lake: Lake, tables: Collection[str], standings: Collection[TableStatus]) -> str:
    """One sentence, with the remedy, where the history has no verdict though some of these tables are published; else "".

    `tables` are keys such as `silver/orders`, `standings` is all that the history has of them. Raises PublishError when the lake fails.
    """
    if any(each.verdicts for each in standings):
        return ""
    published = [key for key in tables if lake.table(key).exists]
    if not published:
        return ""
    return (
        f"the history is empty, though the lake holds {counted(len(published), 'published table')} ({published[0]}, say): "
        "its verdicts are lost; dq doctor --repair recovers those that commits hold"
    )


def asides_now(lake: Lake) -> dict[str, ResultRecord]:
    """By silver table, which inputs stand aside: it changes between verdicts. Raises PublishError when the lake fails."""
    return {f"silver/{name}": as_result(list(asides(lake, name).values())) for name in tables_with_asides(lake)}


def quarantine_now(lake: Lake, table: str) -> Quarantine:
    """What waits of a table's refused rows; not known where the lake does not answer."""
    try:
        return waiting(lake, table)
    except PublishError:
        return Quarantine(table, is_known=False)


def as_of_now(table: TableStatus, aside: Mapping[str, ResultRecord], quarantine: Quarantine | None) -> TableStatus:
    """The standing with the inputs that stand aside now, and the refused rows that are open now."""
    now = (aside[table.table],) if table.table in aside else ()
    verdicts = [
        replace(verdict, results=tuple(r for r in verdict.results if r.check != INPUTS_READABLE))
        for verdict in table.verdicts
    ]
    if verdicts:
        verdicts[-1] = replace(verdicts[-1], results=(*verdicts[-1].results, *now))
    if quarantine is None or not quarantine.is_known:
        return replace(table, verdicts=tuple(verdicts), open=None, open_rows=None)
    return replace(table, verdicts=tuple(verdicts), open=quarantine.open_rows, open_rows=quarantine.open)


def standing_now(stores: Stores, table: str) -> TableStatus | None:
    """Where one table stands now; None before its first attempt. Raises PublishError when the lake fails."""
    latest = latest_status(stores.history, table) if stores.history.is_begun else None
    return latest and as_of_now(latest, asides_now(stores.lake), quarantine_now(stores.lake, table))


def standings_now(
    stores: Stores, aside: Mapping[str, ResultRecord], tables: Collection[str] | None = None
) -> list[TableStatus]:
    """The same of every table that was ever tried, or of some, with the inputs that stand aside."""
    every = latest_statuses(stores.history) if stores.history.is_begun else []
    return [
        as_of_now(one, aside, quarantine_now(stores.lake, one.table))
        for one in every
        if tables is None or one.table in tables
    ]
