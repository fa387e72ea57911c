"""How a step fails: in one sentence, with what it had published by then, and whether Dagster is to try again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import dagster as dg

from dq_pipelines.errors import DqError, SetAside, SourceError, Unreached
from dq_pipelines.pipeline.runtime.missing_files import in_a_sentence, tables_read
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Table


@contextmanager
def failing_in_a_sentence(stores: Stores, table: Table, partition: str | None, run_id: str) -> Iterator[None]:
    """Say what is said on purpose, or what the lake's damage explains, as the step's failure, without a trace."""
    try:
        yield
    except BaseException as error:
        said = in_a_sentence(error, stores.lake, tables_read(table))
        if said is None:
            raise
        # Only the outside world may have mended itself by the next try; what was set aside is not even looked at then.
        again = isinstance(said, SourceError | Unreached) and not isinstance(said, SetAside)
        published = "" if said is error else f"; {_published_so_far(stores, table, partition, run_id)}"
        raise dg.Failure(f"{said}{published}", allow_retries=again) from None


def _published_so_far(stores: Stores, table: Table, partition: str | None, run_id: str) -> str:
    """What this run has published of the table, or of the partition; damage may be met before a commit and after it."""
    with suppress(DqError):
        verdicts = stores.history.of_run(run_id)
        about = (table.key, partition)
        batches = [v.batch for v in verdicts if (v.table, v.partition) == about and v.batch and not v.blocked]
        return f"batch {', '.join(batches)} was published before that" if batches else "nothing was published"
    return "whether anything was published, history does not tell just now"
