"""Checks that each published batch has its verdict in the history, and each verdict of a published batch its commit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from dq_pipelines.config.counting import counted
from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.errors import DqError
from dq_pipelines.lake.ledger import batches_in
from dq_pipelines.pipeline.runtime.verdict_recovery import missing_verdicts, recover_verdicts
from dq_pipelines.project import Table

#: How many verdicts of a table are compared with its commits, the newest first.
_VERDICTS = 1_000


def examine(installation: Installation) -> Iterator[Finding]:
    history = installation.stores.history
    for table in installation.tables:
        if not installation.readable(table.key):
            continue
        try:
            missed = missing_verdicts(installation.stores.lake, table.key, history, every=True)
            if missed:
                said = (
                    f"history lacks the verdicts on {counted(len(missed), 'published batch')} ({missed[0].batch}, say)"
                )
                remedy = f"the next run of {table.name} records those of its last commits, dq doctor --repair all"
                yield Finding("error", table.key, said, remedy, partial(_recorded, installation, table, len(missed)))
            yield from _without_commit(installation, table)
        except DqError:  # the history cannot be read: `history` reports it
            return


def _recorded(installation: Installation, table: Table, count: int) -> str:
    recover_verdicts(installation.stores.lake, table.key, installation.stores.history, every=True)
    return f"recorded the {counted(count, 'verdict')} that its commits hold"


def _without_commit(installation: Installation, table: Table) -> Iterator[Finding]:
    """Verdicts on published batches that silver's log has never named; a restore removes entries, but the log still has them."""
    if table.is_gold or not installation.stores.history.is_begun:
        return
    noted = set(batches_in(installation.stores.lake.table(table.key).snapshot().entries))
    verdicts = installation.stores.history.of_table(table.key, _VERDICTS)
    # Batches judged together, and reruns, have their own ids, which no ledger has.
    published = [v.batch for v in verdicts if v.batch.startswith("b-") and not v.blocked and not v.replaces]
    strange = [batch for batch in published if batch not in noted]
    if strange:
        said = f"history has verdicts on {counted(len(strange), 'published batch')} that its log does not know ({strange[0]}, say)"
        remedy = f"put the table back from a copy, or run {table.name}: what bronze still has of them is judged again"
        yield Finding("error", table.key, said, remedy)
