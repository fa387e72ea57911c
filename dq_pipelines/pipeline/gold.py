"""Computes gold tables: runs a query or function over published tables, judges the rows, and replaces the published ones."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from dq_pipelines.config.counting import counted
from dq_pipelines.engine.backends.base import StagingScan
from dq_pipelines.engine.backends.registry import staging_backend
from dq_pipelines.engine.gold.function import function_to_parquet
from dq_pipelines.engine.gold.sql import query_to_parquet
from dq_pipelines.engine.judge import Judgement, judge
from dq_pipelines.errors import RuleError
from dq_pipelines.lake.ledger import consumption
from dq_pipelines.lake.publish import publish
from dq_pipelines.lake.staging import Stage
from dq_pipelines.pipeline.bronze.landed import BATCH, INGESTED_AT
from dq_pipelines.pipeline.quarantine.refused_rows import refused_rows
from dq_pipelines.pipeline.runtime.batch_metrics import MetricsCollector
from dq_pipelines.pipeline.runtime.outcome import Counts, Outcome, elapsed
from dq_pipelines.pipeline.runtime.progress import JUDGE, PUBLISH, QUARANTINE, QUERY
from dq_pipelines.pipeline.runtime.retry import with_retries
from dq_pipelines.pipeline.runtime.table_run import PREVIEW_ROWS, TableRun, reading, staged, with_table_lock
from dq_pipelines.pipeline.runtime.verdict_recovery import verdict_metadata
from dq_pipelines.pipeline.silver.self_references import SelfReferences
from dq_pipelines.project import Gold
from dq_pipelines.sources import ROW, SOURCE


@with_table_lock
@with_retries
def compute(work: TableRun) -> Outcome:
    """Compute the gold table, judge it, and replace the published one, or block.

    Refused rows go to `quarantine/<table>`, which each computation replaces too. Raises RuleError when an input is not
    published, or the query or function fails.
    """
    with tempfile.TemporaryDirectory(prefix="dq-gold-") as folder:
        rows = _rows(work, work.table.gold, Path(folder))
        return _judged(work, rows)


def _rows(work: TableRun, gold: Gold, folder: Path) -> pl.LazyFrame:
    """The rows of the query or function, computed once and written to a file in `folder`."""
    work.progress.stage(QUERY)
    target = folder / "rows.parquet"
    if gold.sql is not None:
        inputs = {key: work.lake.table(key).snapshot() for key in work.table.inputs}
        missing = [key for key, table in inputs.items() if not table.exists]
        if missing:
            raise RuleError(f"{work.table.key} reads {missing[0]}, which is not published yet: materialize it first")
        relations = {key: table.relation() for key, table in inputs.items()}
        query_to_parquet(gold.sql, relations, target, work.progress.share)
    else:
        frames = {key.partition("/")[2]: work.published(key) for key in work.table.inputs}
        try:
            with reading(work, "to compute its rows"):
                function_to_parquet(str(gold.python), frames, target)
        except RuleError as error:
            raise RuleError(f"{work.table.key}: {error}") from None
    return pl.scan_parquet(target)


def _judged(work: TableRun, rows: pl.LazyFrame) -> Outcome:
    batch = f"g-{hashlib.sha256(work.now.isoformat().encode()).hexdigest()[:16]}"
    kept, refused = work.stage(work.lake.table(work.table.key), batch), work.stage(work.quarantine, batch)
    columns, measured = rows.collect_schema().names(), MetricsCollector(work.table)
    computing = work.meter.lap()

    def sinks(scan: StagingScan) -> Sequence[pl.LazyFrame]:
        return [kept.sink(scan.kept), refused.sink(refused_rows(_with_provenance(scan.refused, batch, work), columns))]

    def judged_with(parents: pl.LazyFrame | None) -> Judgement:
        def lookup(key: str) -> pl.LazyFrame:
            return parents if key == work.table.key and parents is not None else work.published(key)

        scan = staging_backend().scan(rows, work.table.rules, lookup=lookup)
        return judge(scan, sinks, measured, observer=work.progress)

    work.progress.stage(JUDGE, rows.select(pl.len()).collect().item())
    with staged(kept, refused, claim=work.claim):
        with reading(work, "to compute and judge its rows"):
            judgement = SelfReferences.of(work.table.key, work.table.rules).settled(
                judged_with, lambda _: rows, lambda: rows, lambda _: (kept.scan(),)
            )
        outcome = replace(
            _outcome(work, batch, judgement, kept, refused),
            metrics=measured.batch(judgement, kept, work, computing, None),
        )
        if outcome.blocked_by:
            return outcome
        done = []
        if refused.rows or work.quarantine.exists:
            work.progress.stage(QUARANTINE)
            work.may_commit()
            refused.tidy()
            done.append(publish(refused, "overwrite", consumption([batch])))
        work.progress.stage(PUBLISH)
        work.may_commit()
        kept.tidy()
        done.append(publish(kept, "overwrite", consumption([batch]), metadata=verdict_metadata(work, outcome)))
        work.log(f"published {counted(kept.rows, 'row')} to {work.table.key}")
        return outcome.committed(done, work.meter.lap())


def _with_provenance(refused: pl.LazyFrame, batch: str, work: TableRun) -> pl.LazyFrame:
    """Refused rows with provenance: the table's inputs as source, and row numbers in their order."""
    source = pl.lit(", ".join(work.table.inputs))
    return refused.with_row_index(ROW, offset=1).with_columns(
        source.alias(SOURCE), pl.lit(batch).alias(BATCH), pl.lit(work.now).dt.cast_time_unit("us").alias(INGESTED_AT)
    )


def _outcome(work: TableRun, batch: str, judgement: Judgement, kept: Stage, refused: Stage) -> Outcome:
    counts = Counts(
        rows_in=judgement.rows, published=kept.rows, refused=refused.rows, dropped_by_rules=judgement.dropped
    )
    return Outcome(
        table=work.table.key,
        batch=batch,
        results=judgement.results,
        counts=counts,
        started_at=work.now,
        partition=work.partition,
        schema=dict(kept.schema),
        preview=kept.scan().head(PREVIEW_ROWS).collect(),
        seconds=elapsed(work.now),
        replaces=True,
    )
