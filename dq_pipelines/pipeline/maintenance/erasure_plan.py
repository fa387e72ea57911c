"""Plans which rows to erase in each layer of the lake and of the backup, by a predicate on silver's columns."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.results.reasons import as_text
from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.lake.formats.snapshot import Snapshot
from dq_pipelines.lake.rewrite import ByCondition, ByConditionOrKeys, ByKeys, Removal, RowSelection
from dq_pipelines.lake.schema_evolution import conformed
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.bronze.landed import BATCH, pending_batches
from dq_pipelines.pipeline.maintenance.row_lineage import published_later
from dq_pipelines.pipeline.preparation.preparation import Prepared, misread, prepare
from dq_pipelines.pipeline.quarantine.corrections import corrected, corrections
from dq_pipelines.pipeline.quarantine.refused_rows import PLACE, QUARANTINE_COLUMNS
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project import Project, Silver, Table
from dq_pipelines.transforms.cast import FAILED, RAW
from dq_pipelines.transforms.casting import typed
from dq_pipelines.transforms.predicate import Cell, Predicate
from dq_pipelines.transforms.steps import OPAQUE, Deduplicate, Filter


@dataclass(frozen=True)
class ErasureRequest:
    """The rows to erase: a table, a predicate in SQL, and the lakes to search."""

    work: TableRun
    project: Project
    sql: str
    backups: Lake
    #: names of tables that YAML no longer names, from which the same rows are erased
    also: tuple[str, ...] = ()

    @cached_property
    def places(self) -> list[_Layers]:
        return [_Layers(self, "lake", self.work.lake), _Layers(self, "backup", self.backups)]

    @cached_property
    def schema(self) -> pl.Schema:
        """The columns of silver as published, or as its steps would make them."""
        silver = self.work.silver
        if (published := silver.published()) is not None:
            return published.schema
        rows = prepare(
            self.work.table.landed.silver, self.work.lake.table(f"bronze/{self.work.table.name}").scan()
        ).rows
        return pl.Schema({name: dtype for name, dtype in rows.collect_schema().items() if not name.startswith("_")})

    @cached_property
    def predicate(self) -> Predicate:
        return Predicate.parse(self.sql, self.schema)

    @cached_property
    def gold(self) -> list[Table]:
        """The gold tables that are computed from this one, directly or through other tables."""
        tables, keys = [], {self.work.table.key}
        while new := [table for table in self.project if table.key not in keys and keys & set(table.inputs)]:
            tables += new
            keys |= {table.key for table in new}
        return tables

    def removals(self) -> list[tuple[str, Removal]]:
        """What to remove from each table. Silver comes last, because its keys decide which other rows are removed."""
        name, ids = f"erase-{uuid.uuid4().hex[:16]}", self._identities()
        selections: list[tuple[str, Snapshot | None, RowSelection]] = []
        for place in reversed(self.places):
            selections.append((place.name, place.bronze, ByKeys(ids)))
            selections.append((place.name, place.quarantine, ByConditionOrKeys(place.refused, ids)))
        selections += [("lake", snapshot, ByCondition(condition)) for snapshot, condition in self._gold()]
        selections += self._of_unnamed()
        selections += [(place.name, place.silver, ByCondition(place.published)) for place in reversed(self.places)]
        return [(place, Removal(snapshot, rows, name)) for place, snapshot, rows in selections if snapshot is not None]

    def _gold(self) -> Iterator[tuple[Snapshot, pl.Expr]]:
        for table in self.gold:
            for key in (table.key, f"quarantine/{table.name}"):
                snapshot = self.work.lake.table(key).published()
                published = self.work.lake.table(table.key).published()
                if snapshot is None or published is None:
                    continue
                try:
                    predicate = Predicate.parse(self.sql, published.schema)
                except ConfigError:
                    # It has other columns. Computed again, it holds what silver holds; its earlier versions are removed now.
                    yield snapshot, pl.lit(False)
                else:
                    yield snapshot, predicate.on(_cells(snapshot.schema, published.schema))

    @cached_property
    def unnamed(self) -> list[tuple[str, Lake, str]]:
        """The tables of the lake and of the backup that YAML no longer names: `lake` or `backup`, lake and key."""
        known = {key for table in self.project for key in table.assets}
        return [(one.name, one.lake, key) for one in self.places for key in one.lake.keys() if key not in known]  # noqa: SIM118

    def not_judged(self) -> dict[str, str]:
        """The addresses of unnamed tables that the request does not cover, by `lake silver/old`: they may hold the same rows."""
        others = [table for table in self.unnamed if table[2].partition("/")[2] not in self.also]
        return {f"{place} {key}": lake.table(key).uri for place, lake, key in others}

    def _of_unnamed(self) -> Iterator[tuple[str, Snapshot | None, RowSelection]]:
        """Rows to erase of the tables in `also`, by their published columns; raises ConfigError for a table that YAML names."""
        unnamed = self.unnamed
        for name in self.also:
            tables = [table for table in unnamed if table[2].partition("/")[2] == name]
            if not tables:
                names = sorted({key.partition("/")[2] for _, _, key in unnamed})
                message = (
                    f"--also: wanted a table of the lake that YAML names no more, got '{name}'{nearest(name, names)}"
                )
                raise ConfigError([Problem("", 0, message)])
            snapshots = [(place, lake.table(key).published()) for place, lake, key in tables]
            existing = [(place, snapshot) for place, snapshot in snapshots if snapshot is not None]
            # Bronze and quarantine hold text; the published table has the types.
            published = [snapshot.schema for _, snapshot in existing if snapshot.key.startswith(("silver/", "gold/"))]
            for place, snapshot in existing:
                schema = {**snapshot.schema, **(published[0] if published else {})}
                predicate = Predicate.parse(self.sql, pl.Schema(schema), of=f" in {snapshot.key}, which --also names")
                yield place, snapshot, ByCondition(predicate.on(_cells(snapshot.schema, pl.Schema(schema))))

    def _identities(self) -> pl.DataFrame:
        """The `PLACE` of each landed row to erase, from every layer of the lake and of the backup."""
        keys = self.work.table.landed.silver.keys if self.work.table.landed.silver.mode == "merge" else ()
        gone = pl.concat([place.keys(keys) for place in self.places], how="vertical_relaxed").unique() if keys else None
        frames = [frame for place in self.places for frame in place.identities(gone)]
        if not frames:
            return pl.DataFrame(schema={name: QUARANTINE_COLUMNS[name] for name in PLACE})
        return pl.concat(collect_all(frames), how="vertical_relaxed").unique()


@dataclass(frozen=True)
class _Layers:
    """The three layers of a table in the lake or in the backup, each read at one version."""

    request: ErasureRequest
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
        return self.lake.table(f"{layer}/{self.request.work.table.name}").published()

    @property
    def published(self) -> pl.Expr:
        """Whether a row of silver is erased."""
        return self.request.predicate.on(
            _cells(self.silver.schema if self.silver else self.request.schema, self.request.schema)
        )

    @property
    def refused(self) -> pl.Expr:
        """Whether a row of quarantine is erased, by its cells."""
        return self.request.predicate.on(
            _cells(self.quarantine.schema if self.quarantine else self.request.schema, self.request.schema)
        )

    def keys(self, keys: Sequence[str]) -> pl.DataFrame:
        """The keys of the published rows to erase."""
        if self.silver is None:
            return pl.DataFrame(schema={key: self.request.schema[key] for key in keys})
        return self.silver.scan().filter(self.published).select(exact_names(keys)).unique().collect()

    def identities(self, keys: pl.DataFrame | None) -> Iterator[pl.LazyFrame]:
        """The `PLACE` of each landed row to erase: rows in quarantine, rows whose cells match, and earlier rows with the `keys`."""
        has_place = pl.all_horizontal(pl.col(name).is_not_null() for name in PLACE)
        refused = None if self.quarantine is None else self.quarantine.scan().filter(has_place)
        if refused is not None:
            yield refused.filter(self.refused).select(PLACE)
        landed = self._landed()
        if landed is None:
            return
        rows, cell = landed
        yield rows.filter(self.request.predicate.on(cell)).select(PLACE)
        schema = rows.collect_schema()
        if keys is not None and set(keys.columns) <= set(schema):
            work = self.request.work
            waiting = pending_batches(work.table, work.lake, work.silver)
            judged = rows.filter(~pl.col(BATCH).is_in(waiting))
            if refused is not None:
                waits = refused.filter(~published_later(self.quarantine, work.silver)).select(PLACE)
                judged = judged.join(waits, on=PLACE, how="anti")
            key_types = {name: schema[name] for name in keys.columns}
            yield judged.join(conformed(keys.lazy(), key_types), on=exact_names(keys.columns), how="semi").select(PLACE)

    def _landed(self) -> tuple[pl.LazyFrame, Callable[[str], Cell]] | None:
        """Bronze rows in silver's types. Stops before the first `sql` or `python` step where the predicate needs no later one."""
        if self.bronze is None:
            return None
        silver = self.request.work.table.landed.silver
        steps = [step for step in silver.transform if not isinstance(step, Filter | Deduplicate)]
        mended = corrections(self.lake.table(f"quarantine/{self.request.work.table.name}"))
        opaque = next((at for at, step in enumerate(steps) if isinstance(step, OPAQUE)), len(steps))
        for applied in (steps[:opaque], steps):
            shortened = silver.model_copy(update={"transform": tuple(applied)})
            prepared = prepare(shortened, corrected(self.bronze.scan(), mended))
            there = prepared.rows.collect_schema()
            if {*self.request.predicate.columns, *PLACE} <= set(there):
                return prepared.rows, _landed_cells(shortened, prepared)
        self.request.work.log(
            f"{self.bronze.key}: a step makes {', '.join(self.request.predicate.columns)} and forgets where rows came "
            f"from, so that no landed row can be told; only those in quarantine are erased"
        )
        return None


def _landed_cells(silver: Silver, prepared: Prepared) -> Callable[[str], Cell]:
    """Cells in silver's types, with the landed text where a cast may have failed."""
    there, flags = prepared.rows.collect_schema(), misread(silver, prepared)

    def cell(name: str) -> Cell:
        landed = flags[name].replace(FAILED, RAW, 1) if name in flags else None
        text = as_text(pl.col(landed)) if landed is not None and landed in there else None
        return Cell(pl.col(exact(name)), there[name], text)

    return cell


def _cells(there: pl.Schema, wanted: pl.Schema) -> Callable[[str], Cell]:
    """Cells of a table in the `wanted` types; `there` may hold them as text."""

    def cell(name: str) -> Cell:
        if name not in there:
            return Cell(pl.lit(None, wanted[name]), wanted[name])
        if there[name] == wanted[name] or not isinstance(there[name], pl.String):
            return Cell(pl.col(exact(name)), there[name])
        return Cell(typed(pl.col(exact(name)), there[name], wanted[name]), wanted[name], pl.col(exact(name)))

    return cell
