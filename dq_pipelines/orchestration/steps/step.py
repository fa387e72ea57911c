"""A step of a run: of one table, or one partition of it, it lands, judges and publishes what was selected, and tells Dagster what became of it.

How a step goes over a range of partitions is said in `partition_range`. Which assets and checks a table has is said in `assets`; what landing, judging and publishing are, in `ingest`, `modes` and `gold`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import dagster as dg

from dq_pipelines.errors import PublishError, SetAside, SourceError, nearest
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.records import VerdictRecord
from dq_pipelines.orchestration.checks.anomaly_checks import anomalies_of, anomaly_results
from dq_pipelines.orchestration.checks.evaluations import evaluation
from dq_pipelines.orchestration.checks.metadata import gold_lineage, landed_metadata, published_metadata, silver_lineage
from dq_pipelines.orchestration.checks.rule_checks import (
    Evaluations,
    asset_key,
    encoding_guessed,
    encoding_key,
    inputs_readable,
    inputs_readable_key,
    inputs_unassigned,
    inputs_unassigned_key,
)
from dq_pipelines.orchestration.steps.attempts import Attempting, Blocked, attempting, run_end
from dq_pipelines.orchestration.steps.cancellation import unless_cancelled
from dq_pipelines.orchestration.steps.failures import failing_in_a_sentence
from dq_pipelines.orchestration.steps.progress_events import reporter
from dq_pipelines.orchestration.steps.upstream_tables import must_have_passed
from dq_pipelines.pipeline import gold
from dq_pipelines.pipeline.bronze import encodings, ingest
from dq_pipelines.pipeline.bronze.batch import Batch
from dq_pipelines.pipeline.bronze.new_inputs import new_inputs
from dq_pipelines.pipeline.bronze.skipped_inputs import as_result, standing_aside
from dq_pipelines.pipeline.bronze.unassigned_inputs import nothing_there, sentence, unassigned
from dq_pipelines.pipeline.current_status import standing_now
from dq_pipelines.pipeline.runtime.dead_attempts import settle
from dq_pipelines.pipeline.runtime.outcome import Outcome
from dq_pipelines.pipeline.runtime.progress import Reporter
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.pipeline.runtime.table_run import Work, judge_published, of_partition
from dq_pipelines.pipeline.runtime.verdict_recovery import recollect, without_history
from dq_pipelines.pipeline.silver.modes import MODES
from dq_pipelines.pipeline.silver.published_as import must_fit_partitions
from dq_pipelines.project import Table
from dq_pipelines.project.checked_rules import checked_rules
from dq_pipelines.sources import PassedOver

#: A run's tag and an op's configuration say how: only what is new, or everything anew.
MODE_TAG = "dq/mode"
#: On a run: who has launched it.
USER_TAG = "dq/user"

Yielded = dg.AssetCheckResult | dg.AssetCheckEvaluation | dg.MaterializeResult[Any]


@dataclass(frozen=True)
class TableStep:
    """One step of one run: what was selected of one table."""

    context: dg.AssetExecutionContext
    table: Table
    stores: Stores
    #: the one that is at work; None where the table has none
    partition: str | None = None
    #: which one it is of several, for people
    place: str = ""

    def landed(self) -> Generator[Yielded, None, None]:
        """Bronze, silver, quarantine and their checks; only what is selected is yielded."""
        wanted = {key.path[0] for key in self._selected}
        self._work.may_commit()  # what was cancelled before it began does not begin
        with self._failing, self._attempting as attempt:
            try:
                if wanted or self.partition is not None:
                    must_fit_partitions(self._work)
                if not wanted:
                    yield from self._judge_published(attempt)
                elif wanted == {"bronze"}:
                    with self._progress.going_on():
                        batch = ingest.land(self._work)
                    attempt.ends("published", "bronze alone was selected")
                    yield from self._bronze(batch)
                else:
                    must_have_passed(self.table, self.stores.history)
                    with self._progress.going_on():
                        outcome = MODES[self._mode](self._work)
                    yield from self._told(outcome, attempt)
            except SetAside:
                yield from self._inputs()
                raise

    def gold(self) -> Iterator[Yielded]:
        with self._failing, self._attempting as attempt:
            if not self._selected:
                yield from self._judge_published(attempt)
            else:
                must_have_passed(self.table, self.stores.history)
                with self._progress.going_on():
                    outcome = gold.compute(self._work)
                yield from self._told(outcome, attempt)

    @property
    def _failing(self) -> AbstractContextManager[None]:
        return failing_in_a_sentence(self.stores, self.table, self.partition, self.context.run.run_id)

    @property
    def _attempting(self) -> AbstractContextManager[Attempting]:
        """This step's attempt. What runs before it left untold, since they were killed, is told first."""
        settle(self.stores, run_end(self.context.instance))
        recollect(self.stores.lake, self.table.key, self.stores.history, self.context.log.info)
        run_id = self.context.run.run_id
        return attempting(self.stores, self.table, self.partition, run_id, recheck=not self._selected)

    def _told(self, outcome: Outcome | None, attempt: Attempting) -> Iterator[Yielded]:
        """History first, then what was materialized, then the check results, which Dagster ties to the newest materialization.

        The rows are published by now, or the batch is blocked: then its results belong to no materialization, and the
        step ends.
        """
        if outcome is None:
            attempt.ends("nothing_new")
            yield from self._bronze_if_selected(None)
            yield from self._nothing_new()
            return
        record = outcome.record(self.context.run.run_id, checked_rules(self.table))
        if marks := [] if self.table.is_gold else standing_aside(self._work):
            record = replace(record, results=(*record.results, as_result(marks)))
        if unsure := encodings.in_doubt(outcome.files):
            record = replace(record, results=(*record.results, encodings.as_result(unsure)))
        found = self._recorded(record)
        blocked = outcome.why_blocked
        attempt.ends("blocked" if blocked else "published", blocked, outcome.batch)
        yield from self._bronze_if_selected(outcome)
        stands = standing_now(self.stores, self.table.key)
        results = [
            *Evaluations.of(self.table, outcome, stands).yield_selected(self._checks),
            *anomaly_results(self.table, found, self._checks),
        ]
        if blocked:
            # Dagster itself would tie them to the materialization before, which they did not judge.
            yield from (evaluation(self.context, result, self.partition) for result in results)
            raise Blocked(blocked, allow_retries=False)
        if said := outcome.orphans.sentence(outcome.table):
            self.context.log.warning("%s", said)
        yield from self._materialized(outcome, record.score, _status(stands))
        yield from results

    def _recorded(self, record: VerdictRecord) -> Sequence[Any]:
        """Remember a verdict, and hold what its batch measured against the past, now that it is a point of its series."""
        try:
            self.stores.history.record(record)
        except PublishError as error:
            raise type(error)(f"{error}; {without_history(record)}") from None
        found = anomalies_of(self.table, self.stores.history, record.batch or None)
        if found:
            results = (*record.results, *(watched.result() for watched in found))
            self.stores.history.record(replace(record, results=results))
        return found

    def _materialized(
        self, outcome: Outcome, score: float, status: dict[str, Any]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        versions = {publication.key: publication.version for publication in outcome.publications}
        for key in self._selected:
            name = key.to_user_string()
            if key.path[0] == "quarantine":
                yield dg.MaterializeResult(key, metadata=self._row_count(name) | {"refused": outcome.counts.refused})
            elif key.path[0] != "bronze":
                metadata = published_metadata(self.table, outcome, self._work.lake.table(name), score)
                lineage = self._lineage(outcome)
                yield dg.MaterializeResult(
                    key,
                    metadata=metadata | status | ({"dagster/column_lineage": lineage} if lineage else {}),
                    data_version=dg.DataVersion(str(versions.get(name))),
                )

    def _lineage(self, outcome: Outcome) -> dg.TableColumnLineage | None:
        if not self.table.is_gold:
            return silver_lineage(self.table, outcome.schema)
        lake = self.stores.lake
        return gold_lineage(self.table, {k: lake.table(k).scan().collect_schema().names() for k in self.table.inputs})

    def _bronze_if_selected(self, outcome: Outcome | None) -> Iterator[Yielded]:
        if "bronze" in {key.path[0] for key in self._selected}:
            yield from self._bronze(outcome)

    def _bronze(self, landed: Batch | Outcome | None) -> Iterator[Yielded]:
        """What landed in this run, if anything did."""
        key = f"bronze/{self.table.name}"
        told = landed_metadata(landed.files, landed.passed_over, landed.renamed) if landed is not None else {}
        yield dg.MaterializeResult(asset_key(key), metadata=self._row_count(key) | told | self._waiting())
        if landed is not None and encoding_key(self.table) in self._checks:
            unsure = encodings.in_doubt(landed.files)
            yield encoding_guessed(self.table, encodings.as_result(unsure), unsure)
        yield from self._inputs(landed.passed_over if landed is not None else ())

    def _waiting(self) -> dict[str, int]:
        """How many new inputs wait for the next runs; nothing where the source has gone since this run has read it."""
        try:
            return {"inputs_waiting": len(new_inputs(self.table, self.stores.lake, self.partition))}
        except SourceError as error:
            self.context.log.warning("bronze/%s: %s", self.table.name, error)
            return {}

    def _inputs(self, passed_over: Sequence[PassedOver] = ()) -> Iterator[dg.AssetCheckResult]:
        """The checks on the inputs: which stand aside, and which no run reads, of archives those that came in this run."""
        if inputs_readable_key(self.table) in self._checks:
            yield inputs_readable(self.table, standing_aside(self._work))
        if inputs_unassigned_key(self.table) in self._checks:
            found = unassigned(self.table, self.stores.lake, passed_over)
            if found:
                self.context.log.warning("bronze/%s: %s", self.table.name, sentence(found))
            yield inputs_unassigned(self.table, found)

    def _nothing_new(self) -> Iterator[Yielded]:
        """Nothing to judge: the last verdict still stands, and nothing in the lake changes."""
        nothing = nothing_there(self.table)
        if nothing:
            self.context.log.warning("%s: %s", self.table.key, nothing)
        self.context.log.info(
            "%s%s: nothing new, the last verdict stands", self.table.key, of_partition(self.partition)
        )
        last = self.stores.history.latest(self.table.key, self.partition, on_batch=True)
        if last is not None:
            stands = standing_now(self.stores, self.table.key)
            yield from Evaluations(self.table, last.results, {}, last.batch, stands).yield_selected(self._checks)
            yield from anomaly_results(
                self.table, anomalies_of(self.table, self.stores.history, last.batch), self._checks
            )
        told = {"nothing_found": nothing} if nothing else {}
        for key in self._selected:
            if key.path[0] != "bronze":
                name = key.to_user_string()
                yield dg.MaterializeResult(
                    key, metadata=self._row_count(name) | {"rows_in": 0, "nothing_new": True} | told
                )

    def _judge_published(self, attempt: Attempting) -> Iterator[Yielded]:
        """Checks alone: the published table as it stands."""
        with self._progress.going_on():
            outcome = judge_published(self._work)
        found = self._recorded(outcome.record(self.context.run.run_id, checked_rules(self.table)))
        attempt.ends("checked")
        stands = standing_now(self.stores, self.table.key)
        yield from Evaluations.of(self.table, outcome, stands).yield_selected(self._checks)
        yield from anomaly_results(self.table, found, self._checks)

    def _row_count(self, key: str) -> dict[str, Any]:
        table = self.stores.lake.table(key)
        return {"dagster/row_count": table.rows(), "dagster/uri": table.uri}

    @property
    def _selected(self) -> list[dg.AssetKey]:
        return sorted(self.context.selected_asset_keys)

    @property
    def _checks(self) -> set[dg.AssetCheckKey]:
        return set(self.context.selected_asset_check_keys)

    @property
    def _mode(self) -> str:
        asked = self.context.op_execution_context.op_config["mode"]
        mode = str(self.context.run.tags.get(MODE_TAG, asked))
        if mode not in MODES:
            raise dg.Failure(
                f"{self.table.key}: wanted the tag {MODE_TAG} to be {' or '.join(MODES)}, got '{mode}'{nearest(mode, MODES)}",
                allow_retries=False,
            )
        return mode

    @property
    def _work(self) -> Work:
        return Work(
            self.table,
            self.stores.lake,
            partition=self.partition,
            may_commit=unless_cancelled(
                self.context.instance, self.context.run.run_id, f"{self.table.key} publishes nothing"
            ),
            log=self.context.log.info,
            run_id=self.context.run.run_id,
            progress=self._progress,
        )

    @cached_property
    def _progress(self) -> Reporter:
        return reporter(self.context, self.table, self.stores.history, self.partition, self.place)


def _status(stands: TableStatus | None) -> dict[str, Any]:
    """Where the table stands, for the metadata of its materialization."""
    return {} if stands is None else {"status": stands.status, "open_in_quarantine": stands.open_rows or 0}
