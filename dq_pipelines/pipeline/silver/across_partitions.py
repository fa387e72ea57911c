"""A rerun of one partition of a merged table: which of its rows count against rows of the same keys in other partitions.

A key is published once, in the partition of the version that came last. When a partition is judged anew, a version in it may
give way to a later one elsewhere, take the place of an earlier one, or go and leave its place to an earlier one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.config.counting import counted
from dq_pipelines.errors import RuleError
from dq_pipelines.lake.schema_evolution import conformed
from dq_pipelines.lake.schema_rewrite import OtherPartitions
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.pipeline.quarantine.provenance import missing_provenance
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.key_versions import versions
from dq_pipelines.pipeline.silver.precedence import ARRIVAL, in_order, last_of_keys


@dataclass(frozen=True)
class Across:
    """What is published of a partition that was judged anew, and what changes in others."""

    #: the rows of the partition
    rows: pl.LazyFrame
    #: what other partitions hold from now on, where that changes
    others: OtherPartitions | None = None
    #: the published rows of the other partitions before that
    elsewhere: pl.LazyFrame | None = None
    #: rows of other partitions that go, and that are published again
    replaced: int = 0
    again: int = 0

    @property
    def staying(self) -> list[pl.LazyFrame]:
        """What other partitions will hold."""
        if self.elsewhere is None:
            return []
        changed = {} if self.others is None else self.others.parts
        others = [rows.with_columns(pl.lit(name).alias(PARTITION)) for name, rows in changed.items()]
        return [self.elsewhere.filter(~pl.col(PARTITION).is_in(list(changed))), *others]

    @property
    def sentence(self) -> str:
        """What changes in other partitions; empty where nothing does."""
        if self.others is None:
            return ""
        return f"of other partitions {counted(self.replaced, 'row', 'gives', 'give')} way to later ones, {counted(self.again, 'row', 'is', 'are')} published again"


def settled(run: TableRun, rows: pl.LazyFrame, becomes: Mapping[str, pl.DataType], first: Mapping[str, int]) -> Across:
    """Of `rows`, kept in the partition of the `run` and one of each key, those that count, and what changes elsewhere.

    `rows` have the columns `ARRIVAL`, which those of the result have not. `becomes` are the types of the table's columns
    once the rows are published, `first` is `landed.first_landed`. Raises RuleError where a step of the table does not give `ARRIVAL` on, and keys are in
    several partitions.
    """
    silver_now = run.silver.snapshot()
    if not silver_now.exists or run.partition is None:
        return Across(rows.select(pl.exclude(ARRIVAL)))
    silver = run.table.landed.silver
    keys, judged = exact_names(silver.keys), rows.collect_schema()
    kinds = {name: becomes.get(name, judged[name]) for name in silver.keys}
    rows, published = conformed(rows, kinds), conformed(silver_now.scan(), kinds)
    own = rows.select(pl.exclude(ARRIVAL))
    elsewhere = published.filter(pl.col(PARTITION) != run.partition)
    here = published.filter(pl.col(PARTITION) == run.partition)
    shared = rows.select(keys).join(elsewhere, on=keys, how="semi")
    touched = pl.concat([shared, _changed(here, own, silver.keys)]).unique().collect(engine="streaming").lazy()
    if not touched.head(1).collect().height:
        return Across(own, elsewhere=elsewhere)
    _must_be_traced(run, rows)
    retyped = any(judged[name] != dtype for name, dtype in kinds.items())
    return _Contest(run, rows, touched, elsewhere, kinds, retyped, first).settled(silver_now.version, becomes)


def _changed(before: pl.LazyFrame, now: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """The keys whose row is another one than before, or gone: an earlier version in another partition may count now.

    All keys where rows cannot be compared, since a column has another type now or holds nested values.
    """
    types_before, types_now = before.drop(PARTITION).collect_schema(), now.collect_schema()
    every_key = before.select(exact_names(keys))
    if types_before != pl.Schema({name: types_now[name] for name in types_before if name in types_now}) or any(
        d.is_nested() for d in types_before.values()
    ):
        return every_key
    same = before.join(now, on=exact_names(types_before), how="semi", nulls_equal=True).select(exact_names(keys))
    return every_key.join(same, on=exact_names(keys), how="anti")


def _must_be_traced(run: TableRun, rows: pl.LazyFrame) -> None:
    if what_is_missing := missing_provenance(run.table.key, rows.collect_schema(), ARRIVAL):
        raise RuleError(
            f"{what_is_missing}, so that nobody can tell which row of a key came last that several partitions have; "
            "nothing was published: rerun a partition only where its keys are its own, or let the step give them on"
        )


@dataclass(frozen=True)
class _Contest:
    """The versions of some keys that several partitions have, or had."""

    run: TableRun
    #: the kept rows of the partition at hand
    rows: pl.LazyFrame
    #: the keys
    touched: pl.LazyFrame
    #: what the other partitions hold
    elsewhere: pl.LazyFrame
    #: the types of the keys, and whether today's YAML gives them others
    kinds: Mapping[str, pl.DataType]
    retyped: bool
    #: `landed.first_landed`
    first: Mapping[str, int]

    def settled(self, version: int, becomes: Mapping[str, pl.DataType]) -> Across:
        silver, columns = self.run.table.landed.silver, self.elsewhere.collect_schema().names()
        keys = exact_names(silver.keys)
        ours = self.rows.join(self.touched, on=keys, how="semi").with_columns(
            pl.lit(self.run.partition).alias(PARTITION)
        )
        wanted = dict.fromkeys([*ours.collect_schema(), *columns])
        both = pl.concat([ours, self._theirs(wanted)], how="diagonal_relaxed")
        winners = last_of_keys(in_order(both, self.first), silver).collect(engine="streaming").lazy()
        lost = winners.filter(pl.col(PARTITION) != self.run.partition)
        own = self.rows.join(lost, on=keys, how="anti", maintain_order="left").select(pl.exclude(ARRIVAL))
        where = [*keys, PARTITION]
        again = (
            lost.join(self.elsewhere, on=where, how="anti")
            .select(pl.col(name) for name in columns if name in lost.collect_schema())
            .collect()
        )
        moved = self.elsewhere.join(self.touched, on=keys, how="semi").join(winners, on=where, how="anti")
        going = moved.select(where).collect(engine="streaming")
        changed = sorted({*again[PARTITION], *going[PARTITION]})
        if not changed:
            return Across(own, elsewhere=self.elsewhere)
        staying = pl.concat(
            [
                conformed(rows, becomes)
                for rows in (self.elsewhere.join(going.lazy(), on=where, how="anti"), again.lazy())
            ],
            how="diagonal_relaxed",
        )
        parts: Mapping[str, pl.LazyFrame] = {
            name: staying.filter(pl.col(PARTITION) == name).drop(PARTITION) for name in changed
        }
        return Across(own, OtherPartitions(version, parts), self.elsewhere, going.height, again.height)

    def _theirs(self, columns: Iterable[str]) -> pl.LazyFrame:
        """What was kept of the other partitions, of inputs that count, or that are published still."""
        kept_rows = versions(self.run, None if self.retyped else self.touched)
        rows = conformed(kept_rows, self.kinds).filter(pl.col(PARTITION) != self.run.partition)
        rows = rows.join(self.touched, on=exact_names(self.run.table.landed.silver.keys), how="semi")
        schema = rows.collect_schema()
        return rows.select(pl.col(name) for name in columns if name in schema)
