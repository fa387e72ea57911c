"""Erasure: the rows that a person means, gone from every layer, every version, the backup and the history.

Bronze and quarantine hold text, so they are asked by silver's types, and by the text itself where a cell does not fit its
type. What is not in reach (the inputs that landed, Dagster's events) is said in the certificate.
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
from dq_pipelines.lake.skipped_inputs import write_asides
from dq_pipelines.lake.table_lock import Claim, claimed, staged
from dq_pipelines.monitoring.metrics.measurement import is_number, number
from dq_pipelines.monitoring.metrics.state import ColumnState
from dq_pipelines.pipeline.bronze.batch import UNREADABLE
from dq_pipelines.pipeline.bronze.input_identity import Names
from dq_pipelines.pipeline.maintenance.certificates import Certificate, Erased, Places, places_of
from dq_pipelines.pipeline.maintenance.erasure_plan import Wish
from dq_pipelines.pipeline.runtime.table_run import TableRun, alone
from dq_pipelines.sources import ROW, SOURCE

#: How many erased rows the history is searched for: those of a person, not of a table.
_MOST_VALUES = 100_000


def erasing(wish: Wish) -> list[tuple[str, str, int]]:
    """What would go: place, table and rows; nothing is written. Raises ConfigError for what is no predicate."""
    return [(place, removal.key, removal.rows) for place, removal in wish.removals()]


def erase(wish: Wish, history: History, by: str) -> Certificate:
    """Remove the rows, every earlier version of the tables that held them, and what the history knows of them.

    Whoever reads an earlier version of these tables at that moment fails. Killed in between, it is to be run again.
    """

    def done(work: TableRun) -> Certificate:
        with ExitStack() as held:
            claims = {"backup": held.enter_context(claimed(wish.backups, work.table.name))}
            for table in wish.gold:
                claims[table.name] = held.enter_context(claimed(work.lake, table.name))
            for name in wish.also:
                claims[name] = held.enter_context(claimed(work.lake, name))
                claims[f"backup {name}"] = held.enter_context(claimed(wish.backups, name))
            return _erased(replace(wish, work=work), claims, history, by)

    return alone(done)(wish.work)


def _erased(wish: Wish, claims: dict[str, Claim], history: History, by: str) -> Certificate:
    work, removals = wish.work, wish.removals()
    tables = [work.table.key, *(table.key for table in wish.gold)]
    values, tells, landed = _values(wish, removals), _telling(_numbers(removals)), _landed(removals)
    found = []
    for place, removal in removals:
        name = removal.key.partition("/")[2]
        claim = claims.get(f"backup {name}", claims["backup"]) if place == "backup" else claims.get(name, work.claim)
        if removal.rows:
            with staged(*removal.stages, claim=claim):
                removal.write()
                work.may_commit()
                removal.commit({}, {"dq.erasure": removal.name})
            work.log(f"{place} {removal.key}: {counted(removal.rows, 'row')} erased")
        # Also where no row went: an earlier version may hold one that was updated or deleted since.
        gone = forget_versions(removal.table)
        version = removal.table.snapshot().version
        found.append(Erased(place, removal.key, removal.rows, version, len(removal.counts), len(gone)))
    judged = [*tables, *(f"{layer}/{name}" for name in wish.also for layer in ("silver", "gold"))]
    forgotten = forget(history, judged, values, tells)
    certificate = Certificate(
        id=removals[0][1].name if removals else "",
        table=work.table.key,
        predicate=wish.sql,
        at=work.now,
        by=by,
        erased=tuple(found),
        history_results=forgotten.results,
        history_metrics=forgotten.metrics,
        gold_to_materialize=tuple(tables[1:]),
        inputs=_addresses(removals, landed),
        dagster_runs=tuple(history.runs(judged)) if history.is_begun else (),
        unreadable_lines=_unreadable(wish),
        not_judged=tuple(wish.not_judged()),
        landed_rows=landed,
    )
    # Why an input could not be read may quote what stands in it; it is looked at again, and the reason with it.
    for name in (work.table.name, *wish.also):
        write_asides(work.lake, name, ())
    certificate.keep(work.lake, wish.predicate.masked)
    return certificate


def _values(wish: Wish, removals: Sequence[tuple[str, Removal]]) -> Callable[[str | None, Any], bool]:
    """Whether something that was observed of a column holds a value of the rows that go."""
    texts: dict[str, set[str]] = {}
    for _, removal in removals:
        if not removal.rows:
            continue
        rows = removal.among().head(_MOST_VALUES)
        schema = rows.collect_schema()
        names = [name for name in wish.schema if name in schema and not schema[name].is_nested()]
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
    """The numbers that go, as they are measured, by column: how often each."""
    found: dict[str, Counter[float]] = {}
    for _, removal in removals:
        if not removal.rows:
            continue
        rows = removal.among().head(_MOST_VALUES)
        columns = {name: dtype for name, dtype in rows.collect_schema().items() if is_number(dtype)}
        values = rows.select(number(name, dtype).alias(name) for name, dtype in columns.items()).collect()
        for name in columns:
            gone: Counter[float] = Counter(values[name].drop_nulls().to_list())
            found[name] = gone | found.get(name, gone)
    return found


def _telling(numbers: dict[str, Counter[float]]) -> Callable[[ColumnMetrics], bool]:
    """Whether metrics tell of the rows that go: a number that is among those of no more rows than go."""

    def tells(metrics: ColumnMetrics) -> bool:
        gone = numbers.get(metrics.column)
        if not gone:
            return False
        digest = ColumnState.of(metrics).digest
        if digest is None:
            return metrics.min in gone or metrics.max in gone
        found = zip(digest.means.tolist(), digest.weights.tolist(), strict=True)
        return any(gone.get(mean, 0) >= weight for mean, weight in found)

    return tells


def _landed(removals: Sequence[tuple[str, Removal]]) -> dict[str, Places]:
    """Where the rows that go stand in the inputs in which they landed, by table of bronze."""
    found: dict[str, list[pl.LazyFrame]] = {}
    for _, removal in removals:
        if removal.rows and removal.key.startswith("bronze/"):
            found.setdefault(removal.key, []).append(removal.among().select(SOURCE, ROW))
    return {key: places_of(pl.concat(frames)) for key, frames in found.items()}


def _addresses(removals: Sequence[tuple[str, Removal]], landed: Mapping[str, Places]) -> tuple[str, ...]:
    """Where these inputs lie today: `_source` has the address at which one landed, the ledgers know where landing has been."""
    bronze = [removal.table for _, removal in removals if removal.key.startswith("bronze/")]
    names = Names.of({entry for table in bronze for entry in transactions(table)})
    return tuple(sorted({names.address(source) for places in landed.values() for source in places}))


def _unreadable(wish: Wish) -> int:
    bronze = wish.work.lake.table(f"bronze/{wish.work.table.name}")
    if not bronze.exists:
        return 0
    return int(bronze.scan().filter(pl.col(UNREADABLE).is_not_null()).select(pl.len()).collect().item())
