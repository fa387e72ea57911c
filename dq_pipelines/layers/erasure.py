"""Erasure: the rows that a person means, gone from every layer, every version, the backup and the history.

Bronze and quarantine hold text, so they are asked by silver's types, and by the text itself where a cell does not fit its
type. What is not in reach (the inputs that landed, Dagster's events) is said in the certificate.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import polars as pl

from dq_pipelines.config.stores import write_bytes
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.reasons import as_text
from dq_pipelines.errors import ConfigError
from dq_pipelines.history.store import History
from dq_pipelines.lake.claim import Claim, claimed, staged
from dq_pipelines.lake.rewrite import Chosen, Either, Listed, Meeting, Removal, Snapshot
from dq_pipelines.lake.tables import Lake, LakeTable, reached
from dq_pipelines.lake.upkeep import forget_versions
from dq_pipelines.layers.corrections import corrected, corrections
from dq_pipelines.layers.landing import BATCH, UNREADABLE, pending_batches
from dq_pipelines.layers.silver import Prepared, misread, prepare
from dq_pipelines.layers.traces import IDENTITY, healed
from dq_pipelines.layers.work import Work, alone
from dq_pipelines.project import Project, Silver, Table
from dq_pipelines.sources import SOURCE
from dq_pipelines.transforms.cast import FAILED, RAW
from dq_pipelines.transforms.predicate import Cell, Predicate
from dq_pipelines.transforms.steps import OPAQUE, Deduplicate, Filter
from dq_pipelines.transforms.types import typed

#: Beside the layers: a file for each erasure, without what was erased.
FOLDER = ".erasures"

#: How many erased rows the history is searched for: those of a person, not of a table.
_MOST_VALUES = 100_000


@dataclass(frozen=True)
class Erased:
    """What was erased from one table."""

    #: `lake` or `backup`
    place: str
    #: `<layer>/<table>`
    table: str
    rows: int
    #: the version from which on the rows are gone
    version: int
    files_rewritten: int
    #: of earlier versions, which can be read no more
    files_vacuumed: int = 0


@dataclass(frozen=True)
class Certificate:
    """What was removed where, by whom and when."""

    id: str
    table: str
    predicate: str
    at: datetime
    by: str
    erased: tuple[Erased, ...]
    #: results in the history whose observed value was forgotten
    history_results: int
    #: gold tables that were computed from the rows: to be materialized anew
    gold_to_materialize: tuple[str, ...]
    #: addresses of inputs in which the rows landed; they are as they were
    inputs: tuple[str, ...]
    #: runs whose events in Dagster may show the rows as samples
    dagster_runs: tuple[str, ...]
    #: lines of bronze that nobody could read, and so cannot be asked
    unreadable_lines: int

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.erased)

    def to_json(self, **instead: str) -> str:
        return json.dumps(asdict(self) | {"at": self.at.isoformat(), **instead}, indent=1, ensure_ascii=False)


@dataclass(frozen=True)
class Wish:
    """Whose rows are to go, and from where."""

    work: Work
    project: Project
    sql: str
    backups: Lake

    @cached_property
    def places(self) -> list[_Place]:
        return [_Place(self, "lake", self.work.lake), _Place(self, "backup", self.backups)]

    @cached_property
    def schema(self) -> pl.Schema:
        """The columns of silver: as published, or as they would be."""
        silver = self.work.silver
        if silver.delta() is not None:
            return silver.scan().collect_schema()
        rows = prepare(
            self.work.table.landed.silver, self.work.lake.table(f"bronze/{self.work.table.name}").scan()
        ).rows
        return pl.Schema({name: dtype for name, dtype in rows.collect_schema().items() if not name.startswith("_")})

    @cached_property
    def predicate(self) -> Predicate:
        return Predicate.parse(self.sql, self.schema)

    @cached_property
    def gold(self) -> list[Table]:
        """The tables that are computed from this one, over however many others."""
        found, keys = [], {self.work.table.key}
        while new := [table for table in self.project if table.key not in keys and keys & set(table.inputs)]:
            found += new
            keys |= {table.key for table in new}
        return found

    def removals(self) -> list[tuple[str, Removal]]:
        """What goes from where; silver last, whose keys say what else goes."""
        name, ids = f"erase-{uuid.uuid4().hex[:16]}", self._identities()
        found: list[tuple[str, Snapshot | None, Chosen]] = []
        for place in reversed(self.places):
            found.append((place.name, place.bronze, Listed(ids)))
            found.append((place.name, place.quarantine, Either(place.refused, ids)))
        found += [("lake", snapshot, Meeting(condition)) for snapshot, condition in self._gold()]
        found += [(place.name, place.silver, Meeting(place.published)) for place in reversed(self.places)]
        return [(place, Removal(snapshot, rows, name)) for place, snapshot, rows in found if snapshot is not None]

    def _gold(self) -> Iterator[tuple[Snapshot, pl.Expr]]:
        for table in self.gold:
            for key in (table.key, f"quarantine/{table.name}"):
                snapshot = Snapshot.of(self.work.lake.table(key))
                published = Snapshot.of(self.work.lake.table(table.key))
                if snapshot is None or published is None:
                    continue
                try:
                    predicate = Predicate.parse(self.sql, published.schema)
                except ConfigError:
                    # It has other columns: computed anew, it holds what silver holds. What it held before goes now.
                    yield snapshot, pl.lit(False)
                else:
                    yield snapshot, predicate.on(_cells(snapshot.schema, published.schema))

    def _identities(self) -> pl.DataFrame:
        """What the landed rows that go are known by, wherever they were found."""
        keys = self.work.table.landed.silver.keys if self.work.table.landed.silver.mode == "merge" else ()
        gone = pl.concat([place.keys(keys) for place in self.places], how="vertical_relaxed").unique() if keys else None
        found = [frame for place in self.places for frame in place.identities(gone)]
        if not found:
            return pl.DataFrame(schema={**dict.fromkeys(IDENTITY, pl.String()), IDENTITY[-1]: pl.Int64()})
        return pl.concat(collect_all(found), how="vertical_relaxed").unique()


@dataclass(frozen=True)
class _Place:
    """The three layers of a table in the lake, or in the backup, each at the version at which it was first looked at."""

    wish: Wish
    name: str
    lake: Lake

    @cached_property
    def bronze(self) -> Snapshot | None:
        return self._snapshot("bronze")

    @cached_property
    def quarantine(self) -> Snapshot | None:
        return self._snapshot("quarantine")

    @cached_property
    def silver(self) -> Snapshot | None:
        return self._snapshot("silver")

    def _snapshot(self, layer: str) -> Snapshot | None:
        return Snapshot.of(self.lake.table(f"{layer}/{self.wish.work.table.name}"))

    @property
    def published(self) -> pl.Expr:
        """Whether a row of silver goes."""
        return self.wish.predicate.on(_cells(self.silver.schema if self.silver else self.wish.schema, self.wish.schema))

    @property
    def refused(self) -> pl.Expr:
        """Whether a row of quarantine goes, by its cells."""
        return self.wish.predicate.on(
            _cells(self.quarantine.schema if self.quarantine else self.wish.schema, self.wish.schema)
        )

    def keys(self, keys: Sequence[str]) -> pl.DataFrame:
        """The keys of the published rows that go."""
        if self.silver is None:
            return pl.DataFrame(schema={key: self.wish.schema[key] for key in keys})
        return self.silver.scan().filter(self.published).select(keys).unique().collect()

    def identities(self, keys: pl.DataFrame | None) -> Iterator[pl.LazyFrame]:
        """What the landed rows that go are known by: in quarantine, by their own cells, and as what was replaced."""
        known = pl.all_horizontal(pl.col(name).is_not_null() for name in IDENTITY)
        refused = None if self.quarantine is None else self.quarantine.scan().filter(known)
        if refused is not None:
            yield refused.filter(self.refused).select(IDENTITY)
        landed = self._landed()
        if landed is None:
            return
        rows, cell = landed
        yield rows.filter(self.wish.predicate.on(cell)).select(IDENTITY)
        there = rows.collect_schema()
        if keys is not None and set(keys.columns) <= set(there):
            work = self.wish.work
            waiting = pending_batches(work.table, work.lake, work.silver)
            judged = rows.filter(~pl.col(BATCH).is_in(waiting))
            if refused is not None:
                waits = refused.filter(~healed(self.quarantine, work.silver)).select(IDENTITY)
                judged = judged.join(waits, on=IDENTITY, how="anti")
            same = {name: there[name] for name in keys.columns}
            yield judged.join(keys.lazy().cast(same), on=keys.columns, how="semi").select(IDENTITY)  # type: ignore[arg-type]

    def _landed(self) -> tuple[pl.LazyFrame, Callable[[str], Cell]] | None:
        """The rows of bronze by silver's types; up to the first step that may do anything to them, where that suffices."""
        if self.bronze is None:
            return None
        silver = self.wish.work.table.landed.silver
        steps = [step for step in silver.transform if not isinstance(step, Filter | Deduplicate)]
        mended = corrections(self.lake.table(f"quarantine/{self.wish.work.table.name}"))
        opaque = next((at for at, step in enumerate(steps) if isinstance(step, OPAQUE)), len(steps))
        for some in (steps[:opaque], steps):
            shortened = silver.model_copy(update={"transform": tuple(some)})
            prepared = prepare(shortened, corrected(self.bronze.scan(), mended))
            there = prepared.rows.collect_schema()
            if {*self.wish.predicate.columns, *IDENTITY} <= set(there):
                return prepared.rows, _landed_cells(shortened, prepared)
        self.wish.work.log(
            f"{self.bronze.table.key}: a step makes {', '.join(self.wish.predicate.columns)} and forgets where rows came "
            f"from, so that no landed row can be told; only those in quarantine are erased"
        )
        return None


def _landed_cells(silver: Silver, prepared: Prepared) -> Callable[[str], Cell]:
    """Cells by silver's types, with the text that landed where a cast may have failed."""
    there, flags = prepared.rows.collect_schema(), misread(silver, prepared)

    def cell(name: str) -> Cell:
        landed = flags[name].replace(FAILED, RAW, 1) if name in flags else None
        text = as_text(pl.col(landed)) if landed is not None and landed in there else None
        return Cell(pl.col(name), there[name], text)

    return cell


def _cells(there: pl.Schema, wanted: pl.Schema) -> Callable[[str], Cell]:
    """Cells of a table that may hold as text what silver has in types."""

    def cell(name: str) -> Cell:
        if name not in there:
            return Cell(pl.lit(None, wanted[name]), wanted[name])
        if there[name] == wanted[name] or not isinstance(there[name], pl.String):
            return Cell(pl.col(name), there[name])
        return Cell(typed(pl.col(name), there[name], wanted[name]), wanted[name], pl.col(name))

    return cell


def erasing(wish: Wish) -> list[tuple[str, str, int]]:
    """What would go: place, table and rows; nothing is written. Raises ConfigError for what is no predicate."""
    return [(place, removal.key, removal.rows) for place, removal in wish.removals()]


def erase(wish: Wish, history: History, by: str) -> Certificate:
    """Remove the rows, every earlier version of the tables that held them, and what the history knows of them.

    Whoever reads an earlier version of these tables at that moment fails. Killed in between, it is to be run again.
    """

    def done(work: Work) -> Certificate:
        with ExitStack() as held:
            claims = {"backup": held.enter_context(claimed(wish.backups, work.table.name))}
            for table in wish.gold:
                claims[table.name] = held.enter_context(claimed(work.lake, table.name))
            return _erased(replace(wish, work=work), claims, history, by)

    return alone(done)(wish.work)


def _erased(wish: Wish, claims: dict[str, Claim], history: History, by: str) -> Certificate:
    work, removals = wish.work, wish.removals()
    tables = [work.table.key, *(table.key for table in wish.gold)]
    values, inputs = _values(wish, removals), _inputs(removals)
    found = []
    for place, removal in removals:
        claim = claims["backup"] if place == "backup" else claims.get(removal.key.partition("/")[2], work.claim)
        if removal.rows:
            with staged(*removal.stages, claim=claim):
                removal.write()
                work.may_commit()
                removal.commit({}, {"dq.erasure": removal.name})
            work.log(f"{place} {removal.key}: {removal.rows:,} rows erased")
        # Also where no row went: an earlier version may hold one that was updated or deleted since.
        gone = forget_versions(removal.snapshot.table)
        version = removal.snapshot.table.opened().version()
        found.append(Erased(place, removal.key, removal.rows, version, len(removal.counts), len(gone)))
    certificate = Certificate(
        id=removals[0][1].name if removals else "",
        table=work.table.key,
        predicate=wish.sql,
        at=work.now,
        by=by,
        erased=tuple(found),
        history_results=history.erase(tables, values) if history.is_begun else 0,
        gold_to_materialize=tuple(tables[1:]),
        inputs=inputs,
        dagster_runs=tuple(history.runs(tables)) if history.is_begun else (),
        unreadable_lines=_unreadable(wish),
    )
    _keep(work.lake, certificate, wish.predicate.masked)
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
            rows.select(as_text(pl.col(name)).alias(name) for name in names).collect().to_dict().items()
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


def _inputs(removals: Sequence[tuple[str, Removal]]) -> tuple[str, ...]:
    found = [
        removal.among().select(SOURCE).unique()
        for _, removal in removals
        if removal.rows and removal.key.startswith("bronze/")
    ]
    return tuple(sorted({source for frame in collect_all(found) for source in frame[SOURCE]})) if found else ()


def _unreadable(wish: Wish) -> int:
    bronze = wish.work.lake.table(f"bronze/{wish.work.table.name}")
    if bronze.delta() is None:
        return 0
    return int(bronze.scan().filter(pl.col(UNREADABLE).is_not_null()).select(pl.len()).collect().item())


def _keep(lake: Lake, certificate: Certificate, predicate: str) -> None:
    """Remember the erasure in the lake, without the values by which the rows were found."""
    place = LakeTable(f"the certificate of {certificate.id}", f"{lake.root}/{FOLDER}/{certificate.id}.json")
    with reached(place):
        write_bytes(place.uri, certificate.to_json(predicate=predicate).encode())
