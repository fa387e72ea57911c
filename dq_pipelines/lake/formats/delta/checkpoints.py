"""When the log of a table gets a checkpoint: once the commits since the last one have cost as much to read as a checkpoint to write.

Whoever opens a table reads its checkpoint and every commit since. Delta itself writes a checkpoint at every hundredth version:
until then each batch costs more than the one before. After each commit all commits since the checkpoint were read once more, so
their sum grows with the square of their number, and what a checkpoint costs grows with the files of the table.
"""

from __future__ import annotations

from zlib import crc32

from deltalake import DeltaTable

from dq_pipelines.lake.durable import sync_files
from dq_pipelines.lake.formats.delta.log import Log
from dq_pipelines.lake.formats.delta.types import FOLDER
from dq_pipelines.lake.formats.snapshot import Place

#: Milliseconds of CPU, measured with tables of 100 to 20,000 files: to read a commit, and each 100 kB of it.
_COMMIT, _COMMIT_BYTES = 0.25, 1 / 100_000
#: To write a checkpoint, and each 50 kB of it.
_CHECKPOINT, _CHECKPOINT_BYTES = 8.0, 1 / 50_000
#: Commits after which a checkpoint is due at any cost: Delta's own interval.
_MOST_COMMITS = 100


def is_due(log: Log) -> bool:
    """Whether the newest version is to have a checkpoint."""
    version, files = log.checkpoint
    since = log.commits_after(version)
    sizes = [log.info(name).size or 0 for name in reversed(since[-_MOST_COMMITS:])]
    reading = sum(times * (_COMMIT + size * _COMMIT_BYTES) for times, size in enumerate(sizes, 1))
    writing = _CHECKPOINT + sum(log.info(name).size or 0 for name in files) * _CHECKPOINT_BYTES
    return len(since) >= _MOST_COMMITS or reading >= writing * _share(log.key)


def _share(key: str) -> float:
    """1 to 2, by table: the layers of a table have as many commits, and are not to be due in the same run."""
    return 1 + crc32(key.encode()) % 16 / 16


def write_checkpoint(place: Place, table: DeltaTable) -> None:
    """Write a checkpoint of the table's version to the disk, and remove expired commits where the table allows that.

    Raises OSError, or an error of the library; then the log is as good as before.
    """
    table.create_checkpoint()
    sync_files(place.uri, [f"{FOLDER}/{table.version():020}.checkpoint.parquet", f"{FOLDER}/_last_checkpoint"])
    if table.metadata().configuration.get("delta.enableExpiredLogCleanup", "true") != "false":
        table.cleanup_metadata()
