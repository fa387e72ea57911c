"""A run over a range of partitions: a step for each of them, in order, each with its own batch, verdict and attempt.

One that is blocked, or fails, does not keep the others from being done; the run fails at its end, and says which were published.
Of checks alone, it says which partitions pass. What a step does is in `step`.
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
from dq_pipelines.orchestration.runs.run_partition import has_partitions, partitions_of_run, said_partition
from dq_pipelines.orchestration.steps.attempts import said_by
from dq_pipelines.orchestration.steps.failures import failing_in_a_sentence
from dq_pipelines.orchestration.steps.step import TableStep, Yielded
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Table

#: What a step over several partitions yields besides.
Told = dg.AssetMaterialization | dg.Output[None]
#: Partitions that a sentence names.
_NAMED = 10


def landed_partitions(context: dg.AssetExecutionContext, table: Table, stores: Stores) -> Iterator[Yielded | Told]:
    """The step of a landed table, over each partition that its run is about.

    What the run's tags do not allow is refused before anything lands, and is no attempt at any partition.
    """
    with failing_in_a_sentence(stores, table, None, context.run.run_id):
        partitions = _partitions(context, table, stores)
    if len(partitions) == 1:
        yield from TableStep(context, table, stores, partitions[0]).landed()
    else:
        yield from _Range(context, table, stores).landed(partitions)


def _partitions(context: dg.AssetExecutionContext, table: Table, stores: Stores) -> Sequence[str | None]:
    tags = context.run.tags
    if context.selected_asset_keys:
        return partitions_of_run(table, tags, context.instance)
    if said_partition(tags) is None:
        return [None]  # checks alone: of the whole published table
    wanted = partitions_of_run(table, tags, context.instance)
    return _published(context, table, stores, wanted) if has_partitions(table) else wanted


def _published(
    context: dg.AssetExecutionContext, table: Table, stores: Stores, wanted: Sequence[str | None]
) -> Sequence[str | None]:
    """Those of the partitions that have published rows: of the others there is nothing to judge."""
    published = stores.lake.table(table.key).snapshot().required()
    there = set(published.partitions)
    lacking = [str(partition) for partition in wanted if partition not in there]
    if lacking:
        said = f"{table.key} has no published rows of {listed(lacking, _NAMED)}"
        if len(lacking) == len(wanted):
            raise PublishError(f"{said}: nothing was judged; materialize {'it' if len(lacking) == 1 else 'them'} first")
        context.log.info("%s, which %s not judged", said, "is" if len(lacking) == 1 else "are")
    return [partition for partition in wanted if partition in there]


@dataclass
class _Range:
    """One step over several partitions, and what has become of them so far."""

    context: dg.AssetExecutionContext
    table: Table
    stores: Stores
    #: those that are done: published, or with nothing new; of checks alone, those that pass what blocks
    done: list[str] = field(default_factory=list)
    #: why the others are not
    failed: dict[str, str] = field(default_factory=dict)
    #: whether it may be of use to try one of those again
    again: bool = False
    #: the outputs of the step of which a partition has told something
    outputs: dict[str, None] = field(default_factory=dict)
    #: of checks alone, those that the published rows of a partition fail and that block, by partition
    failing: dict[str, list[dg.AssetCheckEvaluation]] = field(default_factory=dict)

    def landed(self, partitions: Sequence[str | None]) -> Iterator[Yielded | Told]:
        for number, partition in enumerate(map(str, partitions), start=1):
            place = f"partition {partition}, {number} of {len(partitions)}"
            step = TableStep(self.context, self.table, self.stores, partition, place)
            try:
                with closing(step.landed()) as events:
                    yield from self._of_partition(events, partition)
            except Exception as error:  # noqa: BLE001 - the other partitions are none of its business, and the run says it
                self._fails(partition, error)
            else:
                self._ends(partition)
        if self.failed:
            raise dg.Failure(self._said(len(partitions)), metadata=self._metadata(), allow_retries=self.again)
        for name in self.outputs:
            # What is downstream in this run waits for the outputs. Their materializations were told one by one, so Dagster
            # is kept from telling one of each partition again: this entry does so for assets whose function tells its events.
            yield dg.Output(None, name, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})

    @property
    def _checks_alone(self) -> bool:
        return not self.context.selected_asset_keys

    def _ends(self, partition: str) -> None:
        """A partition came to its end; with checks alone, a check that blocks fails it, as Dagster has it of one."""
        failing = self.failing.get(partition)
        if failing:
            self.failed[partition] = "; ".join(f"{one.check_name}: {one.description}" for one in failing)
        else:
            self.done.append(partition)

    def _fails(self, partition: str, error: Exception) -> None:
        said = said_by(error).removeprefix(f"{self.table.key}: ")
        self.failed[partition] = said
        self.again |= not isinstance(error, dg.Failure) or error.allow_retries
        self.context.log.error("%s [%s]: %s", self.table.key, partition, said)
        if not isinstance(error, dg.Failure):  # nobody meant it: its place in the code is wanted
            self.context.log.error("%s", "".join(traceback.format_exception(error)))

    def _of_partition(self, events: Iterable[Yielded], partition: str) -> Iterator[Yielded | Told]:
        """What a step tells of one partition, as Dagster takes it of one of several."""
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
                    told = evaluation(self.context, event, partition, target)
                    if self._checks_alone and _blocks(told):
                        self.failing.setdefault(partition, []).append(told)
                    yield told
                    self.outputs[layer.get_op_output_name(check) or ""] = None
                case _:
                    yield event

    def _newest(self, key: dg.AssetKey, partition: str) -> AssetCheckEvaluationTargetMaterializationData | None:
        """The newest materialization of a partition."""
        wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition])
        found = self.context.instance.fetch_materializations(wanted, limit=1).records
        return (
            AssetCheckEvaluationTargetMaterializationData(
                storage_id=found[0].storage_id, run_id=found[0].run_id, timestamp=found[0].timestamp
            )
            if found
            else None
        )

    def _said(self, total: int) -> str:
        """In one sentence, which partitions were published, and which not and why; of checks alone, which pass."""
        failed = [f"{partition} ({said})" for partition, said in self.failed.items()]
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


def _blocks(told: dg.AssetCheckEvaluation) -> bool:
    return bool(told.blocking) and not told.passed and told.severity == dg.AssetCheckSeverity.ERROR


def _materialization(key: dg.AssetKey, result: dg.MaterializeResult[Any], partition: str) -> dg.AssetMaterialization:
    version = result.data_version
    tags = {} if version is None else {DATA_VERSION_TAG: version.value, DATA_VERSION_IS_USER_PROVIDED_TAG: "true"}
    return dg.AssetMaterialization(key, metadata=result.metadata, partition=partition, tags=tags)
