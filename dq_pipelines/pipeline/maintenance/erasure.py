"""Erases rows that match a predicate from every layer, every version, the backup and the history.

Bronze and quarantine hold text. The predicate is applied to cells cast to silver's types, and to the text of cells that do
not fit. The certificate lists what an erasure cannot reach: the inputs that landed and Dagster's events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.config.counting import counted
from dq_pipelines.engine.results.reasons import as_text
from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.history.value_erasure import forget
from dq_pipelines.lake.compaction import forget_versions
from dq_pipelines.lake.ledger import transactions
from dq_pipelines.lake.rewrite import Removal
from dq_pipelines.lake.skipped_inputs import write_skipped_inputs
from dq_pipelines.lake.table_lock import Claim, claimed, staged
from dq_pipelines.monitoring.metrics.measurement import is_number, number
from dq_pipelines.monitoring.metrics.state import ColumnState
from dq_pipelines.pipeline.bronze.batch import UNREADABLE
from dq_pipelines.pipeline.bronze.input_identity import Names
from dq_pipelines.pipeline.maintenance.certificates import Certificate, RowRanges, TableErasure, row_ranges
from dq_pipelines.pipeline.maintenance.erasure_plan import ErasureRequest
from dq_pipelines.pipeline.runtime.table_run import TableRun, with_table_lock
from dq_pipelines.sources import ROW, SOURCE

#: At most so many erased rows are searched for in the history: enough for one person's rows.
_MOST_VALUES = 100_000


def preview_erasure(request: ErasureRequest) -> list[tuple[str, str, int]]:
    """What would be erased: `lake` or `backup`, table and rows. Writes nothing. Raises ConfigError for an invalid predicate."""
    return [(place, removal.key, removal.rows) for place, removal in request.removals()]


def erase(request: ErasureRequest, history: History, by: str) -> Certificate:
    """Remove the rows, all earlier versions of their tables, and their values in the history.

    Readers of an earlier version of these tables fail. If the process is killed, run the erasure again.
    """

    def run(work: TableRun) -> Certificate:
        with ExitStack() as held:
            claims = {"backup": held.enter_context(claimed(request.backups, work.table.name))}
            for table in request.gold:
                claims[table.name] = held.enter_context(claimed(work.lake, table.name))
            for name in request.also:
                claims[name] = held.enter_context(claimed(work.lake, name))
                claims[f"backup {name}"] = held.enter_context(claimed(request.backups, name))
            return _erased(replace(request, work=work), claims, history, by)

    return with_table_lock(run)(request.work)


def _erased(request: ErasureRequest, claims: dict[str, Claim], history: History, by: str) -> Certificate:
    work, removals = request.work, request.removals()
    tables = [work.table.key, *(table.key for table in request.gold)]
    holds, mentions, landed = _value_test(request, removals), _mention_test(_numbers(removals)), _landed(removals)
    erased = []
    for place, removal in removals:
        name = removal.key.partition("/")[2]
        claim = claims.get(f"backup {name}", claims["backup"]) if place == "backup" else claims.get(name, work.claim)
        if removal.rows:
            with staged(*removal.stages, claim=claim):
                removal.write()
                work.may_commit()
                removal.commit({}, {"dq.erasure": removal.name})
            work.log(f"{place} {removal.key}: {counted(removal.rows, 'row')} erased")
        # Also where no row is erased: an earlier version may hold one that was updated or deleted since.
        vacuumed = forget_versions(removal.table)
        version = removal.table.snapshot().version
        erased.append(TableErasure(place, removal.key, removal.rows, version, len(removal.counts), len(vacuumed)))
    judged = [*tables, *(f"{layer}/{name}" for name in request.also for layer in ("silver", "gold"))]
    forgotten = forget(history, judged, holds, mentions)
    certificate = Certificate(
        id=removals[0][1].name if removals else "",
        table=work.table.key,
        predicate=request.sql,
        at=work.now,
        by=by,
        erased=tuple(erased),
        history_results=forgotten.results,
        history_metrics=forgotten.metrics,
        gold_to_materialize=tuple(tables[1:]),
        inputs=_addresses(removals, landed),
        dagster_runs=tuple(history.runs(judged)) if history.is_begun else (),
        unreadable_lines=_unreadable(request),
        not_judged=tuple(request.not_judged()),
        landed_rows=landed,
    )
    # A reason may quote the content of an unreadable input: drop the marks, so that the next run reads these inputs again.
    for name in (work.table.name, *request.also):
        write_skipped_inputs(work.lake, name, ())
    certificate.keep(work.lake, request.predicate.masked)
    return certificate


def _value_test(request: ErasureRequest, removals: Sequence[tuple[str, Removal]]) -> Callable[[str | None, Any], bool]:
    """A test whether an observed value of a column contains a value of the erased rows."""
    texts: dict[str, set[str]] = {}
    for _, removal in removals:
        if not removal.rows:
            continue
        rows = removal.selected().head(_MOST_VALUES)
        schema = rows.collect_schema()
        names = [name for name in request.schema if name in schema and not schema[name].is_nested()]
        for name, column in (
            rows.select(as_text(pl.col(exact(name))).alias(name) for name in names).collect().to_dict().items()
        ):
            texts.setdefault(name, set()).update(text for text in column.unique() if text)
    long = {text for some in texts.values() for text in some if len(text) > 3 and not text.replace(".", "").isdigit()}

    def holds(column: str | None, observed: Any) -> bool:
        match observed:
            case None | bool():
                return False
            case dict():
                return any(holds(column, item) for pair in observed.items() for item in pair)
            case list():
                return any(holds(column, item) for item in observed)
            case str():
                return observed in texts.get(column or "", set()) or any(text in observed for text in long)
        return str(observed) in texts.get(column or "", set())

    return holds


def _numbers(removals: Sequence[tuple[str, Removal]]) -> dict[str, Counter[float]]:
    """The erased numbers by column, as metrics measure them, each with its number of rows."""
    numbers: dict[str, Counter[float]] = {}
    for _, removal in removals:
        if not removal.rows:
            continue
        rows = removal.selected().head(_MOST_VALUES)
        columns = {name: dtype for name, dtype in rows.collect_schema().items() if is_number(dtype)}
        values = rows.select(number(name, dtype).alias(name) for name, dtype in columns.items()).collect()
        for name in columns:
            gone: Counter[float] = Counter(values[name].drop_nulls().to_list())
            numbers[name] = gone | numbers.get(name, gone)
    return numbers


def _mention_test(numbers: dict[str, Counter[float]]) -> Callable[[ColumnMetrics], bool]:
    """A test whether metrics of a column reveal erased rows: a centroid with an erased number and no more rows than were erased."""

    def mentions(metrics: ColumnMetrics) -> bool:
        gone = numbers.get(metrics.column)
        if not gone:
            return False
        digest = ColumnState.of(metrics).digest
        if digest is None:
            return metrics.min in gone or metrics.max in gone
        centroids = zip(digest.means.tolist(), digest.weights.tolist(), strict=True)
        return any(gone.get(mean, 0) >= weight for mean, weight in centroids)

    return mentions


def _landed(removals: Sequence[tuple[str, Removal]]) -> dict[str, RowRanges]:
    """The row ranges of the erased rows in their inputs, by bronze table."""
    rows_by_table: dict[str, list[pl.LazyFrame]] = {}
    for _, removal in removals:
        if removal.rows and removal.key.startswith("bronze/"):
            rows_by_table.setdefault(removal.key, []).append(removal.selected().select(SOURCE, ROW))
    return {key: row_ranges(pl.concat(frames)) for key, frames in rows_by_table.items()}


def _addresses(removals: Sequence[tuple[str, Removal]], landed: Mapping[str, RowRanges]) -> tuple[str, ...]:
    """Today's addresses of these inputs: `_source` has the address at landing time, the ledgers list earlier landing folders."""
    bronze = [removal.table for _, removal in removals if removal.key.startswith("bronze/")]
    names = Names.of({entry for table in bronze for entry in transactions(table)})
    return tuple(sorted({names.address(source) for places in landed.values() for source in places}))


def _unreadable(request: ErasureRequest) -> int:
    bronze = request.work.lake.table(f"bronze/{request.work.table.name}")
    if not bronze.exists:
        return 0
    return int(bronze.scan().filter(pl.col(UNREADABLE).is_not_null()).select(pl.len()).collect().item())
