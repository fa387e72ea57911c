"""Turns expected errors of a step into a Dagster failure: one sentence, what was published, and whether to retry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import dagster as dg

from dq_pipelines.errors import DqError, SetAside, SourceError, Unreached
from dq_pipelines.pipeline.runtime.missing_files import explain_error, tables_read
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Table


@contextmanager
def step_failures(stores: Stores, table: Table, partition: str | None, run_id: str) -> Iterator[None]:
    """Raises `dg.Failure` without a traceback for errors of ours, and for errors that damage in the lake explains."""
    try:
        yield
    except BaseException as error:
        explained = explain_error(error, stores.lake, tables_read(table))
        if explained is None:
            raise
        # A retry helps only where the outside world may have recovered. It does not read skipped inputs again.
        again = isinstance(explained, SourceError | Unreached) and not isinstance(explained, SetAside)
        published = "" if explained is error else f"; {_published_so_far(stores, table, partition, run_id)}"
        raise dg.Failure(f"{explained}{published}", allow_retries=again) from None


def _published_so_far(stores: Stores, table: Table, partition: str | None, run_id: str) -> str:
    """Says which batches this run has published of the table or partition: damage may appear before or after a commit."""
    with suppress(DqError):
        verdicts = stores.history.of_run(run_id)
        about = (table.key, partition)
        batches = [v.batch for v in verdicts if (v.table, v.partition) == about and v.batch and not v.blocked]
        return f"batch {', '.join(batches)} was published before that" if batches else "nothing was published"
    return "history cannot be read, so it is unknown whether anything was published"
