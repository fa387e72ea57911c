"""The three layers of a landed table as one step has looked at them: read once, and passed on."""

from __future__ import annotations

from dataclasses import dataclass

from dq_pipelines.lake.formats.snapshot import Snapshot
from dq_pipelines.pipeline.runtime.table_run import TableRun


@dataclass(frozen=True)
class Layers:
    """Each layer at one version. Code that must see the newest state, such as a commit, looks anew."""

    bronze: Snapshot
    quarantine: Snapshot
    silver: Snapshot

    @classmethod
    def of(cls, work: TableRun) -> Layers:
        """The layers as they are now; raises PublishError when one cannot be read."""
        # Silver first: another run may commit between the looks, and its commit comes last.
        silver = work.silver.snapshot()
        quarantine = work.quarantine.snapshot()
        return cls(work.lake.table(f"bronze/{work.table.name}").snapshot(), quarantine, silver)
