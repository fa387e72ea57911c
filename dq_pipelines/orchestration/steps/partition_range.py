"""Runs a table over a range of partitions, in order; each has its own batch, verdict and attempt.

A blocked or failed partition does not stop the others. The run then fails at its end, and names the partitions that were
published; for a run of checks alone, those that pass.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.definitions.data_version import DATA_VERSION_IS_USER_PROVIDED_TAG, DATA_VERSION_TAG
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

from dq_pipelines.config.counting import counted, listed
from dq_pipelines.errors import PublishError
from dq_pipelines.orchestration.checks.evaluations import check_of, evaluation
from dq_pipelines.orchestration.runs.run_partition import has_partitions, partition_label, partitions_of_run
from dq_pipelines.orchestration.steps.attempts import error_message
from dq_pipelines.orchestration.steps.failures import step_failures
from dq_pipelines.orchestration.steps.step import TableStep, Yielded
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Table

#: What a step over several partitions yields in addition.
RangeEvent = dg.AssetMaterialization | dg.Output[None]
#: Partitions that a message lists.
_NAMED = 10


def landed_partitions(
    context: dg.AssetExecutionContext, table: Table, stores: Stores
) -> Iterator[Yielded | RangeEvent]:
    """Runs the step of a landed table for each partition that the run's tags name.

    Invalid tags fail the run before anything lands, and record no attempt.
    """
    with step_failures(stores, table, None, context.run.run_id):
        partitions = _partitions(context, table, stores)
    if len(partitions) == 1:
        yield from TableStep(context, table, stores, partitions[0]).landed()
    else:
        yield from _Range(context, table, stores).landed(partitions)


def _partitions(context: dg.AssetExecutionContext, table: Table, stores: Stores) -> Sequence[str | None]:
    tags = context.run.tags
    if context.selected_asset_keys:
        return partitions_of_run(table, tags, context.instance)
    if partition_label(tags) is None:
        return [None]  # checks alone, on the whole published table
    wanted = partitions_of_run(table, tags, context.instance)
    return _published(context, table, stores, wanted) if has_partitions(table) else wanted


def _published(
    context: dg.AssetExecutionContext, table: Table, stores: Stores, wanted: Sequence[str | None]
) -> Sequence[str | None]:
    """Returns the wanted partitions that have published rows. Raises PublishError where none has."""
    existing = set(stores.lake.table(table.key).snapshot().required().partitions)
    missing = [str(partition) for partition in wanted if partition not in existing]
    if missing:
        problem = f"{table.key} has no published rows of {listed(missing, _NAMED)}"
        if len(missing) == len(wanted):
            raise PublishError(
                f"{problem}: nothing was judged; materialize {'it' if len(missing) == 1 else 'them'} first"
            )
        context.log.info("%s, which %s not judged", problem, "is" if len(missing) == 1 else "are")
    return [partition for partition in wanted if partition in existing]


@dataclass
class _Range:
    """One step over several partitions, with the results so far."""

    context: dg.AssetExecutionContext
    table: Table
    stores: Stores
    #: finished partitions: published, or nothing new; for checks alone, those without a failed blocking check
    done: list[str] = field(default_factory=list)
    #: error message by failed partition
    failed: dict[str, str] = field(default_factory=dict)
    #: whether a retry may help one of the failed partitions
    again: bool = False
    #: the step's outputs for which a partition yielded an event (an ordered set)
    outputs: dict[str, None] = field(default_factory=dict)
    #: for checks alone: failed blocking checks by partition
    failing: dict[str, list[dg.AssetCheckEvaluation]] = field(default_factory=dict)

    def landed(self, partitions: Sequence[str | None]) -> Iterator[Yielded | RangeEvent]:
        for number, partition in enumerate(map(str, partitions), start=1):
            place = f"partition {partition}, {number} of {len(partitions)}"
            step = TableStep(self.context, self.table, self.stores, partition, place)
            try:
                with closing(step.landed()) as events:
                    yield from self._of_partition(events, partition)
            except Exception as error:  # noqa: BLE001 - the other partitions go on, and the run fails at its end
                self._add_failure(partition, error)
            else:
                self._add_result(partition)
        if self.failed:
            raise dg.Failure(self._summary(len(partitions)), metadata=self._metadata(), allow_retries=self.again)
        for name in self.outputs:
            # Downstream steps of this run wait for the outputs. The partitions' materializations were logged one by one.
            # This metadata entry keeps Dagster from logging one for each partition again.
            yield dg.Output(None, name, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})

    @property
    def _checks_alone(self) -> bool:
        return not self.context.selected_asset_keys

    def _add_result(self, partition: str) -> None:
        """Notes that a partition finished. For checks alone, a failed blocking check fails it, as in Dagster."""
        failing = self.failing.get(partition)
        if failing:
            self.failed[partition] = "; ".join(f"{check.check_name}: {check.description}" for check in failing)
        else:
            self.done.append(partition)

    def _add_failure(self, partition: str, error: Exception) -> None:
        message = error_message(error).removeprefix(f"{self.table.key}: ")
        self.failed[partition] = message
        self.again |= not isinstance(error, dg.Failure) or error.allow_retries
        self.context.log.error("%s [%s]: %s", self.table.key, partition, message)
        if not isinstance(error, dg.Failure):  # unexpected: log its traceback
            self.context.log.error("%s", "".join(traceback.format_exception(error)))

    def _of_partition(self, events: Iterable[Yielded], partition: str) -> Iterator[Yielded | RangeEvent]:
        """Converts the results of one partition's step to events that name the partition, as Dagster requires here."""
        judged: dict[dg.AssetKey, AssetCheckEvaluationTargetMaterializationData | None] = {}
        layer = self.context.get_step_execution_context().job_def.asset_layer
        for event in events:
            match event:
                case dg.MaterializeResult():
                    key = event.asset_key or self.context.asset_key
                    yield _materialization(key, event, partition)
                    judged[key] = self._newest(key, partition)
                    self.outputs[self.context.assets_def.get_output_name_for_asset_key(key)] = None
                case dg.AssetCheckResult():
                    check = check_of(event)
                    newest = partial(self._newest, check.asset_key, partition)
                    target = judged[check.asset_key] if check.asset_key in judged else newest()
                    judged[check.asset_key] = target
                    evaluated = evaluation(self.context, event, partition, target)
                    if self._checks_alone and _blocks(evaluated):
                        self.failing.setdefault(partition, []).append(evaluated)
                    yield evaluated
                    self.outputs[layer.get_op_output_name(check) or ""] = None
                case _:
                    yield event

    def _newest(self, key: dg.AssetKey, partition: str) -> AssetCheckEvaluationTargetMaterializationData | None:
        """Returns the newest materialization of a partition; None where there is none."""
        wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition])
        records = self.context.instance.fetch_materializations(wanted, limit=1).records
        return (
            AssetCheckEvaluationTargetMaterializationData(
                storage_id=records[0].storage_id, run_id=records[0].run_id, timestamp=records[0].timestamp
            )
            if records
            else None
        )

    def _summary(self, total: int) -> str:
        """Says in one sentence which partitions failed and why, and which are done; for checks alone, which pass."""
        failed = [f"{partition} ({message})" for partition, message in self.failed.items()]
        one, only = len(failed) == 1, len(self.done) == 1
        if self._checks_alone:
            wrong, right = f"{'does' if one else 'do'} not pass", f"pass{'es' if only or not self.done else ''}"
        else:
            wrong, right = f"{'was' if one else 'were'} not published", f"{'is' if only else 'are'} done"
        return (
            f"{self.table.key}: {len(failed):,} of {counted(total, 'partition')} {wrong}: {listed(failed, _NAMED)}; "
            f"{listed(self.done, _NAMED) or 'none'} {right}"
        )

    def _metadata(self) -> Mapping[str, Any]:
        right, wrong = ("passed", "not_passed") if self._checks_alone else ("done", "not_published")
        return {right: dg.MetadataValue.json(self.done), wrong: dg.MetadataValue.json(self.failed)}


def _blocks(check: dg.AssetCheckEvaluation) -> bool:
    return bool(check.blocking) and not check.passed and check.severity == dg.AssetCheckSeverity.ERROR


def _materialization(key: dg.AssetKey, result: dg.MaterializeResult[Any], partition: str) -> dg.AssetMaterialization:
    version = result.data_version
    tags = {} if version is None else {DATA_VERSION_TAG: version.value, DATA_VERSION_IS_USER_PROVIDED_TAG: "true"}
    return dg.AssetMaterialization(key, metadata=result.metadata, partition=partition, tags=tags)
