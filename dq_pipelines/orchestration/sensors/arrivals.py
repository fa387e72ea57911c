"""What has arrived: run requests for inputs that bronze has not consumed, one per partition.

Sensors and schedules of partitioned tables both ask here, so that they mean the same by "new".
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from dq_pipelines.config.counting import counted
from dq_pipelines.lake.tables import Lake
from dq_pipelines.orchestration.runs.run_queue import queue_tags, run_under_way
from dq_pipelines.orchestration.sensors.repeats import INPUTS_TAG, Repeating
from dq_pipelines.pipeline.bronze.input_partitions import partition_of
from dq_pipelines.pipeline.bronze.new_inputs import new_inputs, taken
from dq_pipelines.pipeline.bronze.unassigned_inputs import what_no_run_reads
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import DynamicPartitions, Table
from dq_pipelines.sources import Input


@dataclass(frozen=True)
class Requests:
    """The runs to ask for, and why not for others, in sentences."""

    runs: list[dg.RunRequest]
    waits: list[str]

    def or_skip(self, nothing_new: dg.SkipReason) -> list[dg.RunRequest] | dg.SkipReason:
        """The requests, or the reason for there being none."""
        return self.runs or (dg.SkipReason("; ".join(self.waits)) if self.waits else nothing_new)


@dataclass(frozen=True)
class Arrivals:
    """New inputs of one table that the next runs take, by partition (None where it has no partitions)."""

    table: Table
    by_partition: dict[str | None, list[Input]]
    #: how many more new inputs wait for later runs, by partition
    waiting: dict[str | None, int]
    #: what no run reads, and why, or that there is no input at all; empty where all are read
    unassigned: str = ""

    @classmethod
    def of(cls, table: Table, lake: Lake) -> Arrivals:
        """Raises SourceError when the source, PublishError when the lake cannot be asked."""
        partitions = table.landed.partitions
        found: dict[str | None, list[Input]] = {}
        for item in new_inputs(table, lake):
            key = None if partitions is None else partition_of(item.uri, partitions)
            if partitions is None or key is not None:
                found.setdefault(key, []).append(item)
        now = {key: list(taken(table, inputs)) for key, inputs in found.items()}
        waiting = {key: len(inputs) - len(now[key]) for key, inputs in found.items()}
        return cls(table, now, waiting, what_no_run_reads(table, lake))

    def nothing_new(self) -> dg.SkipReason:
        """Why no run is asked for."""
        return dg.SkipReason(f"nothing new for {self.table.key}{f'; {self.unassigned}' if self.unassigned else ''}")

    def requests(self, instance: dg.DagsterInstance, stores: Stores) -> Requests:
        """One request per partition; none where a run of it is under way, which takes what is there when it begins.

        The same inputs give the same run key, so that they start one run only, unless that was killed.
        """
        found = Requests([], [])
        repeating = Repeating(instance, stores)
        for partition, inputs in self.by_partition.items():
            about = f"{self.table.key}{f' [{partition}]' if partition else ''}"
            if (run := run_under_way(instance, self.table, partition)) is not None:
                found.waits.append(
                    f"{about}: {counted(len(inputs), 'new input')} {'waits' if len(inputs) == 1 else 'wait'} for run {run.run_id} to end"
                )
                continue
            digest = _digest(inputs)
            repeat = repeating.of(digest)
            if repeat.wait:
                found.waits.append(f"{about}: {repeat.wait}")
                continue
            tags = {"dq/inputs": str(len(inputs)), "dq/inputs_waiting": str(self.waiting[partition])}
            tags |= queue_tags([self.table.name]) | {INPUTS_TAG: digest}
            found.runs.append(dg.RunRequest(run_key=repeat.run_key, partition_key=partition, tags=tags))
        return found

    def new_partitions(self, instance: dg.DagsterInstance) -> list[str]:
        """The keys of dynamic partitions that Dagster does not know yet."""
        if not isinstance(self.table.landed.partitions, DynamicPartitions):
            return []
        known = set(instance.get_dynamic_partitions(f"{self.table.name}_files"))
        return [key for key in self.by_partition if key is not None and key not in known]


def _digest(inputs: Sequence[Input]) -> str:
    digest = hashlib.sha256()
    for item in inputs:
        digest.update(f"{item.fingerprint}{item.version.changed}\n".encode())
    return digest.hexdigest()[:32]
