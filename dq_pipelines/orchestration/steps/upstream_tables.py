"""Whether the tables that a table reads let it start. How an attempt that waits is remembered belongs in `attempts`."""

from __future__ import annotations

from dq_pipelines.history.queries.table_status import latest_status
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.orchestration.steps.attempts import Waits
from dq_pipelines.project import Table


def must_have_passed(table: Table, history: History) -> None:
    """Raise Waits while a table that this one reads is blocked.

    A blocking check stops only the run that it is in; the last verdict stops the others.
    """
    for key in table.upstream:
        upstream = latest_status(history, key)
        for verdict in upstream.blocked if upstream else ():
            rules = ", ".join(result.check for result in verdict.results if result.blocks)
            which = f"{key} [{verdict.partition}]" if verdict.partition else key
            said = f"the last batch of {which} was blocked by {rules} in run {verdict.run_id}"
            if verdict.is_recheck:
                said = f"published rows of {which} fail {rules}, as run {verdict.run_id} found"
            raise Waits(f"{table.key} waits: {said}", allow_retries=False)
