"""What a table has consumed, and what it notes of itself: entries that are written in the commit of the rows.

An entry is a name and a number that stays with the table, whatever becomes of its earlier versions. How a format
keeps them is its own business (Delta: application transactions); here is what they mean. Bronze keeps one per input
(`input:<name>`, its modification time; the name is its address relative to the landing folder, of which
`landing:<folder>` is kept), one for its content (`content:<name>`, a digest), one for the change time of a local file
(`changed:<name>`), one where it landed again (`again:<name>`, when) and one per batch (`landed_at:<id>`, when it
landed); silver and quarantine keep one per bronze batch (`batch:<id>`), and one of the last rerun (`rerun`, or
`rerun:<partition>`: when it began). Silver keeps one of the last snapshot that replaced all before it (`snapshot`, or
`snapshot:<partition>`: when it landed). Quarantine keeps one where `dq doctor` took lost files out of its log
(`lost`, or `lost:<partition>`: when), until a later rerun makes their rows anew. Silver notes how it is written
(`written`, or `written:<partition>`), by which column a row of a key counts (`ordered`, or `ordered:<partition>`) and
how it is parted (`partitions`), each a number that stands for a text (`number_of`). A killed run therefore repeats
without loss or duplicate.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

from dq_pipelines.lake.formats.snapshot import TAKEN_BACK, Snapshot
from dq_pipelines.lake.tables import TableOrSnapshot

_BATCH, _RERUN, _SNAPSHOT, _LOST, _WRITTEN, _ORDERED = "batch:", "rerun", "snapshot", "lost", "written", "ordered"

#: The entry of how a table is parted.
PARTITIONS = "partitions"


def consumption(batches: Iterable[str]) -> dict[str, int]:
    """The entries that say that these batches were consumed."""
    return {f"{_BATCH}{batch}": 1 for batch in batches}


def batches_in(names: Iterable[str]) -> list[str]:
    """The batches that entries of these names are about; other entries are left out."""
    return [name.removeprefix(_BATCH) for name in names if name.startswith(_BATCH)]


def rerun_of(partition: str | None) -> str:
    """The entry of the last rerun of a partition, or of the whole table; its number is when it began, in microseconds."""
    return _by_partition(_RERUN, partition)


def reruns_in(entries: Mapping[str, int]) -> dict[str | None, int]:
    """When the reruns began that are among these entries, by partition; None for the whole table."""
    return _of_kind(_RERUN, entries)


def snapshot_of(partition: str | None) -> str:
    """The entry of the last batch that replaced all before it; its number is when that landed, in microseconds."""
    return _by_partition(_SNAPSHOT, partition)


def snapshots_in(entries: Mapping[str, int]) -> dict[str | None, int]:
    """When the snapshots landed that are among these entries, by partition; None for the whole table."""
    return _of_kind(_SNAPSHOT, entries)


def lost_from(partition: str | None, at: int, entries: Mapping[str, int]) -> dict[str, int]:
    """The entry that says that rows of a partition, or of a table without any, are lost: at a moment, and after all reruns."""
    return {_by_partition(_LOST, partition): max([at, *(begun + 1 for begun in reruns_in(entries).values())])}


def losses_in(entries: Mapping[str, int]) -> dict[str | None, int]:
    """When rows were lost, by partition; None for a table without any."""
    return _of_kind(_LOST, entries)


def lost_since_rerun(entries: Mapping[str, int]) -> list[str | None]:
    """The partitions of which rows are lost that no rerun has made anew; None for a table without partitions."""
    reruns = reruns_in(entries)
    of_all = reruns.get(None, -1)
    return [name for name, at in losses_in(entries).items() if at > max(of_all, reruns.get(name, -1))]


def written_of(partition: str | None) -> str:
    """The entry of how a partition, or the whole table, was written: its mode and its keys."""
    return _by_partition(_WRITTEN, partition)


def written_in(entries: Mapping[str, int]) -> dict[str | None, int]:
    """How each partition was written, as far as these entries say; None for the whole table."""
    return _of_kind(_WRITTEN, entries)


def ordered_of(partition: str | None) -> str:
    """The entry of what said which row of a key counts in a partition, or the whole table."""
    return _by_partition(_ORDERED, partition)


def ordered_in(entries: Mapping[str, int]) -> dict[str | None, int]:
    """What said which row of a key counts in each partition, as far as these entries say; None for the whole table."""
    return _of_kind(_ORDERED, entries)


def number_of(text: str) -> int:
    """The number that stands for a text: an entry holds no other values."""
    return zlib.crc32(text.encode())


def _by_partition(kind: str, partition: str | None) -> str:
    return kind if partition is None else f"{kind}:{partition}"


def _of_kind(wanted: str, entries: Mapping[str, int]) -> dict[str | None, int]:
    found: dict[str | None, int] = {}
    for name, at in entries.items():
        kind, colon, partition = name.partition(":")
        if kind == wanted:
            found[partition if colon else None] = at
    return found


def transactions(table: TableOrSnapshot) -> Mapping[str, int]:
    """The entries of a ledger that hold, by name: the number it last reached. Of a table they are read anew."""
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
