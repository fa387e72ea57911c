"""How the rows of a batch differ from silver, by its policy. How they differ from bronze belongs in `landing_schema`.

What a difference is, and what a policy allows, belongs in `lake.schema_evolution`; how it is told, in `schema_check`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl
from pyarrow import fs
from pyarrow import parquet as pq

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.config.stores import filesystem
from dq_pipelines.engine.results.reasons import as_text
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.lake.failures import reached
from dq_pipelines.lake.schema_evolution import Change, Drift, Policy, conformed, drift
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import PARTITION, LakeTable
from dq_pipelines.pipeline.bronze.batch import SYSTEM_COLUMNS
from dq_pipelines.pipeline.bronze.landed import BATCH, bronze
from dq_pipelines.pipeline.bronze.landed_names import resolved
from dq_pipelines.pipeline.bronze.landing_schema import about_to_be_published, landing_drift, own_schema, schema_of
from dq_pipelines.pipeline.preparation.preparation import Prepared, prepare
from dq_pipelines.pipeline.runtime.schema_check import drift_result
from dq_pipelines.pipeline.runtime.table_run import Work, over_all_partitions
from dq_pipelines.project import Silver
from dq_pipelines.transforms.types import dtype_of

#: Values are alike where so many distinct ones of the first rows, and this share of them, were published before.
_FEWEST, _SHARE, _LOOKED_AT = 5, 0.5, 1_000


@dataclass(frozen=True)
class Landed:
    """Which landed columns the rows of a batch have, where several bronze batches may be judged together."""

    #: those that any of them has, with their types
    columns: Mapping[str, pl.DataType]
    #: of these, the ones that not all of them have
    partly: frozenset[str]

    @classmethod
    def of(cls, rows: pl.LazyFrame, batches: Iterable[frozenset[str]]) -> Landed:
        """What `rows` have of the columns with which the `batches` landed."""
        each = list(batches)
        there = {
            name: dtype for name, dtype in rows.collect_schema().items() if name not in (*SYSTEM_COLUMNS, PARTITION)
        }
        some = frozenset().union(*each)
        return cls(
            {name: dtype for name, dtype in there.items() if name in some},
            some.difference(frozenset.intersection(*each)) if each else frozenset(),
        )

    def without_others(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """`rows` without the columns that other batches have brought into bronze."""
        others = [name for name in rows.collect_schema() if name not in (*SYSTEM_COLUMNS, PARTITION, *self.columns)]
        return rows.drop(exact_names(others))

    def absent(self, silver: Silver, before: Mapping[str, pl.DataType], known: Iterable[str]) -> dict[str, str]:
        """Declared columns that did not land, but did or were published before; with the landed column they lack."""
        found = {}
        for name, column in silver.columns.items():
            sources = column.sources or (name,)
            if not any(source in self.columns for source in sources) and (
                name in before or any(source in known for source in sources)
            ):
                found[name] = next((source for source in sources if source in known), sources[0])
        return found

    def lacking(self, silver: Silver) -> set[str]:
        """Published columns of which some of the rows have no landed one."""
        declared = {
            name for name, column in silver.columns.items() if self.partly.issuperset(column.sources or (name,))
        }
        return declared | {name for name in self.partly if name not in silver.columns}


class Fit:
    """A batch's columns on their way into silver; `prepare` may be called again, as rows are read from elsewhere."""

    def __init__(self, work: Work, landing: pl.LazyFrame | None, policy: Policy) -> None:
        self._work, self._policy = work, policy
        # What a rerun makes is put together, and compared, when all of it is there.
        self._before = None if policy == "rebuild" else schema_of(work.silver)
        there = bronze(work.table, work.lake).published()
        #: bronze as it was before the batch, opened once: a rerun does this for each of its batches
        self.landed = pl.LazyFrame() if there is None else there.scan()
        self._bronze = own_schema(self.landed)
        landed = [] if landing is None else landing.collect_schema().names()
        self._silver = resolved(work.table.landed.silver, [*landed, *self._bronze])
        #: how the rows that land differ from bronze
        self.landing = None if landing is None or there is None else landing_drift(work, landing, self._bronze)

    @property
    def unlandable(self) -> tuple[Change, ...]:
        """The changes for which the rows cannot land."""
        return self.landing.refused if self.landing else ()

    def prepare(self, rows: pl.LazyFrame, there: Landed) -> Prepared:
        """Type and transform the rows, and give them the columns that the table has or takes on."""
        absent = there.absent(self._silver, self._before or {}, self._bronze)
        prepared = prepare(self._silver, filled(rows, absent, self._silver))
        #: those that are published
        self.columns = prepared.columns
        self._after = about_to_be_published(prepared.rows, self.columns, self._work.silver)
        partly = there.lacking(self._silver) & set(self.columns)
        self._lacking = {name: self._after[name] for name in partly} | {
            name: self._bronze.get(source, pl.String()) for name, source in absent.items()
        }
        #: how the rows differ from silver; None before it is made
        self.drift = self._drift()
        if self.drift is None or self.drift.refused:
            return prepared
        self.columns = list(self.drift.schema)
        return replace(prepared, rows=conformed(prepared.rows, self.drift.schema))

    def told(self, kept: Stage, refused: Stage) -> list[RuleResult]:
        """What is said of the columns; of a part of a rerun nothing, since that is told of the whole."""
        if self._policy == "rebuild":
            return []
        found = self.drift
        if found is not None and {"missing", "new"} <= {change.kind for change in found.changes}:
            # Whether a column has another name now is also told by what was just staged; it decides nothing.
            found = self._drift(alike_by_values(self._work.silver, [kept.scan(), refused.scan()]))
        return [drift_result(found, self._silver.columns, self.unlandable, over_all_partitions(self._work.table))]

    def _drift(self, alike: Callable[[str, str], bool] | None = None) -> Drift | None:
        if self._before is None:
            return None
        return drift(self._before, self._after, self._policy, lacking=self._lacking, alike=alike)


def batches_of(rows: pl.LazyFrame) -> list[str]:
    """The bronze batches that these rows landed with."""
    return rows.select(BATCH).unique().collect(engine="streaming")[BATCH].to_list()


def landed_with(
    landed: LakeTable, rows: pl.LazyFrame, batches: Iterable[str], partition: str | None
) -> dict[str, frozenset[str]]:
    """The columns that each of these bronze batches landed with; `rows` are theirs.

    Read from the batch's own files, since a table shows every column in every row. Where they are gone (somebody has
    compacted bronze, and vacuumed), a column that has no value in a batch counts as absent from it.
    """
    found = {}
    for batch in batches:
        own = _own_columns(landed, Stage(landed, batch, partition).folder)
        if own is None:
            values = (
                rows.filter(pl.col(BATCH) == batch).select(pl.all().is_not_null().any()).collect(engine="streaming")
            )
            own = frozenset(name for name, there in values.row(0, named=True).items() if there)
        found[batch] = own - {*SYSTEM_COLUMNS, PARTITION}
    return found


def _own_columns(landed: LakeTable, folder: str) -> frozenset[str] | None:
    """Those of any file in a batch's folder: all attempts to land it wrote the same ones."""
    with reached(landed.key, landed.uri):
        files, root = filesystem(landed.uri)
        for info in files.get_file_info(fs.FileSelector(f"{root}/{folder}", recursive=True, allow_not_found=True)):
            if info.type is fs.FileType.File:
                with files.open_input_file(info.path) as stream:
                    return frozenset(pq.read_schema(stream).names)
    return None


def filled(rows: pl.LazyFrame, absent: Mapping[str, str], silver: Silver) -> pl.LazyFrame:
    """`rows` with nulls for the declared columns that did not land, so that steps and rules find them."""
    nulls = {source: dtype_of(silver.columns[name].type) for name, source in absent.items()}
    return rows.with_columns(pl.lit(None, dtype=dtype).alias(source) for source, dtype in nulls.items())


def alike_by_values(published: LakeTable, rows: Sequence[pl.LazyFrame]) -> Callable[[str, str], bool]:
    """Whether a missing column's published values are those of a new column in any of `rows`."""

    def distinct(frame: pl.LazyFrame, name: str, dtype: pl.DataType | None = None) -> set[str]:
        if name not in frame.collect_schema():
            return set()
        values = frame.select(pl.col(exact(name))).head(_LOOKED_AT)
        if dtype is not None and dtype.is_numeric():
            values = values.cast(dtype, strict=False)
        return set(values.select(as_text(pl.col(exact(name)))).collect(engine="streaming")[name].drop_nulls())

    def alike(gone: str, new: str) -> bool:
        there = published.scan()
        dtype = there.collect_schema().get(gone)
        if dtype is None or dtype.is_nested():
            return False
        known = distinct(there.filter(pl.col(exact(gone)).is_not_null()), gone)
        found = set().union(*(distinct(frame, new, dtype) for frame in rows))
        return len(found) >= _FEWEST and len(found & known) >= _SHARE * len(found)

    return alike
