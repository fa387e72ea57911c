"""What is to be done with one batch of a table, said before any row of it is read.

A plan is a frozen value: what lands, what waits, how the rows are read, which columns they get and which of them replace others.
`judged_batch` does what it says, `commit` publishes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

import polars as pl

from dq_pipelines.engine.backends.base import StagingScan
from dq_pipelines.engine.backends.registry import staging_backend
from dq_pipelines.lake.ledger import consumption
from dq_pipelines.lake.schema_evolution import Change, Drift, Policy
from dq_pipelines.lake.tables import TableOrSnapshot
from dq_pipelines.pipeline.bronze.batch import Batch
from dq_pipelines.pipeline.bronze.ingest import arrived
from dq_pipelines.pipeline.bronze.landed import bronze, first_landed, outdated, pending_batches
from dq_pipelines.pipeline.bronze.landed_names import resolved
from dq_pipelines.pipeline.bronze.landing_schema import as_bronze, landing_drift, own_schema, schema_of
from dq_pipelines.pipeline.bronze.ledger_agreement import must_agree
from dq_pipelines.pipeline.preparation.batch_schema import FittedBatch, TableColumns, fit_batch
from dq_pipelines.pipeline.preparation.passthrough import in_one_pass
from dq_pipelines.pipeline.preparation.preparation import misread, rules_of
from dq_pipelines.pipeline.quarantine.corrections import corrections
from dq_pipelines.pipeline.quarantine.quarantine_status import IS_DISMISSED, dismissed, with_dismissed
from dq_pipelines.pipeline.runtime.layers import Layers
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.backlog import Backlog, Outdated, backlog_of, joint_id
from dq_pipelines.pipeline.silver.published_as import must_fit_rows
from dq_pipelines.pipeline.silver.remaining_rows import looked_up
from dq_pipelines.pipeline.silver.replacement import Replacing
from dq_pipelines.pipeline.silver.self_references import SelfReferences
from dq_pipelines.project import Silver


class Strategy(Enum):
    """How the rows of a batch are read."""

    #: the inputs are read once: bronze's files are written from the rows that are judged
    ONE_PASS = auto()
    #: the inputs are staged for bronze first, and judged from the staged files
    STAGED_FIRST = auto()
    #: nothing lands: all rows are in bronze
    FROM_BRONZE = auto()


def strategy_of(silver: Silver, key: str, landing: Batch | None, waiting: Iterable[str]) -> Strategy:
    """How a batch of the table `key` is read, which lands these inputs and takes along these waiting batches."""
    if landing is None:
        return Strategy.FROM_BRONZE
    # Rows that bronze cannot hold as they are take another way than records; waiting rows are in bronze already.
    if landing.all_records and not tuple(waiting) and in_one_pass(silver, key):
        return Strategy.ONE_PASS
    return Strategy.STAGED_FIRST


@dataclass(frozen=True)
class BatchPlan:
    """One batch on its way: inputs that land, and bronze batches that silver has not consumed."""

    run: TableRun
    #: its id, which names the folders of its staged files
    batch: str
    #: the new inputs, their rows in bronze's types; None where only waiting batches are judged
    landing: Batch | None
    backlog: Backlog
    strategy: Strategy
    #: how the rows that land differ from bronze; None where nothing lands, or bronze is not there yet
    landing_drift: Drift | None
    #: the rows to judge
    fitted: FittedBatch
    #: which of the kept rows are published
    replacing: Replacing
    #: the places of rows that people have given up: they are judged, and none is published
    dismissed: pl.DataFrame | None = None
    #: the rows of the table itself that its rules look into; None where these are the judged rows and those that may stay
    parents: pl.LazyFrame | None = None
    #: which one it is of several, for people
    note: str = ""

    @property
    def silver(self) -> Silver:
        return self.run.table.landed.silver

    @property
    def is_part_of_rerun(self) -> bool:
        """Whether other batches are judged as well, and all of them are published together."""
        return self.fitted.table.policy == "rebuild"

    @property
    def consumed(self) -> dict[str, int]:
        """What silver's and quarantine's ledgers will say of this batch."""
        return consumption([*self.backlog.batches, *([self.landing.id] if self.landing else [])])

    @property
    def unlandable(self) -> tuple[Change, ...]:
        """The changes of columns for which the rows cannot land."""
        return self.landing_drift.refused if self.landing_drift else ()

    @property
    def references(self) -> SelfReferences:
        return SelfReferences.of(self.run.table.key, self.silver.rules)

    def reading(self, landing: pl.LazyFrame) -> BatchPlan:
        """The same plan, with the rows that land read from elsewhere: from staged files, say."""
        carried = self.strategy is Strategy.ONE_PASS
        return replace(self, fitted=_fitted(self.fitted.table, self.backlog, landing, carried=carried))

    def scan(self) -> StagingScan:
        """The rows with the rules that judge them."""
        prepared = self.fitted.prepared
        rows = prepared.rows if self.dismissed is None else with_dismissed(self.run, prepared.rows, self.dismissed)
        return staging_backend().scan(
            rows,
            rules_of(self.silver, prepared),
            lookup=lambda key: looked_up(self.run, key, prepared, self.parents),
            hidden=prepared.hidden | {IS_DISMISSED},
            misread=misread(self.silver, prepared),
            held=IS_DISMISSED if IS_DISMISSED in rows.collect_schema() else None,
        )


def _fitted(
    table: TableColumns, backlog: Backlog, landing: pl.LazyFrame | None, *, carried: bool = False
) -> FittedBatch:
    """The rows of the backlog, then those that land."""
    own = [] if landing is None else [landing]
    waiting = [] if backlog.rows is None else [backlog.rows]
    columns = [*backlog.columns.values(), *(frozenset(rows.collect_schema()) for rows in own)]
    return fit_batch([*waiting, *own], columns, table, carried=carried)


def plan_batch(run: TableRun) -> BatchPlan | None:
    """What is new, and everything that silver has not consumed, as one batch; None when there is nothing to judge.

    Raises SourceError where an input cannot be opened, RuleError where the rows do not go with the YAML, and PublishError
    where the table does not.
    """
    layers = must_agree(run)
    landing = arrived(run, layers.bronze)
    waiting = tuple(pending_batches(run.table, run.lake, layers.silver, run.partition, layers.bronze))
    if landing is None and not waiting:
        return None
    must_fit_rows(run, layers.silver)
    before = layers.bronze if layers.bronze.exists else None
    table = table_columns(run, before.schema if before else None, landing, run.table.landed.evolution, layers.silver)
    backlog, differs = Backlog(), None
    if before is not None and waiting:
        replaced = _replaced(layers, waiting, landing)
        backlog = backlog_of(run, waiting, before.scan(), replaced, something_lands=landing is not None)
    if before is not None and landing is not None:
        differs = landing_drift(run, landing.rows, table.bronze)
        records, lines = (as_bronze(rows, differs) for rows in (landing.records, landing.lines))
        landing = replace(landing, records=records, lines=lines)
    return BatchPlan(
        run=run,
        batch=landing.id if landing else joint_id(waiting),
        landing=landing,
        backlog=backlog,
        strategy=strategy_of(run.table.landed.silver, run.table.key, landing, waiting),
        landing_drift=differs,
        # What does not fit the table is to be said before anything is read, and by the names of its own columns.
        fitted=_fitted(table, backlog, landing.rows if landing else None),
        replacing=Replacing(run, bool(waiting), landing.again if landing else ()),
    )


@dataclass(frozen=True)
class RerunInputs:
    """What a rerun knows of the table before it judges the first of its batches."""

    #: bronze's rows
    landed: pl.LazyFrame
    table: TableColumns
    #: what people have mended
    mended: pl.DataFrame
    #: the places of rows that people have given up
    dismissed: pl.DataFrame
    #: `landed.first_landed`
    first: Mapping[str, int]


def rerun_inputs(run: TableRun) -> RerunInputs:
    """What the lake says of the table, read once for all batches of a rerun; bronze is not empty."""
    table, silver = bronze(run.table, run.lake), run.table.landed.silver
    landed = table.scan()
    return RerunInputs(
        landed,
        table_columns(run, landed.collect_schema(), None, "rebuild", run.silver),
        corrections(run.quarantine),
        dismissed(run),
        first_landed(table) if silver.mode == "merge" else {},
    )


def plan_part_of_rerun(
    run: TableRun, batch: str, outdated: frozenset[str], inputs: RerunInputs, note: str
) -> BatchPlan:
    """One bronze batch of a rerun, judged as the batch that it was; `outdated` are its inputs of which a later version counts."""
    backlog = backlog_of(run, (batch,), inputs.landed, {batch: outdated}, inputs.mended, something_lands=False)
    return BatchPlan(
        run=run,
        batch=batch,
        landing=None,
        backlog=backlog,
        strategy=Strategy.FROM_BRONZE,
        landing_drift=None,
        fitted=_fitted(inputs.table, backlog, None),
        replacing=Replacing(run, waited=True, is_part_of_rerun=True, first_landed=inputs.first),
        dismissed=inputs.dismissed,
        note=note,
    )


def _replaced(layers: Layers, waiting: Sequence[str], landing: Batch | None) -> Outdated:
    """By waiting batch, what of it has landed again since: the later version takes the place of the earlier."""
    replaces = landing is not None and not landing.source.continues
    arriving = frozenset(item.uri for item in landing.inputs) if landing and replaces else frozenset()
    return outdated(layers.bronze, waiting, arriving)


def table_columns(
    run: TableRun, landed: pl.Schema | None, landing: Batch | None, policy: Policy, published: TableOrSnapshot
) -> TableColumns:
    """The columns of the table before a batch that lands these inputs; `landed` are bronze's columns, `published` is silver."""
    own = pl.Schema() if landed is None else own_schema(landed)
    coming = [] if landing is None else landing.rows.collect_schema().names()
    return TableColumns(
        resolved(run.table.landed.silver, [*coming, *own]),
        own,
        # What a rerun makes is put together, and compared, when all of it is there.
        None if policy == "rebuild" else schema_of(published),
        policy,
        run.silver,
    )
