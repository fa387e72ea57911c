"""Finds new inputs of a table, and requests a run for each partition that has any.

Sensors and the schedules of partitioned tables use it, so both have the same definition of "new".
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from dq_pipelines.config.counting import counted
from dq_pipelines.lake.tables import Lake
from dq_pipelines.orchestration.runs.run_queue import queue_tags, run_under_way
from dq_pipelines.orchestration.sensors.killed_run_retries import INPUTS_TAG, KilledRunRetries
from dq_pipelines.pipeline.bronze.input_partitions import partition_of
from dq_pipelines.pipeline.bronze.new_inputs import new_inputs, taken
from dq_pipelines.pipeline.bronze.unassigned_inputs import what_no_run_reads
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import DynamicPartitions, Table
from dq_pipelines.sources import Input


@dataclass(frozen=True)
class Requests:
    """Run requests, and the reasons why some partitions have none."""

    runs: list[dg.RunRequest]
    reasons: list[str]

    def or_skip(self, nothing_new: dg.SkipReason) -> list[dg.RunRequest] | dg.SkipReason:
        """Returns the requests, or else a skip reason."""
        return self.runs or (dg.SkipReason("; ".join(self.reasons)) if self.reasons else nothing_new)


@dataclass(frozen=True)
class Arrivals:
    """New inputs of one table for the next runs, by partition (None where it has no partitions)."""

    table: Table
    by_partition: dict[str | None, list[Input]]
    #: how many more new inputs wait for later runs, by partition
    waiting: dict[str | None, int]
    #: which inputs no run reads and why, or that there is no input at all; "" where runs read all
    unassigned: str = ""

    @classmethod
    def of(cls, table: Table, lake: Lake) -> Arrivals:
        """Lists the new inputs. Raises SourceError when the source, PublishError when the lake cannot be read."""
        partitions = table.landed.partitions
        new: dict[str | None, list[Input]] = {}
        for item in new_inputs(table, lake):
            key = None if partitions is None else partition_of(item.uri, partitions)
            if partitions is None or key is not None:
                new.setdefault(key, []).append(item)
        now = {key: list(taken(table, inputs)) for key, inputs in new.items()}
        waiting = {key: len(inputs) - len(now[key]) for key, inputs in new.items()}
        return cls(table, now, waiting, what_no_run_reads(table, lake))

    def nothing_new(self) -> dg.SkipReason:
        """Returns the skip reason for a table without new inputs."""
        return dg.SkipReason(f"nothing new for {self.table.key}{f'; {self.unassigned}' if self.unassigned else ''}")

    def requests(self, instance: dg.DagsterInstance, stores: Stores) -> Requests:
        """Returns one request per partition with new inputs, unless a run of it is unfinished.

        The same inputs give the same run key, so they start one run only, unless that run was killed.
        """
        requests = Requests([], [])
        retries = KilledRunRetries(instance, stores)
        for partition, inputs in self.by_partition.items():
            place = f"{self.table.key}{f' [{partition}]' if partition else ''}"
            if (run := run_under_way(instance, self.table, partition)) is not None:
                requests.reasons.append(
                    f"{place}: {counted(len(inputs), 'new input')} {'waits' if len(inputs) == 1 else 'wait'} for run {run.run_id} to end"
                )
                continue
            digest = _digest(inputs)
            decision = retries.decide(digest)
            if decision.wait:
                requests.reasons.append(f"{place}: {decision.wait}")
                continue
            tags = {"dq/inputs": str(len(inputs)), "dq/inputs_waiting": str(self.waiting[partition])}
            tags |= queue_tags([self.table.name]) | {INPUTS_TAG: digest}
            requests.runs.append(dg.RunRequest(run_key=decision.run_key, partition_key=partition, tags=tags))
        return requests

    def new_partitions(self, instance: dg.DagsterInstance) -> list[str]:
        """Returns the keys of dynamic partitions that Dagster does not have yet."""
        if not isinstance(self.table.landed.partitions, DynamicPartitions):
            return []
        known = set(instance.get_dynamic_partitions(f"{self.table.name}_files"))
        return [key for key in self.by_partition if key is not None and key not in known]


def _digest(inputs: Sequence[Input]) -> str:
    digest = hashlib.sha256()
    for item in inputs:
        digest.update(f"{item.fingerprint}{item.version.changed}\n".encode())
    return digest.hexdigest()[:32]
