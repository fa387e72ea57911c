"""How the rows of a batch fit silver, by its policy. How they fit bronze belongs in `landing_schema`.

What a difference is, and what a policy allows, belongs in `lake.schema_evolution`; how it is reported, in `schema_check`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.engine.results.reasons import as_text
from dq_pipelines.lake.schema_evolution import Drift, Policy, conformed, drift
from dq_pipelines.lake.tables import PARTITION, LakeTable
from dq_pipelines.pipeline.bronze.batch import SYSTEM_COLUMNS
from dq_pipelines.pipeline.bronze.landing_schema import about_to_be_published
from dq_pipelines.pipeline.preparation.passthrough import carrying
from dq_pipelines.pipeline.preparation.preparation import Prepared, prepare
from dq_pipelines.project import Silver
from dq_pipelines.transforms.types import dtype_of

#: Values are alike where so many distinct ones of the first rows, and this share of them, were published before.
_FEWEST, _SHARE, _FIRST_ROWS = 5, 0.5, 1_000


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table before a batch, and which changes of them are taken on."""

    #: the table's YAML, with the landed columns under the names that they have in bronze
    silver: Silver
    #: bronze's columns; none before it is made
    bronze: pl.Schema
    #: silver's; None before it is made, and for a part of a rerun, which is compared when all parts are there
    published: pl.Schema | None
    policy: Policy
    #: what is to store the rows, and in which types
    target: LakeTable


@dataclass(frozen=True)
class LandedColumns:
    """Which landed columns the rows of a batch have, where several bronze batches may be judged together."""

    #: those that any of them has, with their types
    columns: Mapping[str, pl.DataType]
    #: of these, the ones that not all of them have
    partly: frozenset[str]

    @classmethod
    def of(cls, rows: pl.LazyFrame, batches: Iterable[frozenset[str]]) -> LandedColumns:
        """What `rows` have of the columns with which the `batches` landed."""
        each = list(batches)
        any_of_them = frozenset().union(*each)
        return cls(
            {
                name: dtype
                for name, dtype in rows.collect_schema().items()
                if name in any_of_them and name not in (*SYSTEM_COLUMNS, PARTITION)
            },
            any_of_them.difference(frozenset.intersection(*each)) if each else frozenset(),
        )

    def without_others(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """`rows` without the columns that other batches have brought into bronze."""
        others = [name for name in rows.collect_schema() if name not in (*SYSTEM_COLUMNS, PARTITION, *self.columns)]
        return rows.drop(exact_names(others))

    def absent(self, silver: Silver, published: Iterable[str], bronze: Iterable[str]) -> dict[str, str]:
        """Declared columns that did not land, but did or were published before; with the landed column they lack."""
        lacking = {}
        for name, column in silver.columns.items():
            sources = column.sources or (name,)
            if not any(source in self.columns for source in sources) and (
                name in published or any(source in bronze for source in sources)
            ):
                lacking[name] = next((source for source in sources if source in bronze), sources[0])
        return lacking

    def lacking(self, silver: Silver) -> set[str]:
        """Published columns of which some of the rows have no landed one."""
        declared = {
            name for name, column in silver.columns.items() if self.partly.issuperset(column.sources or (name,))
        }
        return declared | {name for name in self.partly if name not in silver.columns}


@dataclass(frozen=True)
class FittedBatch:
    """The rows of a batch with the columns that the table has or takes on."""

    table: TableColumns
    #: bronze rows, with the columns that the batch has landed with
    bronze: pl.LazyFrame
    #: the same, typed, transformed and fitted to the table
    prepared: Prepared
    #: the columns that are published
    columns: tuple[str, ...]
    #: the types in which the batch's own columns would be stored
    stored: pl.Schema
    #: published columns of which some of the rows have no landed one, with their types
    lacking: Mapping[str, pl.DataType]
    #: how the rows differ from silver; None where there is nothing to compare them with
    drift: Drift | None = None

    def compared(self, alike: Callable[[str, str], bool] | None = None) -> Drift | None:
        """How the rows differ from silver; `alike` says whether a new column has the values of a missing one."""
        if self.table.published is None:
            return None
        return drift(self.table.published, self.stored, self.table.policy, lacking=self.lacking, alike=alike)

    def compared_by_values(self, published: LakeTable, rows: Sequence[pl.LazyFrame]) -> Drift | None:
        """The same, with columns that have another name now, as far as the values of `rows` show it."""
        if self.drift is None or not {"missing", "new"} <= {change.kind for change in self.drift.changes}:
            return self.drift
        return self.compared(alike_by_values(published, rows))


def fit_batch(
    frames: Sequence[pl.LazyFrame], landed_with: Iterable[frozenset[str]], table: TableColumns, *, carried: bool = False
) -> FittedBatch:
    """Type and transform bronze rows, and give them the columns that the table has or takes on.

    `landed_with` are the columns that each of the bronze batches among the rows has landed with. `carried` gives each row a
    hidden copy of its landed cells. Raises RuleError when a declared column did not land, or a step does not run.
    """
    rows, batches = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal_relaxed"), list(landed_with)
    landed = LandedColumns.of(rows, batches)
    bronze = landed.without_others(rows) if batches else rows
    absent = landed.absent(table.silver, table.published or (), table.bronze)
    prepared = prepare(table.silver, filled(carrying(bronze) if carried else bronze, absent, table.silver))
    columns = prepared.columns
    stored = about_to_be_published(prepared.rows, columns, table.target)
    partly = landed.lacking(table.silver) & set(columns)
    lacking = {name: stored[name] for name in partly} | {
        name: table.bronze.get(source, pl.String()) for name, source in absent.items()
    }
    own = FittedBatch(table, bronze, prepared, tuple(columns), stored, lacking)
    difference = own.compared()
    if difference is None or difference.refused:
        return replace(own, drift=difference)
    fitted = replace(prepared, rows=conformed(prepared.rows, difference.schema))
    return replace(own, prepared=fitted, columns=tuple(difference.schema), drift=difference)


def filled(rows: pl.LazyFrame, absent: Mapping[str, str], silver: Silver) -> pl.LazyFrame:
    """`rows` with nulls for the declared columns that did not land, so that steps and rules find them."""
    nulls = {source: dtype_of(silver.columns[name].type) for name, source in absent.items()}
    return rows.with_columns(pl.lit(None, dtype=dtype).alias(source) for source, dtype in nulls.items())


def alike_by_values(published: LakeTable, rows: Sequence[pl.LazyFrame]) -> Callable[[str, str], bool]:
    """Whether a missing column's published values are those of a new column in any of `rows`."""

    def distinct(frame: pl.LazyFrame, name: str, dtype: pl.DataType | None = None) -> set[str]:
        if name not in frame.collect_schema():
            return set()
        values = frame.select(pl.col(exact(name))).head(_FIRST_ROWS)
        if dtype is not None and dtype.is_numeric():
            values = values.cast(dtype, strict=False)
        return set(values.select(as_text(pl.col(exact(name)))).collect(engine="streaming")[name].drop_nulls())

    def alike(missing: str, new: str) -> bool:
        before = published.scan()
        dtype = before.collect_schema().get(missing)
        if dtype is None or dtype.is_nested():
            return False
        old_values = distinct(before.filter(pl.col(exact(missing)).is_not_null()), missing)
        new_values = set().union(*(distinct(frame, new, dtype) for frame in rows))
        return len(new_values) >= _FEWEST and len(new_values & old_values) >= _SHARE * len(new_values)

    return alike
