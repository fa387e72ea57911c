"""Reads the current status of tables: their latest verdicts, inputs that are set aside, and open refused rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from dq_pipelines.config.counting import counted
from dq_pipelines.errors import PublishError
from dq_pipelines.history.queries.table_status import TableStatus, latest_status, latest_statuses
from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.lake.skipped_inputs import read_skipped_inputs, tables_with_skipped_inputs
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.bronze.skipped_inputs import INPUTS_READABLE, as_result
from dq_pipelines.pipeline.quarantine.quarantine_summary import QuarantineSummary, summarize_quarantine
from dq_pipelines.pipeline.runtime.stores import Stores


def lost_history(lake: Lake, tables: Collection[str], statuses: Collection[TableStatus]) -> str:
    """One sentence with the remedy if the history has no verdict but some of these tables are published; else "".

    `tables` are keys such as `silver/orders`; `statuses` are all their statuses in the history. Raises PublishError when
    the lake fails.
    """
    if any(each.verdicts for each in statuses):
        return ""
    published = [key for key in tables if lake.table(key).exists]
    if not published:
        return ""
    return (
        f"the history is empty, though the lake holds {counted(len(published), 'published table')} ({published[0]}, say): "
        "its verdicts are lost; dq doctor --repair recovers those that commits hold"
    )


def skipped_inputs_now(lake: Lake) -> dict[str, ResultRecord]:
    """The inputs that are set aside, by silver table: they change between verdicts. Raises PublishError when the lake fails."""
    return {
        f"silver/{name}": as_result(list(read_skipped_inputs(lake, name).values()))
        for name in tables_with_skipped_inputs(lake)
    }


def quarantine_now(lake: Lake, table: str) -> QuarantineSummary:
    """The refused rows of a table; `is_known` is False where the lake cannot be read."""
    try:
        return summarize_quarantine(lake, table)
    except PublishError:
        return QuarantineSummary(table, is_known=False)


def with_current_state(
    table: TableStatus, aside: Mapping[str, ResultRecord], quarantine: QuarantineSummary | None
) -> TableStatus:
    """The status with the inputs that are set aside now, and the refused rows that are open now."""
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


def table_status_now(stores: Stores, table: str) -> TableStatus | None:
    """The current status of one table; None before its first attempt. Raises PublishError when the lake fails."""
    latest = latest_status(stores.history, table) if stores.history.is_begun else None
    return latest and with_current_state(latest, skipped_inputs_now(stores.lake), quarantine_now(stores.lake, table))


def table_statuses_now(
    stores: Stores, aside: Mapping[str, ResultRecord], tables: Collection[str] | None = None
) -> list[TableStatus]:
    """The current statuses of `tables`, or of every table with an attempt; `aside` are the inputs that are set aside."""
    every = latest_statuses(stores.history) if stores.history.is_begun else []
    return [
        with_current_state(one, aside, quarantine_now(stores.lake, one.table))
        for one in every
        if tables is None or one.table in tables
    ]
