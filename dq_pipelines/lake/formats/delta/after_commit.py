"""What follows a commit: it reaches the disk, a checkpoint is written where one is due, and the opened table is kept."""

from __future__ import annotations

import json
from contextlib import suppress
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.durable import sync_files
from dq_pipelines.lake.formats.delta.checkpoints import is_due, write_checkpoint
from dq_pipelines.lake.formats.delta.log import Log
from dq_pipelines.lake.formats.delta.open_tables import keep
from dq_pipelines.lake.formats.delta.snapshot import log_of
from dq_pipelines.lake.formats.delta.types import FOLDER
from dq_pipelines.lake.formats.snapshot import Place


def synced(place: Place) -> Log:
    """Sync the newest commit and its data files to the disk; returns the log with it. Raises OSError.

    delta-rs does not ask for that: without it the log may name files of 0 bytes, or be one.
    """
    log = log_of(place)
    newest = None if log is None else log.newest_commit
    if log is None or newest is None:
        raise PublishError(f"{place.uri}: wanted the log of {place.key} with the commit just made, got none")
    if not is_remote(place.uri):
        lines = log.content(newest).splitlines()
        adds = [unquote(json.loads(line)["add"]["path"]) for line in lines if line.startswith(b'{"add"')]
        sync_files(place.uri, [f"{FOLDER}/{newest}", *(path for path in adds if "://" not in path)])
    return log


def set_down(place: Place, log: Log, table: DeltaTable) -> None:
    """Write a checkpoint where one is due, and keep the library's table for the next one who opens it."""
    with suppress(DeltaError, OSError, PublishError):  # the commit is made; the next one writes the checkpoint
        if is_due(log):
            table.update_incremental()
            write_checkpoint(place, table)
        else:
            keep(place, log, table)
