"""Write, audit, publish: stage a batch's rows, judge them in the same scan, then commit or block.

The order of commits is bronze, quarantine, silver; each records what it consumed in the same commit
as its rows. A run killed in between is repeated by the next one without loss or duplicate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.engine.backends.polars.scan import Scan
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.judge import Judgement, judge
from dq_pipelines.lake.ledger import batches_in, consumption, snapshot_of, transactions
from dq_pipelines.lake.publish import Mode, forget
from dq_pipelines.lake.schema_evolution import Policy
from dq_pipelines.lake.staging import Stage
from dq_pipelines.pipeline.bronze.batch import UNREADABLE, Batch
from dq_pipelines.pipeline.bronze.ingest import arrived, commit_bronze
from dq_pipelines.pipeline.bronze.landed import (
    BATCH,
    Landings,
    bronze,
    inputs_of,
    of_last_snapshot,
    outdated,
    pending_batches,
    rows_of,
)
from dq_pipelines.pipeline.bronze.landing_schema import as_bronze
from dq_pipelines.pipeline.bronze.ledger_agreement import must_agree
from dq_pipelines.pipeline.bronze.skipped_inputs import past_bad_inputs
from dq_pipelines.pipeline.preparation.batch_schema import Fit, Landed, batches_of, landed_with
from dq_pipelines.pipeline.preparation.passthrough import carrying, in_one_pass, landed_again
from dq_pipelines.pipeline.preparation.preparation import Prepared, may_drop, misread, rules_of
from dq_pipelines.pipeline.quarantine.corrections import corrected, corrections, mended_columns
from dq_pipelines.pipeline.quarantine.quarantine_status import HELD, with_dismissed
from dq_pipelines.pipeline.quarantine.refused_rows import miscast_by_column, refused_rows, unreadable_rows
from dq_pipelines.pipeline.runtime.batch_metrics import Measured
from dq_pipelines.pipeline.runtime.orphans import Orphans
from dq_pipelines.pipeline.runtime.outcome import Counts, Outcome, elapsed
from dq_pipelines.pipeline.runtime.progress import JUDGE, LAND
from dq_pipelines.pipeline.runtime.retry import patiently
from dq_pipelines.pipeline.runtime.table_run import PREVIEW_ROWS, Work, alone, reading, staged
from dq_pipelines.pipeline.silver.commit import commit, joint_id
from dq_pipelines.pipeline.silver.published_as import must_fit_rows
from dq_pipelines.pipeline.silver.remaining_rows import looked_up, staying_beside
from dq_pipelines.pipeline.silver.replacement import Replacing
from dq_pipelines.pipeline.silver.self_references import SelfReferences
from dq_pipelines.project import Silver
from dq_pipelines.sources import ROW, SOURCE


@alone
@patiently
@past_bad_inputs
def refine(work: Work) -> Outcome | None:
    """Land what is new, judge everything that silver has not consumed, and publish it or block it.

    None when there is nothing to judge. Raises SourceError, RuleError or PublishError, and has then
    published nothing to silver.
    """
    must_agree(work)
    batch = arrived(work)
    backlog = tuple(pending_batches(work.table, work.lake, work.silver, work.partition))
    if batch is None and not backlog:
        return None
    must_fit_rows(work)
    refinement = Refinement(work, batch, backlog, _superseded(work, batch, backlog))
    with staged(*refinement.stages, claim=work.claim):
        outcome = refinement.judged()
        return outcome if outcome.blocked_by else _publish(refinement, outcome)


def _superseded(work: Work, batch: Batch | None, backlog: Sequence[str]) -> dict[str, frozenset[str]]:
    """By waiting batch, what of it has landed again since: the later version takes the place of the earlier."""
    now = frozenset(item.uri for item in batch.inputs) if batch else frozenset()
    return outdated(bronze(work.table, work.lake), backlog, now) if backlog else {}


@dataclass
class Refinement:
    """One batch on its way: rows that just landed, and bronze batches that silver has not consumed."""

    work: Work
    landing: Batch | None
    backlog: tuple[str, ...]
    #: by batch of the backlog, what `_source` says of the rows in it that a later version has replaced
    superseded: Mapping[str, frozenset[str]] = field(default_factory=dict)
    #: which changes of the columns are taken on; the table's own where None
    policy: Policy | None = None
    #: what people have mended, where it was read already
    mended: pl.DataFrame | None = None
    #: the places of rows that people have given up: they are judged, and none is published
    dismissed: pl.DataFrame | None = None
    #: which one it is of several, for people
    note: str = ""
    #: `landed.first_landed`, where it was asked for already
    first: Mapping[str, int] | None = None
    #: the rows of the table itself that its rules look into, where others know them; found here where None
    parents: pl.LazyFrame | None = None

    def __post_init__(self) -> None:
        work = self.work
        self.fit = Fit(work, self.landing.rows if self.landing else None, self.policy or work.table.landed.evolution)
        self.batch = self.landing.id if self.landing else joint_id(self.backlog)
        self.bronze = work.stage(bronze(work.table, work.lake), self.batch) if self.landing else None
        self.kept = work.stage(work.silver, self.batch)
        self.refused = work.stage(work.quarantine, self.batch)
        again = self.landing.again if self.landing else ()
        self.replacing = Replacing(work, bool(self.backlog), again, self.policy == "rebuild", self.first)
        self.at_once = False
        #: whether all landing rows are staged for bronze: a pass that failed has staged some of them
        self.staged_bronze = False
        self.landing_seconds: float | None = None
        self.measured = Measured(work.table)
        # What does not fit the table is to be said before anything is read, and by the names of its own columns.
        self._take(as_bronze(self.landing.rows, self.fit.landing) if self.landing else None)
        records_only = self.landing is not None and self.landing.all_records
        if self.landing and records_only and not self.backlog and in_one_pass(self.silver, work.table.key):
            self.at_once = True
            self._take(as_bronze(self.landing.records, self.fit.landing))

    @property
    def stages(self) -> list[Stage]:
        return [stage for stage in (self.bronze, self.kept, self.refused) if stage is not None]

    @property
    def consumed(self) -> dict[str, int]:
        """What silver's and quarantine's ledgers will say of this batch."""
        landed = [self.landing.id] if self.landing else []
        return consumption([*self.backlog, *landed])

    @property
    def silver(self) -> Silver:
        return self.work.table.landed.silver

    def judged(self) -> Outcome:
        """Stage and judge the rows, and commit bronze; silver and quarantine are left staged."""
        if self.landing and self.bronze and not self.at_once:
            # Not from a cache node between bronze and the judge: it would hold most of the batch, 2.3 GB of 6 million
            # rows, since nothing stops a reader that is quicker than the sinks. This costs 5 % more CPU.
            self.work.progress.stage(LAND, self.landing.about)
            rows = self.work.progress.through(as_bronze(self.landing.rows, self.fit.landing), ROW)
            with reading(self.work, "to read its inputs"):
                collect_all([self.bronze.sink(rows)])
            self.staged_bronze = True
            self.landing_seconds = self.work.meter.lap()
            self._take(self.bronze.scan())
        self.work.progress.stage(JUDGE, self._about, self.note)
        judgement = self._judge()
        if self.landing and self.bronze and not self.fit.unlandable:
            self.work.progress.stage(LAND, self.bronze.rows, "commit")
            commit_bronze(self.work, self.landing, self.bronze, self.fit.landing)
        return self._outcome(judgement)

    def _take(self, landing: pl.LazyFrame | None) -> None:
        """Prepare the rows to judge: the backlog's, then those that just landed."""
        frames, batches = [], dict(self._waiting)
        if self.backlog:
            mended = self._mended
            frames.append(corrected(self._still_wanted(self._backlog_rows), mended))
            batches = {batch: own | mended_columns(mended, batch) for batch, own in batches.items()}
        if landing is not None:
            frames.append(landing)
            batches[self.batch] = frozenset(landing.collect_schema())
        rows = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal_relaxed")
        there = Landed.of(rows, batches.values())
        self.rows: pl.LazyFrame = there.without_others(rows) if batches else rows
        self.prepared: Prepared = self.fit.prepare(carrying(self.rows) if self.at_once else self.rows, there)
        self.columns: list[str] = self.fit.columns

    @cached_property
    def _mended(self) -> pl.DataFrame:
        return corrections(self.work.quarantine) if self.mended is None else self.mended

    @cached_property
    def _backlog_rows(self) -> pl.LazyFrame:
        return self.fit.landed.filter(pl.col(BATCH).is_in(list(self.backlog)))

    @cached_property
    def _waiting(self) -> Mapping[str, frozenset[str]]:
        """The columns that the waiting batches have landed with, of those that still count."""
        if not self.backlog:
            return {}
        rows = self._still_wanted(self._backlog_rows)
        # Nothing has replaced all rows of a batch that is judged alone, but in a rerun, which asks nothing of it then.
        batches = list(self.backlog) if len(self.backlog) == 1 and self.landing is None else batches_of(rows)
        return landed_with(bronze(self.work.table, self.work.lake), rows, batches, self.work.partition)

    def _still_wanted(self, waiting: pl.LazyFrame) -> pl.LazyFrame:
        if self.silver.mode == "overwrite":
            # A snapshot replaces whatever waits.
            last = of_last_snapshot(bronze(self.work.table, self.work.lake), self.work.partition)
            return waiting.filter(pl.lit(False) if self.landing is not None else last)
        if not any(self.superseded.values()):
            return waiting
        return waiting.join(inputs_of(self.superseded), on=[BATCH, SOURCE], how="anti", maintain_order="left")

    def _judge(self) -> Judgement:
        if self.policy == "rebuild":  # a rerun knows the parents, for it looks at all batches together
            return self._judged_with(self.parents)
        return self._references.settled(
            self._judged_with,
            lambda: self.prepared.rows,
            lambda: looked_up(self.work, self.work.table.key, self.prepared),
            lambda: (self.kept.scan(), *staying_beside(self.kept.scan(), self.work)),
        )

    @cached_property
    def _references(self) -> SelfReferences:
        return SelfReferences.of(self.work.table.key, self.silver.rules)

    @property
    def _orphans(self) -> Orphans:
        """Rows that stay, and whose parents the batch takes away; a rerun looks at all batches together."""
        if self.policy == "rebuild" or not self._references.may_lose_parents(self.silver.mode, self.silver.keys):
            return Orphans()
        kept = self.kept.scan()
        return self._references.left_behind(kept, staying_beside(kept, self.work))

    def _judged_with(self, parents: pl.LazyFrame | None) -> Judgement:
        self.parents, rows = parents, self._to_judge()
        scan = Scan(
            rows,
            rules_of(self.silver, self.prepared),
            lookup=self._lookup,
            hidden=self.prepared.hidden | {HELD},
            misread=misread(self.silver, self.prepared),
            held=HELD if HELD in rows.collect_schema() else None,
        )
        with reading(self.work, "to read and judge its rows"):
            return judge(scan, self._sinks, self.measured, again=self._again, watch=self.work.progress)

    def _to_judge(self) -> pl.LazyFrame:
        """The prepared rows, those that were dismissed marked."""
        rows = self.prepared.rows
        return rows if self.dismissed is None else with_dismissed(self.work, rows, self.dismissed)

    def _sinks(self, scan: Scan) -> Sequence[pl.LazyFrame]:
        landing, unread = [], self.rows
        if self.landing and self.bronze and not self.staged_bronze:
            unread = as_bronze(self.landing.lines, self.fit.landing).cache()
            every = pl.concat([landed_again(scan.marked), unread])
            landing = [self.bronze.sink(every)]
        refused = [refused_rows(rows, self.columns) for rows in (scan.refused, *self.prepared.refused)]
        quarantined = pl.concat([*refused, unreadable_rows(unread, self.columns)])
        kept = self.replacing.rows(scan.kept)
        columns = [*self.columns, *self.replacing.arrival(kept)]
        return [*landing, self.kept.sink(kept.select(exact_names(columns))), self.refused.sink(quarantined)]

    def _again(self) -> pl.LazyFrame:
        """The rows to judge, read from what was just staged rather than from the source once more."""
        self.staged_bronze = True
        if self.bronze is not None:
            self._take(self.bronze.scan())
        return self._to_judge()

    def _lookup(self, key: str) -> pl.LazyFrame:
        return looked_up(self.work, key, self.prepared, self.parents)

    def _outcome(self, judgement: Judgement) -> Outcome:
        rows_in = self.rows.select(pl.len()).collect(engine="streaming").item()
        unreadable = self.rows.filter(pl.col(UNREADABLE).is_not_null()).select(pl.len()).collect().item()
        split_off = self.refused.rows - judgement.refused - unreadable
        counts = Counts(
            rows_in=rows_in,
            published=self.kept.rows,
            refused=self.refused.rows,
            dropped_by_rules=judgement.dropped,
            dropped_by_transform=rows_in - unreadable - split_off - judgement.rows if may_drop(self.silver) else 0,
            superseded=0
            if self.replacing.keys_are_judged and self.silver.order_by is None
            else judgement.kept - self.kept.rows,
            unreadable=unreadable,
            missing_from_files=self._missing_from_files,
        )
        return Outcome(
            table=self.work.table.key,
            batch=self.batch,
            results=(*judgement.results, *self.fit.told(self.kept, self.refused)),
            counts=counts,
            started_at=self.work.now,
            partition=self.work.partition,
            drift=self.fit.drift,
            sources=tuple(item.uri for item in self.landing.inputs) if self.landing else (),
            files=self.landing.files if self.landing else (),
            passed_over=self.landing.passed_over if self.landing else (),
            renamed=self.landing.renamed if self.landing else (),
            schema=dict(self.kept.schema),
            miscast=miscast_by_column(self.refused.scan()),
            preview=self.kept.scan().select(exact_names(self.columns)).head(PREVIEW_ROWS).collect(),
            seconds=elapsed(self.work.now),
            metrics=self.measured.batch(judgement, self.kept, self.work, self.landing_seconds, self._landed_at),
            replaces=self.silver.mode == "overwrite",
            orphans=self._orphans,
        )

    @property
    def _missing_from_files(self) -> int:
        """Records that the files of the batch hold, by their lines, and bronze does not."""
        records = self.landing.records_in_files if self.landing else None
        return records - self.bronze.rows if records is not None and self.bronze is not None else 0

    @property
    def _about(self) -> int | None:
        """How many rows are to be judged, about."""
        if self.landing is None:
            return (
                rows_of(bronze(self.work.table, self.work.lake), self.backlog) if self.work.partition is None else None
            )
        if self.backlog:
            return None
        return self.landing.about if self.at_once or self.bronze is None else self.bronze.rows

    @property
    def _landed_at(self) -> datetime | None:
        """When the newest input was written; None where inputs have no time of their own, or none came."""
        return self.landing.written_at if self.landing is not None else None


def _publish(refinement: Refinement, outcome: Outcome) -> Outcome:
    work, mode = refinement.work, refinement.silver.mode
    before = transactions(work.quarantine)
    forget(refinement.refused, batches_in(name for name in refinement.consumed if name in before))
    modes: tuple[Literal["append"], Mode] = ("append", mode)
    consumed, noted = refinement.consumed, _snapshot(work, refinement) if mode == "overwrite" else {}
    return commit(work, outcome, refinement.kept, refinement.refused, modes, consumed, before, noted)


def _snapshot(work: Work, refinement: Refinement) -> dict[str, int]:
    """What silver notes of a batch that replaces all before it: when it landed, where bronze has noted that."""
    landings = Landings.of(bronze(work.table, work.lake))
    moments = [landings.batches[batch] for batch in batches_in(refinement.consumed) if batch in landings.batches]
    return {snapshot_of(work.partition): max(moments)} if moments else {}
