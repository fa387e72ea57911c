"""What a table has consumed: Delta's own application transactions, written in the commit of the rows.

An application transaction is a name and a number that Delta keeps with the table, through checkpoints and log
clean-up. Bronze keeps one per input (`input:<name>`, its modification time; the name is its address relative to the
landing folder, of which `landing:<folder>` is kept), one for its content (`content:<name>`, a digest), one for the
change time of a local file (`changed:<name>`), one where it landed again (`again:<name>`, when) and one per batch
(`landed_at:<id>`, when it landed); silver and quarantine keep one per bronze batch (`batch:<id>`), and one of the
last rerun (`rerun`, or `rerun:<partition>`: when it began). Silver keeps one of the last snapshot that replaced all
before it (`snapshot`, or `snapshot:<partition>`: when it landed). Quarantine keeps one where `dq doctor` took lost
files out of its log (`lost`, or `lost:<partition>`: when), until a later rerun makes their rows anew. Silver notes
how it is written (`written`, or `written:<partition>`), by which column a row of a key counts (`ordered`, or
`ordered:<partition>`) and how it is parted (`partitions`), each a number that stands for a text (`number_of`). A
killed run therefore repeats without loss or duplicate.

The log is read here rather than by `DeltaTable.transaction_version`, which replays it anew for each
name: 1.7 ms a look-up against 20 ms for all of them.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deltalake import CommitProperties, Transaction
from pyarrow import fs

from dq_pipelines.lake.log import Log
from dq_pipelines.lake.tables import LakeTable, reached

#: The number of an entry that no longer holds, for Delta has no way to remove one.
TAKEN_BACK = -1

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


def noting(consumed: Mapping[str, int], metadata: Mapping[str, str], **more: Any) -> CommitProperties:
    """What a commit is to say: the entries that it makes, and what it was for. `more` is delta-rs' own."""
    entries = [Transaction(name, number) for name, number in consumed.items()]
    return CommitProperties(custom_metadata=dict(metadata), app_transactions=entries, **more)


def transactions(table: LakeTable) -> dict[str, int]:
    """Every application transaction of the table that holds, by name: the number it last reached."""
    with reached(table):
        log = table.log()
        if log is None:
            return {}
        found = _entries(table.uri, log)
        return {name: number for name, number in found.items() if number != TAKEN_BACK}


@dataclass(frozen=True)
class _Read:
    """The entries of one table up to its newest commit at that time."""

    version: int
    newest: fs.FileInfo
    entries: dict[str, int]

    def is_of(self, log: Log) -> bool:
        """Whether it is the same table still, and what came since can be read commit by commit."""
        since = [(version, info) for version, info in log.commits if version >= self.version]
        if [version for version, _ in since] != list(range(self.version, self.version + len(since))) or not since:
            return False
        first = since[0][1]
        same = (first.size, first.mtime_ns) == (self.newest.size, self.newest.mtime_ns)
        return same and first.mtime_ns is not None


#: What this process has read of tables, by address: a table of 100,000 inputs has 200,000 entries, and a run asks ten times.
_read: dict[str, _Read] = {}
_MOST_TABLES = 6
_lock = threading.Lock()


def _entries(uri: str, log: Log) -> dict[str, int]:
    with _lock:
        known = _read.pop(uri, None)
    if known is not None and known.is_of(log):
        after, found = known.version, dict(known.entries)
    else:
        after = log.checkpoint[0]
        found = {row["appId"]: row["version"] for row in log.checkpointed("txn") if row["appId"] is not None}
    for action in log.actions(after, "txn"):
        found[action["appId"]] = action["version"]
    with _lock:
        while len(_read) >= _MOST_TABLES:
            del _read[next(iter(_read))]
        if log.commits:
            _read[uri] = _Read(*log.commits[-1], found)
    return found


def noted_since(table: LakeTable, version: int) -> set[str]:
    """The names of application transactions in the commits after a version, whatever their numbers."""
    with reached(table):
        log = table.log()
        return set() if log is None else {action["appId"] for action in log.actions(version, "txn")}


def names_ever(table: LakeTable) -> set[str]:
    """The names of all application transactions, those that were taken back among them."""
    with reached(table):
        log = table.log()
        return set() if log is None else set(_entries(table.uri, log))


def named_files(table: LakeTable) -> set[str]:
    """Every data file that the log names, as the log writes its path: those of earlier versions too.

    Whoever reads an earlier version still needs them, be it only until their query ends.
    """
    with reached(table):
        log = table.log()
        if log is None:
            return set()
        kinds = ("add", "remove")
        found = {row["path"] for kind in kinds for row in log.checkpointed(kind) if row["path"] is not None}
        found.update(action["path"] for action in log.actions(log.checkpoint[0], *kinds))
        return found
