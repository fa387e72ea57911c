"""Runs the step of one table, or of one of its partitions: lands, judges and publishes what was selected.

It yields the materializations and check results for Dagster. `partition_range` repeats it over a range of partitions.
Landing, judging and publishing themselves are in `pipeline.bronze.ingest`, `pipeline.silver.modes` and `pipeline.gold`.
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
from dq_pipelines.orchestration.steps.attempts import BatchBlocked, RunningAttempt, recorded_attempt, run_end
from dq_pipelines.orchestration.steps.cancellation import unless_cancelled
from dq_pipelines.orchestration.steps.failures import step_failures
from dq_pipelines.orchestration.steps.progress_events import reporter
from dq_pipelines.orchestration.steps.upstream_tables import must_have_passed
from dq_pipelines.pipeline import gold
from dq_pipelines.pipeline.bronze import encodings, ingest
from dq_pipelines.pipeline.bronze.batch import Batch
from dq_pipelines.pipeline.bronze.new_inputs import new_inputs
from dq_pipelines.pipeline.bronze.skipped_inputs import as_result, standing_aside
from dq_pipelines.pipeline.bronze.unassigned_inputs import nothing_there, sentence, unassigned
from dq_pipelines.pipeline.current_status import table_status_now
from dq_pipelines.pipeline.runtime.dead_attempts import record_dead_attempts
from dq_pipelines.pipeline.runtime.outcome import Outcome
from dq_pipelines.pipeline.runtime.progress import ProgressReporter
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.pipeline.runtime.table_run import TableRun, judge_published, of_partition
from dq_pipelines.pipeline.runtime.verdict_recovery import explain_unrecorded, recover_verdicts
from dq_pipelines.pipeline.silver.modes import MODES
from dq_pipelines.pipeline.silver.published_as import must_fit_partitions
from dq_pipelines.project import Table
from dq_pipelines.project.checked_rules import checked_rules
from dq_pipelines.sources import PassedOver

#: Run tag and op config that choose the mode: new inputs only, or a rerun.
MODE_TAG = "dq/mode"
#: Run tag with the user who launched the run.
USER_TAG = "dq/user"

Yielded = dg.AssetCheckResult | dg.AssetCheckEvaluation | dg.MaterializeResult[Any]


@dataclass(frozen=True)
class TableStep:
    """One step of one run: the selected assets and checks of one table."""

    context: dg.AssetExecutionContext
    table: Table
    stores: Stores
    #: the current partition; None for a table without partitions
    partition: str | None = None
    #: its place among several, for messages
    place: str = ""

    def landed(self) -> Generator[Yielded, None, None]:
        """Runs bronze, silver, quarantine and their checks; yields only what is selected."""
        wanted = {key.path[0] for key in self._selected}
        self._work.may_commit()  # a run that was cancelled before it began does nothing
        with self._failures, self._attempt as attempt:
            try:
                if wanted or self.partition is not None:
                    must_fit_partitions(self._work)
                if not wanted:
                    yield from self._judge_published(attempt)
                elif wanted == {"bronze"}:
                    with self._progress.going_on():
                        batch = ingest.land(self._work)
                    attempt.end("published", "bronze alone was selected")
                    yield from self._bronze(batch)
                else:
                    must_have_passed(self.table, self.stores.history)
                    with self._progress.going_on():
                        outcome = MODES[self._mode](self._work)
                    yield from self._results(outcome, attempt)
            except SetAside:
                yield from self._inputs()
                raise

    def gold(self) -> Iterator[Yielded]:
        """Computes a gold table and its checks; yields only what is selected."""
        with self._failures, self._attempt as attempt:
            if not self._selected:
                yield from self._judge_published(attempt)
            else:
                must_have_passed(self.table, self.stores.history)
                with self._progress.going_on():
                    outcome = gold.compute(self._work)
                yield from self._results(outcome, attempt)

    @property
    def _failures(self) -> AbstractContextManager[None]:
        return step_failures(self.stores, self.table, self.partition, self.context.run.run_id)

    @property
    def _attempt(self) -> AbstractContextManager[RunningAttempt]:
        """Records this step's attempt, after the attempts and verdicts that killed runs left unrecorded."""
        record_dead_attempts(self.stores, run_end(self.context.instance))
        recover_verdicts(self.stores.lake, self.table.key, self.stores.history, self.context.log.info)
        run_id = self.context.run.run_id
        return recorded_attempt(self.stores, self.table, self.partition, run_id, recheck=not self._selected)

    def _results(self, outcome: Outcome | None, attempt: RunningAttempt) -> Iterator[Yielded]:
        """Records the verdict, then yields materializations, then check results: Dagster ties these to the newest one.

        At this point the rows are published, or the batch is blocked. The results of a blocked batch have no
        materialization, and the step fails.
        """
        if outcome is None:
            attempt.end("nothing_new")
            yield from self._bronze_if_selected(None)
            yield from self._nothing_new()
            return
        record = outcome.record(self.context.run.run_id, checked_rules(self.table))
        if marks := [] if self.table.is_gold else standing_aside(self._work):
            record = replace(record, results=(*record.results, as_result(marks)))
        if unsure := encodings.in_doubt(outcome.files):
            record = replace(record, results=(*record.results, encodings.as_result(unsure)))
        anomalies = self._record(record)
        blocked = outcome.why_blocked
        attempt.end("blocked" if blocked else "published", blocked, outcome.batch)
        yield from self._bronze_if_selected(outcome)
        status = table_status_now(self.stores, self.table.key)
        results = [
            *Evaluations.of(self.table, outcome, status).yield_selected(self._checks),
            *anomaly_results(self.table, anomalies, self._checks),
        ]
        if blocked:
            # Dagster would tie them to the previous materialization, which they did not judge.
            yield from (evaluation(self.context, result, self.partition) for result in results)
            raise BatchBlocked(blocked, allow_retries=False)
        if orphans := outcome.orphans.sentence(outcome.table):
            self.context.log.warning("%s", orphans)
        yield from self._materialized(outcome, record.score, _status_metadata(status))
        yield from results

    def _record(self, record: VerdictRecord) -> Sequence[Any]:
        """Records a verdict, then runs the anomaly rules, for which the batch is now a point of its series."""
        try:
            self.stores.history.record(record)
        except PublishError as error:
            raise type(error)(f"{error}; {explain_unrecorded(record)}") from None
        anomalies = anomalies_of(self.table, self.stores.history, record.batch or None)
        if anomalies:
            results = (*record.results, *(watched.result() for watched in anomalies))
            self.stores.history.record(replace(record, results=results))
        return anomalies

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
        """Yields bronze's materialization and checks for what landed in this run (None: nothing)."""
        key = f"bronze/{self.table.name}"
        files = landed_metadata(landed.files, landed.passed_over, landed.renamed) if landed is not None else {}
        yield dg.MaterializeResult(asset_key(key), metadata=self._row_count(key) | files | self._waiting())
        if landed is not None and encoding_key(self.table) in self._checks:
            unsure = encodings.in_doubt(landed.files)
            yield encoding_guessed(self.table, encodings.as_result(unsure), unsure)
        yield from self._inputs(landed.passed_over if landed is not None else ())

    def _waiting(self) -> dict[str, int]:
        """Returns the number of new inputs for later runs; {} where the source can no longer be reached."""
        try:
            return {"inputs_waiting": len(new_inputs(self.table, self.stores.lake, self.partition))}
        except SourceError as error:
            self.context.log.warning("bronze/%s: %s", self.table.name, error)
            return {}

    def _inputs(self, passed_over: Sequence[PassedOver] = ()) -> Iterator[dg.AssetCheckResult]:
        """Yields the checks on skipped inputs and on inputs that no run reads; `passed_over` are those of this run."""
        if inputs_readable_key(self.table) in self._checks:
            yield inputs_readable(self.table, standing_aside(self._work))
        if inputs_unassigned_key(self.table) in self._checks:
            inputs = unassigned(self.table, self.stores.lake, passed_over)
            if inputs:
                self.context.log.warning("bronze/%s: %s", self.table.name, sentence(inputs))
            yield inputs_unassigned(self.table, inputs)

    def _nothing_new(self) -> Iterator[Yielded]:
        """Yields the last verdict's results again: there is nothing to judge, and the lake does not change."""
        nothing = nothing_there(self.table)
        if nothing:
            self.context.log.warning("%s: %s", self.table.key, nothing)
        self.context.log.info(
            "%s%s: nothing new, the last verdict stands", self.table.key, of_partition(self.partition)
        )
        last = self.stores.history.latest(self.table.key, self.partition, on_batch=True)
        if last is not None:
            status = table_status_now(self.stores, self.table.key)
            yield from Evaluations(self.table, last.results, {}, last.batch, status).yield_selected(self._checks)
            yield from anomaly_results(
                self.table, anomalies_of(self.table, self.stores.history, last.batch), self._checks
            )
        no_inputs = {"nothing_found": nothing} if nothing else {}
        for key in self._selected:
            if key.path[0] != "bronze":
                name = key.to_user_string()
                yield dg.MaterializeResult(
                    key, metadata=self._row_count(name) | {"rows_in": 0, "nothing_new": True} | no_inputs
                )

    def _judge_published(self, attempt: RunningAttempt) -> Iterator[Yielded]:
        """Runs checks alone, on the published table."""
        with self._progress.going_on():
            outcome = judge_published(self._work)
        anomalies = self._record(outcome.record(self.context.run.run_id, checked_rules(self.table)))
        attempt.end("checked")
        status = table_status_now(self.stores, self.table.key)
        yield from Evaluations.of(self.table, outcome, status).yield_selected(self._checks)
        yield from anomaly_results(self.table, anomalies, self._checks)

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
        configured = self.context.op_execution_context.op_config["mode"]
        mode = str(self.context.run.tags.get(MODE_TAG, configured))
        if mode not in MODES:
            raise dg.Failure(
                f"{self.table.key}: wanted the tag {MODE_TAG} to be {' or '.join(MODES)}, got '{mode}'{nearest(mode, MODES)}",
                allow_retries=False,
            )
        return mode

    @property
    def _work(self) -> TableRun:
        return TableRun(
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
    def _progress(self) -> ProgressReporter:
        return reporter(self.context, self.table, self.stores.history, self.partition, self.place)


def _status_metadata(status: TableStatus | None) -> dict[str, Any]:
    """Returns the table's status as metadata of its materialization."""
    return {} if status is None else {"status": status.status, "open_in_quarantine": status.open_rows or 0}
