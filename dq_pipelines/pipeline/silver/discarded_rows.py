"""Landed rows that were judged once, by today's types and steps: which of them the rules keep that discard rows, and which not.

What becomes of a row may hang on the other rows of its batch; then each batch is judged by itself, as a run does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.engine.backends.base import StagingScan
from dq_pipelines.engine.backends.registry import staging_backend
from dq_pipelines.engine.judge import judge
from dq_pipelines.engine.results.samples import Samples
from dq_pipelines.errors import RuleError
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.pipeline.bronze.landed import BATCH
from dq_pipelines.pipeline.preparation.preparation import hangs_on_others, misread, prepare, rules_of
from dq_pipelines.pipeline.quarantine.provenance import PROVENANCE_COLUMNS, missing_provenance
from dq_pipelines.pipeline.quarantine.refused_rows import PLACE
from dq_pipelines.pipeline.runtime.table_run import TableRun, must_be_judged
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.on_rows import RowRule
from dq_pipelines.transforms.steps import OPAQUE, Deduplicate


def kept(
    run: TableRun,
    rows: pl.LazyFrame,
    keys: pl.LazyFrame | None = None,
    columns: Iterable[str] | None = None,
    rows_of: Callable[[str], pl.LazyFrame] | None = None,
) -> pl.LazyFrame:
    """What is kept of landed `rows`, as silver has them, with `PROVENANCE_COLUMNS`; of the others nobody asks whether they are refused.

    `rows_of` gives those of one batch, where that is quicker than to look for them among all.
    Where `keys` or `columns` are given, other rows and columns may be left out. Raises RuleError where a step of the table
    does not give on where its rows came from.
    """
    silver = run.table.landed.silver
    if not hangs_on_others(silver, _discarding(silver.rules)):
        return _scan(run, rows).kept

    def wanted(scan: StagingScan) -> pl.LazyFrame:
        kept_rows = scan.kept if keys is None else scan.kept.join(keys, on=exact_names(silver.keys), how="semi")
        names = scan.columns if columns is None else [name for name in scan.columns if name in set(columns)]
        return kept_rows.select(exact_names(dict.fromkeys([*names, *PROVENANCE_COLUMNS])))

    return _by_batch(run, rows, _holding(run, rows, keys), wanted, rows_of).lazy()


def discarded(run: TableRun, rows: pl.LazyFrame) -> pl.DataFrame:
    """The places of those landed `rows` that a rule with `on_failure: drop` discards; errors as of `kept`."""
    return _by_batch(run, rows, rows, lambda scan: scan.dropped.select(PLACE)).select(PLACE)


def _discarding(rules: Iterable[Rule]) -> list[Rule]:
    return [rule for rule in rules if isinstance(rule, RowRule) and rule.action == "drop"]


def _scan(run: TableRun, rows: pl.LazyFrame) -> StagingScan:
    silver = run.table.landed.silver
    prepared = prepare(silver, rows)
    if what_is_missing := missing_provenance(run.table.key, prepared.rows.collect_schema()):
        raise RuleError(
            f"{what_is_missing}, so that nobody can tell where its rows came from: let the step give them on"
        )
    rules = _discarding(rules_of(silver, prepared))
    return staging_backend().scan(
        prepared.rows, rules, lookup=run.published, hidden=prepared.hidden, misread=misread(silver, prepared)
    )


def _holding(run: TableRun, rows: pl.LazyFrame, keys: pl.LazyFrame | None) -> pl.LazyFrame:
    """Rows of all batches that may hold these keys."""
    silver = run.table.landed.silver
    if keys is None or any(isinstance(step, OPAQUE) for step in silver.transform):
        return rows
    steps = tuple(step for step in silver.transform if not isinstance(step, Deduplicate))
    every = prepare(silver.model_copy(update={"transform": steps}), rows).rows
    return every.join(keys, on=exact_names(silver.keys), how="semi")


def _by_batch(
    run: TableRun,
    rows: pl.LazyFrame,
    some: pl.LazyFrame,
    wanted: Callable[[StagingScan], pl.LazyFrame],
    rows_of: Callable[[str], pl.LazyFrame] | None = None,
) -> pl.DataFrame:
    """What is `wanted` of the scan of each batch that `some` are of, with the partition of the batch."""
    batch = [BATCH, PARTITION] if PARTITION in rows.collect_schema() else [BATCH]
    frames = []
    for name, *partition in some.select(batch).unique().sort(batch).collect(engine="streaming").rows():
        own = rows.filter(pl.col(BATCH) == name) if rows_of is None else rows_of(name)
        each = _judged(run, _scan(run, own), wanted)
        frames.append(each.with_columns(pl.lit(value, pl.String).alias(PARTITION) for value in partition))
    return pl.concat(frames, how="diagonal_relaxed") if frames else wanted(_scan(run, rows.head(0))).collect()


def _judged(run: TableRun, scan: StagingScan, wanted: Callable[[StagingScan], pl.LazyFrame]) -> pl.DataFrame:
    with tempfile.TemporaryDirectory(prefix="dq-discarding-") as folder:
        path = Path(folder) / "rows.parquet"
        judgement = judge(scan, lambda scan: [wanted(scan).sink_parquet(path, lazy=True)], samples=Samples(most=0))
        must_be_judged(run.table.key, judgement)
        return pl.read_parquet(path)
