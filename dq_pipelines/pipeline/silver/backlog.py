"""The bronze batches that wait to be judged: those of their rows that count, with what people have mended in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from dq_pipelines.pipeline.bronze.landed import BATCH, bronze, inputs_of, of_last_snapshot
from dq_pipelines.pipeline.preparation.landed_columns import batches_of, landed_with
from dq_pipelines.pipeline.quarantine.corrections import corrected, corrections, mended_columns
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.sources import SOURCE

#: By bronze batch, what `_source` says there of inputs of which a later version counts.
Outdated = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Backlog:
    """Bronze batches that silver has not consumed, or that a rerun judges once more."""

    #: their ids, oldest first
    batches: tuple[str, ...] = ()
    #: the rows of them that count, with corrections; None where nothing waits
    rows: pl.LazyFrame | None = None
    #: by batch, the columns that it has landed with, or in which rows of it were mended
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)


def backlog_of(
    run: TableRun,
    batches: Sequence[str],
    landed: pl.LazyFrame,
    outdated: Outdated,
    mended: pl.DataFrame | None = None,
    *,
    something_lands: bool,
) -> Backlog:
    """What waits of these batches; `landed` are bronze's rows.

    `mended` are the corrections of the table, read here where None. `something_lands` says whether new inputs come with it.
    """
    if not batches:
        return Backlog()
    table = bronze(run.table, run.lake)
    rows = _counting(run, landed.filter(pl.col(BATCH).is_in(list(batches))), outdated, something_lands=something_lands)
    # Nothing has replaced all rows of a batch that is judged alone, but in a rerun, which asks nothing of it then.
    counting = list(batches) if len(batches) == 1 and not something_lands else batches_of(rows)
    columns = landed_with(table, rows, counting, run.partition)
    mended = corrections(run.quarantine) if mended is None else mended
    given = {batch: own | mended_columns(mended, batch) for batch, own in columns.items()}
    return Backlog(tuple(batches), corrected(rows, mended), given)


def _counting(run: TableRun, waiting: pl.LazyFrame, outdated: Outdated, *, something_lands: bool) -> pl.LazyFrame:
    """The waiting rows that no later version of their input has replaced, nor a later snapshot."""
    if run.table.landed.silver.mode == "overwrite":
        if something_lands:
            return waiting.filter(pl.lit(False))
        return waiting.filter(of_last_snapshot(bronze(run.table, run.lake), run.partition))
    if not any(outdated.values()):
        return waiting
    return waiting.join(inputs_of(outdated), on=[BATCH, SOURCE], how="anti", maintain_order="left")


def joint_id(batches: Sequence[str]) -> str:
    """The id of several bronze batches that are handled together."""
    if len(batches) == 1:
        return batches[0]
    return f"r-{hashlib.sha256(','.join(sorted(batches)).encode()).hexdigest()[:16]}"
