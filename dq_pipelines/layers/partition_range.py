"""A run over a range of partitions: a step for each of them, in order, each with its own batch, verdict and attempt.

One that is blocked, or fails, does not keep the others from being done; the run fails at its end, and says which were published.
What a step does is in `step`.
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
from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.layers.attempting import said_by
from dq_pipelines.layers.evaluations import check_of, evaluation
from dq_pipelines.layers.failing import failing_in_a_sentence
from dq_pipelines.layers.run_partition import partitions_of_run, said_partition
from dq_pipelines.layers.step import Step, Yielded
from dq_pipelines.layers.stores import Stores
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
        partitions = _partitions(context, table)
    if len(partitions) == 1:
        yield from Step(context, table, stores, partitions[0]).landed()
    else:
        yield from _Range(context, table, stores).landed(partitions)


def _partitions(context: dg.AssetExecutionContext, table: Table) -> Sequence[str | None]:
    tags = context.run.tags
    if not context.selected_asset_keys and said_partition(tags) is None:
        return [None]  # checks alone: of the whole published table
    found = partitions_of_run(table, tags, context.instance)
    if not context.selected_asset_keys and len(found) > 1:
        # A run has one verdict on published rows.
        said = f"its checks run alone on one partition, or on the whole table: got the range {said_partition(tags)}"
        raise ConfigError([Problem("", 0, f"{table.key}: {said}; nothing was judged")])
    return found


@dataclass
class _Range:
    """One step over several partitions, and what has become of them so far."""

    context: dg.AssetExecutionContext
    table: Table
    stores: Stores
    #: those that are done: published, or with nothing new
    done: list[str] = field(default_factory=list)
    #: why the others are not
    failed: dict[str, str] = field(default_factory=dict)
    #: whether it may be of use to try one of those again
    again: bool = False
    #: the outputs of the step of which a partition has told something
    outputs: dict[str, None] = field(default_factory=dict)

    def landed(self, partitions: Sequence[str | None]) -> Iterator[Yielded | Told]:
        for number, partition in enumerate(map(str, partitions), start=1):
            place = f"partition {partition}, {number} of {len(partitions)}"
            step = Step(self.context, self.table, self.stores, partition, place)
            try:
                with closing(step.landed()) as events:
                    yield from self._of_partition(events, partition)
            except Exception as error:  # noqa: BLE001 - the other partitions are none of its business, and the run says it
                self._fails(partition, error)
            else:
                self.done.append(partition)
        if self.failed:
            raise dg.Failure(self._said(len(partitions)), metadata=self._metadata(), allow_retries=self.again)
        for name in self.outputs:
            # What is downstream in this run waits for the outputs. Their materializations were told one by one, so Dagster
            # is kept from telling one of each partition again: this entry does so for assets whose function tells its events.
            yield dg.Output(None, name, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})

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
                    yield evaluation(self.context, event, partition, target)
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
        """In one sentence, which partitions were published, and which not and why."""
        failed = [f"{partition} ({said})" for partition, said in self.failed.items()]
        return (
            f"{self.table.key}: {len(failed):,} of {counted(total, 'partition')} {'was' if len(failed) == 1 else 'were'} "
            f"not published: {listed(failed, _NAMED)}; {listed(self.done, _NAMED) or 'none'} {'is' if len(self.done) == 1 else 'are'} done"
        )

    def _metadata(self) -> Mapping[str, Any]:
        return {"done": dg.MetadataValue.json(self.done), "not_published": dg.MetadataValue.json(self.failed)}


def _materialization(key: dg.AssetKey, result: dg.MaterializeResult[Any], partition: str) -> dg.AssetMaterialization:
    version = result.data_version
    tags = {} if version is None else {DATA_VERSION_TAG: version.value, DATA_VERSION_IS_USER_PROVIDED_TAG: "true"}
    return dg.AssetMaterialization(key, metadata=result.metadata, partition=partition, tags=tags)
