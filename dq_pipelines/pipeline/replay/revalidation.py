"""Refused rows judged again, by today's types, steps and rules; nothing is written. What becomes of them belongs in `replay`.

A row is judged from bronze, with what a person has mended in it laid over. Rules on keys, order and means are about
the batch that the row came with, so where there are such, the whole batch is judged and the waiting rows taken out of
it. Rules on the whole table are not asked: they were about batches that have come and gone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.engine.backends.base import StagingScan
from dq_pipelines.engine.backends.registry import staging_backend
from dq_pipelines.engine.judge import judge
from dq_pipelines.engine.results.reasons import REASONS
from dq_pipelines.errors import RuleError
from dq_pipelines.pipeline.bronze.landed import BATCH, RowsByBatch, bronze, first_landed, of_last_snapshot
from dq_pipelines.pipeline.preparation.preparation import Prepared, hangs_on_others, misread, prepare, rules_of
from dq_pipelines.pipeline.quarantine.corrections import corrected, corrections
from dq_pipelines.pipeline.quarantine.provenance import PROVENANCE_COLUMNS, missing_provenance
from dq_pipelines.pipeline.quarantine.refused_rows import (
    CORRECTION,
    ID,
    PLACE,
    identity,
    refused_rows,
    unreadable_rows,
)
from dq_pipelines.pipeline.runtime.table_run import TableRun, must_be_judged
from dq_pipelines.pipeline.silver.key_versions import in_rank, overtaken
from dq_pipelines.pipeline.silver.precedence import unbeaten
from dq_pipelines.pipeline.silver.remaining_rows import looked_up
from dq_pipelines.project import Silver
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.on_rows import RowRule
from dq_pipelines.sources import ROW, SOURCE
from dq_pipelines.sources.failures import broken


@dataclass(frozen=True)
class Rejudgement:
    """Waiting rows of a table, or of one partition of it, and a folder for what the judgement finds."""

    run: TableRun
    #: quarantine rows, each once, with what was mended in them
    waiting: pl.DataFrame
    folder: Path

    @property
    def silver(self) -> Silver:
        return self.run.table.landed.silver

    @property
    def places(self) -> pl.LazyFrame:
        """Where the rows stand in bronze."""
        return self.waiting.lazy().select(PLACE)

    @cached_property
    def _landed(self) -> pl.LazyFrame:
        return bronze(self.run.table, self.run.lake).scan()

    @cached_property
    def _mended(self) -> pl.DataFrame:
        return pl.concat([corrections(self.run.quarantine), self._edited]).unique(PLACE, keep="last")

    def prepared(self) -> Prepared:
        """The waiting rows before they are judged, without the rows that they came with."""
        return prepare(self.silver, corrected(self._landed.join(self.places, on=PLACE, how="semi"), self._mended))

    def judged(self, parents: pl.LazyFrame | None = None) -> tuple[pl.LazyFrame, pl.DataFrame]:
        """The rows that pass, as they will be published, with their places; and the others with their reasons.

        `parents` are the rows of the table that its rules look into, where others know them.
        """
        kept, refused, folder = [], [], Path(tempfile.mkdtemp(dir=self.folder))
        for number, rows in enumerate(self._together_judged(self._landed)):
            files = folder / f"{number}.kept.parquet", folder / f"{number}.refused.parquet"
            self._judge(corrected(rows, self._mended), parents, *files)
            kept.append(pl.scan_parquet(files[0]))
            refused.append(pl.scan_parquet(files[1]))
        failing = pl.concat(refused).select(ID, SOURCE, ROW, REASONS).unique(ID, maintain_order=True).collect()
        passing = pl.concat(kept, how="diagonal_relaxed").join(failing.lazy(), on=ID, how="anti", maintain_order="left")
        return passing, failing

    def _together_judged(self, landed: pl.LazyFrame) -> Iterator[pl.LazyFrame]:
        """The landed rows to judge: the waiting ones alone where a row's verdict hangs on no other, else their batches."""
        if not hangs_on_others(self.silver, self.silver.rules):
            yield landed.join(self.places, on=PLACE, how="semi")
            return
        rows = RowsByBatch(bronze(self.run.table, self.run.lake).snapshot())
        yield from map(rows.of, self.waiting[BATCH].unique(maintain_order=True))

    def _judge(self, rows: pl.LazyFrame, parents: pl.LazyFrame | None, kept: Path, refused: Path) -> None:
        prepared = prepare(self.silver, rows)
        self._must_be_traced(prepared)
        scan = staging_backend().scan(
            prepared.rows,
            _refusing(rules_of(self.silver, prepared)),
            lookup=lambda key: looked_up(self.run, key, prepared, parents),
            hidden=prepared.hidden,
            misread=misread(self.silver, prepared),
        )

        def sinks(scan: StagingScan) -> list[pl.LazyFrame]:
            passing = scan.kept.join(self.places, on=PLACE, how="semi", maintain_order="left")
            parts = [refused_rows(part, prepared.columns) for part in (scan.refused, *prepared.refused)]
            failing = pl.concat([*parts, unreadable_rows(rows, prepared.columns)])
            failing = failing.join(self.places, on=PLACE, how="semi", maintain_order="left")
            wanted = passing.select(*exact_names(prepared.columns), *PROVENANCE_COLUMNS, identity().alias(ID))
            return [wanted.sink_parquet(kept, lazy=True), failing.sink_parquet(refused, lazy=True)]

        with broken(self.run.table.key, "to judge its refused rows again"):
            judgement = judge(scan, sinks)
        must_be_judged(self.run.table.key, judgement)

    @property
    def _edited(self) -> pl.DataFrame:
        return self.waiting.filter(pl.col(CORRECTION).is_not_null()).select(*PLACE, CORRECTION)

    def _must_be_traced(self, prepared: Prepared) -> None:
        if what_is_missing := missing_provenance(self.run.table.key, prepared.rows.collect_schema()):
            raise RuleError(f"{what_is_missing}, so that refused rows cannot be told apart: use mode: rerun, or let it")


def not_overtaken(run: TableRun, passing: pl.LazyFrame) -> pl.LazyFrame:
    """The rows that still have their place in the table: none is to replace what has come and was published after it."""
    silver = run.table.landed.silver
    if silver.mode == "overwrite":
        # A snapshot takes the place of the one before, refused rows and all.
        return passing.filter(of_last_snapshot(bronze(run.table, run.lake), run.partition))
    if silver.mode == "append":
        return passing
    first = first_landed(bronze(run.table, run.lake))
    beaten = overtaken(silver, passing, in_rank(run, first), first, ID)
    still = passing.join(beaten, on=ID, how="anti", maintain_order="left")
    return unbeaten(still, silver, run.silver)


def _refusing(rules: list[Rule]) -> list[Rule]:
    """The rules on rows that a row must meet to be published, each refusing the row alone."""
    return [
        rule.model_copy(update={"on_failure": "quarantine"}) if rule.action == "block" else rule
        for rule in rules
        if isinstance(rule, RowRule) and rule.action in ("block", "quarantine", "drop")
    ]
