"""Checks before a step that no upstream table is blocked."""

from __future__ import annotations

from dq_pipelines.history.queries.table_status import latest_status
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.orchestration.steps.attempts import UpstreamBlocked
from dq_pipelines.project import Table


def must_have_passed(table: Table, history: History) -> None:
    """Raises UpstreamBlocked while a table that this one reads is blocked.

    A blocking check stops only its own run. The last verdict in history stops later runs.
    """
    for key in table.upstream:
        upstream = latest_status(history, key)
        for verdict in upstream.blocked if upstream else ():
            rules = ", ".join(result.check for result in verdict.results if result.blocks)
            which = f"{key} [{verdict.partition}]" if verdict.partition else key
            reason = f"the last batch of {which} was blocked by {rules} in run {verdict.run_id}"
            if verdict.is_recheck:
                reason = f"published rows of {which} fail {rules}, as run {verdict.run_id} found"
            raise UpstreamBlocked(f"{table.key} waits: {reason}", allow_retries=False)
