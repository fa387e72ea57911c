"""Leaves out rows that have landed before, where a source looks back for rows that came late.

Rows are the same if all columns are that bronze has, too. Of rows that the source has several times, as many are left out as bronze has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import polars as pl

from dq_pipelines.sources.frames import from_batches

_COUNT, _NUMBER = "_count", "_number"


def without_landed(
    rows: pl.LazyFrame, landed: pl.LazyFrame, overlap: pl.Expr, columns: Collection[str]
) -> pl.LazyFrame:
    """The rows, in their order, without those that `overlap` holds of and that `landed` has as often.

    `columns` are those that are compared. The rows of `landed` of which `overlap` holds lie in memory.
    """
    schema = rows.collect_schema()
    compared = [name for name in columns if name in schema]

    def batches(_: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        before = landed.filter(overlap).select(compared).collect(engine="streaming")
        left = before.group_by(compared).len(_COUNT)
        for batch in rows.collect_batches(engine="streaming", maintain_order=True):
            again = batch.select(overlap.fill_null(True)).to_series()
            if not left.height or not again.any():
                yield batch
                continue
            kept, left = _compared(batch.filter(again), left, compared)
            yield pl.concat([kept, batch.filter(~again)])

    return from_batches(schema, batches)


def _compared(rows: pl.DataFrame, left: pl.DataFrame, compared: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that are none of the others, and how often each of the others is left."""
    numbered = rows.with_columns(pl.int_range(pl.len()).over(compared).alias(_NUMBER))
    known = numbered.join(left, on=compared, how="left", nulls_equal=True, maintain_order="left")
    kept = known.filter((pl.col(_NUMBER) >= pl.col(_COUNT)).fill_null(True)).select(rows.columns)
    seen = rows.group_by(compared).len("_seen")
    after = left.join(seen, on=compared, how="left", nulls_equal=True)
    return kept, after.with_columns(pl.col(_COUNT) - pl.col("_seen").fill_null(0)).filter(pl.col(_COUNT) > 0).drop(
        "_seen"
    )
