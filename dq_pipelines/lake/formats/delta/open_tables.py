"""Caches opened tables of the library, so that a process that opens one again reads only the commits since.

To open a table reads its checkpoint, with an action for each file of the table, and every commit since. An update reads the
commits alone that are new. A table is either kept here, or held by one reader or one commit: a commit takes it along.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from dq_pipelines.config.stores import is_remote, options
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.failures import refused
from dq_pipelines.lake.formats.delta.log import CommitIdentity, Log
from dq_pipelines.lake.formats.snapshot import Place


@dataclass(frozen=True)
class _Kept:
    table: DeltaTable
    version: int
    #: the newest commit and the checkpoint that it was read from: another table may lie at the same place since
    made_of: tuple[CommitIdentity, ...]


#: By address. Their memory grows with the files of a table.
_kept: dict[str, _Kept] = {}
_MOST_TABLES = 6
_lock = threading.Lock()


@contextmanager
def borrowed(place: Place, log: Log) -> Iterator[DeltaTable]:
    """The library's table at the version of the log, for questions that do not change it. Raises PublishError as `taken`."""
    table = taken(place, log)
    yield table
    keep(place, log, table)


def taken(place: Place, log: Log) -> DeltaTable:
    """The library's table at the version of the log, for the caller alone. Raises PublishError when it cannot be opened."""
    with _lock:
        kept = _kept.pop(place.uri, None)
    if kept is not None and (table := _updated(kept, log)) is not None:
        return table
    return opened(place, log.version)


def keep(place: Place, log: Log, table: DeltaTable) -> None:
    """Keep a table that is no longer in use; `log` is of its version, or a later one."""
    version = table.version()
    made_of = _made_of(log, version)
    if made_of is None:
        return
    with _lock:
        _kept.pop(place.uri, None)
        while len(_kept) >= _MOST_TABLES:
            del _kept[next(iter(_kept))]
        _kept[place.uri] = _Kept(table, version, made_of)


def opened(place: Place, version: int | None = None, wanted: str = "") -> DeltaTable:
    """The library's table, current or of one version, read anew. Raises PublishError, with what was `wanted`."""
    try:
        return DeltaTable(place.uri, version=version, storage_options=options(place.uri))
    except (DeltaError, OSError) as error:
        log = None if is_remote(place.uri) else Log.as_it_lies(place.key, place.uri)
        if log is not None and (damaged := log.torn_checkpoint() or log.torn_commit() or log.lost_checkpoint()):
            raise PublishError(damaged) from None
        raise refused(place.uri, f"wanted {wanted or f'the Delta table {place.key}'}", error) from None


def _updated(kept: _Kept, log: Log) -> DeltaTable | None:
    """A kept table at the version of the log; None where it is to be opened anew."""
    # Each update takes longer than the one before, as if all of them were made again: a new checkpoint ends that.
    if kept.version > log.version or _made_of(log, kept.version) != kept.made_of:
        return None
    if kept.version < log.version:
        try:
            kept.table.update_incremental()
        except (DeltaError, OSError):
            return None
    return kept.table if kept.table.version() == log.version else None


def _made_of(log: Log, version: int) -> tuple[CommitIdentity, ...] | None:
    """The commit of a version and the newest checkpoint; None where that is later, or a file is gone or of unknown age."""
    commit = f"{version:020}.json"
    if log.checkpoint[0] > version or commit not in log:
        return None
    files = [log.identity(name) for name in (commit, *log.checkpoint[1])]
    return None if None in files else tuple(file for file in files if file is not None)
