"""Checks whether bronze, quarantine and silver of a table agree on the consumed batches, and lists unjudged ones."""

from __future__ import annotations

from collections.abc import Iterator

from dq_pipelines.config.counting import counted
from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.errors import PublishError
from dq_pipelines.pipeline.bronze.landed import pending_batches
from dq_pipelines.pipeline.bronze.ledger_agreement import must_agree


def examine(installation: Installation) -> Iterator[Finding]:
    for table in installation.landed:
        if not installation.readable(*table.keys):
            continue
        work = installation.work(table)
        try:
            must_agree(work)
        except PublishError as error:
            place, _, said = str(error).partition(": ")
            said, _, remedy = said.partition("; nothing was done; ")
            yield Finding("error", place, said, remedy)
            continue
        waiting = pending_batches(table, installation.stores.lake, work.silver)
        if waiting:
            said = (
                f"{counted(len(waiting), 'batch')} landed, but not judged yet or blocked by a rule ({waiting[0]}, say)"
            )
            yield Finding("info", f"bronze/{table.name}", said, f"run {table.name}; dq report says what blocks a batch")
