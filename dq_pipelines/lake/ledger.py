"""Names and reads the entries of a table's ledger: what it consumed, and how it is written.

An entry is a name and a number, written in the commit of the rows. It stays with the table when earlier versions are removed.
So a killed run is repeated without loss or duplicate. Each format stores entries in its own way (Delta: application
transactions).

- Bronze, per input: `input:<name>` (modification time), `content:<name>` (a digest), `changed:<name>` (change time of a local
  file), `again:<name>` (when it landed again). The name is the address relative to the landing folder, which
  `landing:<folder>` records.
- Bronze, per batch: `landed_at:<id>` (when it landed).
- Silver and quarantine: `batch:<id>` per bronze batch, and `rerun` or `rerun:<partition>` (when the last rerun began).
- Silver: `snapshot` or `snapshot:<partition>` (when the last snapshot that replaced all before it landed).
- Quarantine: `lost` or `lost:<partition>` (when `dq doctor` took lost files out of its log), until a later rerun makes their
  rows again.
- Silver, as numbers of texts (`number_of`): `written` or `written:<partition>` (mode and keys), `ordered` or
  `ordered:<partition>` (the column that decides which row of a key counts), and `partitions` (how it is partitioned).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

from dq_pipelines.lake.formats.snapshot import TAKEN_BACK, Snapshot
from dq_pipelines.lake.tables import TableOrSnapshot

_BATCH, _RERUN, _SNAPSHOT, _LOST, _WRITTEN, _ORDERED = "batch:", "rerun", "snapshot", "lost", "written", "ordered"

#: The entry for how a table is partitioned.
PARTITIONS = "partitions"


def consumption(batches: Iterable[str]) -> dict[str, int]:
    """The entries for consumed batches."""
    return {f"{_BATCH}{batch}": 1 for batch in batches}


def batches_in(names: Iterable[str]) -> list[str]:
    """The batches in these entry names; other names are left out."""
    return [name.removeprefix(_BATCH) for name in names if name.startswith(_BATCH)]


def rerun_of(partition: str | None) -> str:
    """The entry of the last rerun of a partition, or of the whole table; its number is when it began, in microseconds."""
    return _by_partition(_RERUN, partition)


def reruns_in(entries: Mapping[str, int]) -> dict[str | None, int]:
    """When each rerun in these entries began, by partition; None for the whole table."""
    return _of_kind(_RERUN, entries)


def snapshot_of(partition: str | None) -> str:
    """The entry of the last batch that replaced all before it; its number is when that landed, in microseconds."""
    return _by_partition(_SNAPSHOT, partition)


def snapshots_in(entries: Mapping[str, int]) -> dict[str | None, int]:
    """When each snapshot in these entries landed, by partition; None for the whole table."""
    return _of_kind(_SNAPSHOT, entries)


def lost_from(partition: str | None, at: int, entries: Mapping[str, int]) -> dict[str, int]:
    """The entry for lost rows of a partition, or of the whole table: at `at`, but after every recorded rerun."""
    return {_by_partition(_LOST, partition): max([at, *(begun + 1 for begun in reruns_in(entries).values())])}


def losses_in(entries: Mapping[str, int]) -> dict[str | None, int]:
    """When rows were lost, by partition; None for a table without partitions."""
    return _of_kind(_LOST, entries)


def lost_since_rerun(entries: Mapping[str, int]) -> list[str | None]:
    """The partitions with lost rows and no rerun since; None for a table without partitions."""
    reruns = reruns_in(entries)
    of_all = reruns.get(None, -1)
    return [name for name, at in losses_in(entries).items() if at > max(of_all, reruns.get(name, -1))]


def written_of(partition: str | None) -> str:
    """The entry for how a partition, or the whole table, was written: its mode and keys."""
    return _by_partition(_WRITTEN, partition)


def written_in(entries: Mapping[str, int]) -> dict[str | None, int]:
    """How each partition in these entries was written; None for the whole table."""
    return _of_kind(_WRITTEN, entries)


def ordered_of(partition: str | None) -> str:
    """The entry for the column that decides which row of a key counts, in a partition or the whole table."""
    return _by_partition(_ORDERED, partition)


def ordered_in(entries: Mapping[str, int]) -> dict[str | None, int]:
    """The column that decides which row of a key counts, for each partition in these entries; None for the whole table."""
    return _of_kind(_ORDERED, entries)


def number_of(text: str) -> int:
    """The number that stands for a text: an entry holds no other values."""
    return zlib.crc32(text.encode())


def _by_partition(kind: str, partition: str | None) -> str:
    return kind if partition is None else f"{kind}:{partition}"


def _of_kind(wanted: str, entries: Mapping[str, int]) -> dict[str | None, int]:
    numbers: dict[str | None, int] = {}
    for name, at in entries.items():
        kind, colon, partition = name.partition(":")
        if kind == wanted:
            numbers[partition if colon else None] = at
    return numbers


def transactions(table: TableOrSnapshot) -> Mapping[str, int]:
    """The valid entries of a ledger: the last number by name. For a table, they are read again."""
    if isinstance(table, Snapshot):
        return table.ledger
    return {name: number for name, number in table.format.entries(table).items() if number != TAKEN_BACK}


__all__ = [
    "PARTITIONS",
    "TAKEN_BACK",
    "batches_in",
    "consumption",
    "losses_in",
    "lost_from",
    "lost_since_rerun",
    "number_of",
    "ordered_in",
    "ordered_of",
    "rerun_of",
    "reruns_in",
    "snapshot_of",
    "snapshots_in",
    "transactions",
    "written_in",
    "written_of",
]
