"""Holds one snapshot of each layer of a landed table, read once per step."""

from __future__ import annotations

from dataclasses import dataclass

from dq_pipelines.lake.formats.snapshot import Snapshot
from dq_pipelines.pipeline.runtime.table_run import TableRun


@dataclass(frozen=True)
class Layers:
    """Each layer at one version. Code that needs the newest state, such as a commit, reads it again."""

    bronze: Snapshot
    quarantine: Snapshot
    silver: Snapshot

    @classmethod
    def of(cls, work: TableRun) -> Layers:
        """The layers as they are now; raises PublishError when one cannot be read."""
        # Silver first: it is committed last, and another run may commit between these reads.
        silver = work.silver.snapshot()
        quarantine = work.quarantine.snapshot()
        return cls(work.lake.table(f"bronze/{work.table.name}").snapshot(), quarantine, silver)
