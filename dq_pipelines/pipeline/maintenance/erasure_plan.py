"""Whose rows are to be erased, and where they are: found in every layer by silver's types. How they go is in `erasure`."""

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
from dq_pipelines.lake.rewrite import Chosen, Either, Listed, Meeting, Removal
from dq_pipelines.lake.schema_evolution import conformed
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.bronze.landed import BATCH, pending_batches
from dq_pipelines.pipeline.maintenance.row_lineage import healed
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
class Wish:
    """Whose rows are to go, and from where."""

    work: TableRun
    project: Project
    sql: str
    backups: Lake
    #: names of tables that YAML names no more, from which the same rows are to go
    also: tuple[str, ...] = ()

    @cached_property
    def places(self) -> list[_Place]:
        return [_Place(self, "lake", self.work.lake), _Place(self, "backup", self.backups)]

    @cached_property
    def schema(self) -> pl.Schema:
        """The columns of silver: as published, or as they would be."""
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
        found += self._of_unnamed()
        found += [(place.name, place.silver, Meeting(place.published)) for place in reversed(self.places)]
        return [(place, Removal(snapshot, rows, name)) for place, snapshot, rows in found if snapshot is not None]

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
                    # It has other columns: computed anew, it holds what silver holds. What it held before goes now.
                    yield snapshot, pl.lit(False)
                else:
                    yield snapshot, predicate.on(_cells(snapshot.schema, published.schema))

    @cached_property
    def unnamed(self) -> list[tuple[str, Lake, str]]:
        """The tables of the lake and of the backup that YAML names no more: place, lake and key."""
        known = {key for table in self.project for key in table.assets}
        return [(one.name, one.lake, key) for one in self.places for key in one.lake.keys() if key not in known]  # noqa: SIM118

    def not_judged(self) -> dict[str, str]:
        """Where those of them lie that nobody has asked to look through, by `lake silver/old`: they may hold the same rows."""
        some = [one for one in self.unnamed if one[2].partition("/")[2] not in self.also]
        return {f"{place} {key}": lake.table(key).uri for place, lake, key in some}

    def _of_unnamed(self) -> Iterator[tuple[str, Snapshot | None, Chosen]]:
        """Rows of tables that YAML names no more, by the columns as they were published; raises ConfigError for others."""
        there = self.unnamed
        for name in self.also:
            some = [one for one in there if one[2].partition("/")[2] == name]
            if not some:
                names = sorted({key.partition("/")[2] for _, _, key in there})
                said = f"--also: wanted a table of the lake that YAML names no more, got '{name}'{nearest(name, names)}"
                raise ConfigError([Problem("", 0, said)])
            snapshots = [(place, lake.table(key).published()) for place, lake, key in some]
            found = [(place, snapshot) for place, snapshot in snapshots if snapshot is not None]
            # Bronze and quarantine hold text; what was published has the types.
            published = [one.schema for _, one in found if one.key.startswith(("silver/", "gold/"))]
            for place, snapshot in found:
                schema = {**snapshot.schema, **(published[0] if published else {})}
                predicate = Predicate.parse(self.sql, pl.Schema(schema), of=f" in {snapshot.key}, which --also names")
                yield place, snapshot, Meeting(predicate.on(_cells(snapshot.schema, pl.Schema(schema))))

    def _identities(self) -> pl.DataFrame:
        """What the landed rows that go are known by, wherever they were found."""
        keys = self.work.table.landed.silver.keys if self.work.table.landed.silver.mode == "merge" else ()
        gone = pl.concat([place.keys(keys) for place in self.places], how="vertical_relaxed").unique() if keys else None
        found = [frame for place in self.places for frame in place.identities(gone)]
        if not found:
            return pl.DataFrame(schema={name: QUARANTINE_COLUMNS[name] for name in PLACE})
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
        return self.lake.table(f"{layer}/{self.wish.work.table.name}").published()

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
        return self.silver.scan().filter(self.published).select(exact_names(keys)).unique().collect()

    def identities(self, keys: pl.DataFrame | None) -> Iterator[pl.LazyFrame]:
        """What the landed rows that go are known by: in quarantine, by their own cells, and as what was replaced."""
        known = pl.all_horizontal(pl.col(name).is_not_null() for name in PLACE)
        refused = None if self.quarantine is None else self.quarantine.scan().filter(known)
        if refused is not None:
            yield refused.filter(self.refused).select(PLACE)
        landed = self._landed()
        if landed is None:
            return
        rows, cell = landed
        yield rows.filter(self.wish.predicate.on(cell)).select(PLACE)
        there = rows.collect_schema()
        if keys is not None and set(keys.columns) <= set(there):
            work = self.wish.work
            waiting = pending_batches(work.table, work.lake, work.silver)
            judged = rows.filter(~pl.col(BATCH).is_in(waiting))
            if refused is not None:
                waits = refused.filter(~healed(self.quarantine, work.silver)).select(PLACE)
                judged = judged.join(waits, on=PLACE, how="anti")
            same = {name: there[name] for name in keys.columns}
            yield judged.join(conformed(keys.lazy(), same), on=exact_names(keys.columns), how="semi").select(PLACE)

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
            if {*self.wish.predicate.columns, *PLACE} <= set(there):
                return prepared.rows, _landed_cells(shortened, prepared)
        self.wish.work.log(
            f"{self.bronze.key}: a step makes {', '.join(self.wish.predicate.columns)} and forgets where rows came "
            f"from, so that no landed row can be told; only those in quarantine are erased"
        )
        return None


def _landed_cells(silver: Silver, prepared: Prepared) -> Callable[[str], Cell]:
    """Cells by silver's types, with the text that landed where a cast may have failed."""
    there, flags = prepared.rows.collect_schema(), misread(silver, prepared)

    def cell(name: str) -> Cell:
        landed = flags[name].replace(FAILED, RAW, 1) if name in flags else None
        text = as_text(pl.col(landed)) if landed is not None and landed in there else None
        return Cell(pl.col(exact(name)), there[name], text)

    return cell


def _cells(there: pl.Schema, wanted: pl.Schema) -> Callable[[str], Cell]:
    """Cells of a table that may hold as text what silver has in types."""

    def cell(name: str) -> Cell:
        if name not in there:
            return Cell(pl.lit(None, wanted[name]), wanted[name])
        if there[name] == wanted[name] or not isinstance(there[name], pl.String):
            return Cell(pl.col(exact(name)), there[name])
        return Cell(typed(pl.col(exact(name)), there[name], wanted[name]), wanted[name], pl.col(exact(name)))

    return cell
