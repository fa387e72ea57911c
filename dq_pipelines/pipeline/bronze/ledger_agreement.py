"""Whether the ledgers of a table's layers agree.

Commits come in the order bronze, quarantine, silver. So the other two know what silver has consumed, unless one of them has
lost a commit. That happens when a power loss tears its newest file, or when its folder is restored from a copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dq_pipelines.errors import PublishError
from dq_pipelines.lake.ledger import TAKEN_BACK, batches_in, consumption
from dq_pipelines.pipeline.bronze.landed import batches, bronze, landed_batches
from dq_pipelines.pipeline.runtime.layers import Layers
from dq_pipelines.pipeline.runtime.table_run import TableRun

#: What the ids of bronze's batches begin with; those of replays begin with another letter.
_LANDED = "b-"


@dataclass(frozen=True)
class Disagreement:
    """The batches and replays that silver has consumed, and a layer before it does not know."""

    unknown_to_bronze: tuple[str, ...] = ()
    unknown_to_quarantine: tuple[str, ...] = ()

    @classmethod
    def of(cls, work: TableRun, layers: Layers | None = None) -> Disagreement:
        """By the ledgers of the table's layers, as they are now or were looked at."""
        layers = layers or Layers.of(work)
        published = batches_in(layers.silver.ledger)
        quarantined = set(batches_in(layers.quarantine.ledger))
        landed = {*landed_batches(layers.bronze)}
        consumed = dict.fromkeys([*published, *quarantined])
        lost = [batch for batch in consumed if batch.startswith(_LANDED) and batch not in landed]
        if lost:  # those that landed before the ledger noted when
            landed = {*batches(work.table, work.lake, landed=layers.bronze)}
        return cls(
            tuple(batch for batch in lost if batch not in landed),
            tuple(batch for batch in published if batch not in quarantined),
        )

    def taken_back(self, work: TableRun) -> Mapping[str, int]:
        """What a rerun notes: it makes silver and quarantine from bronze, so what bronze does not know counts no more.

        Of a partition, only what silver says of that partition.
        """
        names = consumption([*self.unknown_to_bronze, *self.unknown_to_quarantine])
        if work.partition is not None:
            silver = work.silver.snapshot()
            noted = {name: silver.last_made(name) for name in names}
            names = {name: 1 for name, found in noted.items() if found is not None and found[1] == {work.partition}}
        return dict.fromkeys(names, TAKEN_BACK)


def must_have_whole_logs(work: TableRun) -> None:
    """Raise PublishError when a power loss has torn the newest commit of a layer."""
    for table in (bronze(work.table, work.lake), work.quarantine, work.silver):
        table.snapshot()


def must_agree(work: TableRun) -> Layers:
    """The layers as they are now. Raises PublishError when a layer has lost a commit that a later layer relies on."""
    layers = Layers.of(work)
    disagreement = Disagreement.of(work, layers)
    name = work.table.name
    if disagreement.unknown_to_bronze:
        raise PublishError(
            f"bronze/{name}: wanted the rows of batch {_some(disagreement.unknown_to_bronze)}, which {work.table.key} has "
            "consumed, got none: bronze has lost a commit, and its inputs would be published twice; nothing was done; "
            f"where its inputs are still at the source, run {name} with mode: rerun{_else_restore(work, disagreement)}"
        )
    if disagreement.unknown_to_quarantine:
        raise PublishError(
            f"quarantine/{name}: wanted the refused rows of {_some(disagreement.unknown_to_quarantine)}, which {work.table.key} "
            "has consumed, got no such entry: quarantine has lost a commit; nothing was done; "
            f"run {name} with mode: rerun, which makes quarantine anew from bronze"
        )
    return layers


def _some(batches: tuple[str, ...]) -> str:
    return batches[0] if len(batches) == 1 else f"{batches[0]} (and {len(batches) - 1} more)"


def _else_restore(work: TableRun, disagreement: Disagreement) -> str:
    silver = work.silver.snapshot()
    noted = [silver.last_made(name) for name in consumption(disagreement.unknown_to_bronze)]
    versions = [each[0] for each in noted if each is not None]
    if len(versions) < len(noted) or not min(versions, default=0):
        return ""
    return f"; else dq restore {work.table.name} --as-of {min(versions) - 1}"
