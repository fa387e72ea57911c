"""Reads a Delta table at one version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import Any
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.failures import read_errors, refused
from dq_pipelines.lake.formats.delta.entries import entries_of, retained_files
from dq_pipelines.lake.formats.delta.log import Log
from dq_pipelines.lake.formats.delta.open_tables import borrowed, opened, taken
from dq_pipelines.lake.formats.snapshot import PARTITION, CommitRecord, Place, Snapshot, Unpublished

#: Keys of a commit in the history that are not its metadata.
_OWN = {"timestamp", "version", "operation", "operationParameters", "operationMetrics", "engineInfo", "clientVersion"}


@dataclass(frozen=True)
class DeltaSnapshot(Snapshot):
    """A Delta table at one version. Its log and DeltaTable are opened at first use; both are of the same version.

    The log alone answers whether there is a table, and what its ledger says: 0.2 ms, where a DeltaTable takes 8 ms. What is asked
    of a table but its rows is asked of one that others may have later (`open_tables`).
    """

    _log: Log | None = field(default=None, repr=False, compare=False)
    _table: DeltaTable | None = field(default=None, repr=False, compare=False)

    @cached_property
    def table(self) -> DeltaTable:
        """The library's table, for rows to read; raises PublishError when it cannot be opened. Do not commit with it: that would change its version."""
        return self._table if self._table is not None else taken(self.place, self.log)

    @contextmanager
    def _asked(self) -> Iterator[DeltaTable]:
        """The library's table for one question: the own one, or one that is kept for the next question afterwards."""
        if self._table is not None or "table" in self.__dict__:
            yield self.table
        else:
            with borrowed(self.place, self.log) as table:
                yield table

    @cached_property
    def log(self) -> Log:
        if self._log is not None:
            return self._log
        log = log_of(self.place)
        if log is None:
            raise PublishError(f"{self.uri}: wanted the log of {self.key}, got none")
        return log.up_to(self.version)

    def scan(self) -> pl.LazyFrame:
        return pl.scan_delta(self.table)

    def relation(self) -> Any:
        return self.table.to_pyarrow_dataset()

    @cached_property
    def schema(self) -> pl.Schema:
        with self._asked() as table:
            return pl.Schema(table.schema())

    def rows(self) -> int:
        with self._asked() as table:
            return int(table.count())

    @cached_property
    def partition_columns(self) -> Sequence[str]:
        with self._asked() as table:
            return table.metadata().partition_columns

    @cached_property
    def partitions(self) -> Sequence[str | None]:
        if PARTITION not in self.partition_columns:
            return ()
        with self._asked() as table:
            return [part.get(PARTITION) for part in table.partitions()]

    @cached_property
    def _adds(self) -> pl.DataFrame:
        with self._asked() as table:
            return pl.DataFrame(table.get_add_actions(flatten=True))

    def file_statistics(self, *columns: str) -> pl.DataFrame:
        """The log is JSON: it truncates moments to milliseconds and stores decimals as floats, so such bounds are not exact."""
        adds = self._adds
        wanted = {"path": "path", "rows": "num_records", "size": "size_bytes", "modified": "modification_time"}
        wanted["partition"] = f"partition.{PARTITION}"
        for name in columns:
            wanted |= {
                f"least.{name}": f"min.{name}",
                f"most.{name}": f"max.{name}",
                f"nulls.{name}": f"null_count.{name}",
            }
        nothing = pl.Series(values=[None] * adds.height)
        found = pl.DataFrame(
            {called: adds[name] if name in adds.columns else nothing for called, name in wanted.items()}
        )
        return found.with_columns(
            pl.Series("path", [unquote(path) for path in found["path"]], pl.String()),
            pl.col("partition").cast(pl.String),
            pl.col("modified").cast(pl.Int64),
        )

    def retained_files(self) -> set[str]:
        with read_errors(self.key, self.uri):
            return {unquote(path) for path in retained_files(self.log)}

    @cached_property
    def entries(self) -> Mapping[str, int]:
        with read_errors(self.key, self.uri):
            return entries_of(self.uri, self.log)

    def entries_since(self, version: int) -> set[str]:
        with read_errors(self.key, self.uri):
            return {action["appId"] for action in self.log.actions(version, "txn")}

    def last_made(self, name: str) -> tuple[int, set[str | None]] | None:
        with read_errors(self.key, self.uri):
            return self.log.noted(name)

    def history(self, limit: int | None = None) -> Iterator[CommitRecord]:
        with self._asked() as table:
            entries = list(islice(table.history(limit), limit))
        for entry in entries:
            milliseconds = entry.get("timestamp")
            at = None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
            yield CommitRecord(
                entry["version"],
                at,
                {name: value for name, value in entry.items() if name not in _OWN and isinstance(value, str)},
            )

    def at(self, version: int) -> DeltaSnapshot:
        table = opened(self.place, version, f"version {version} of {self.key}")
        return DeltaSnapshot(self.place, version, self.log.up_to(version), table)


def snapshot_of(place: Place) -> Snapshot:
    """The table as it is now. Raises PublishError when its newest commit has no actions, or it cannot be reached."""
    log = log_of(place, f"the Delta table {place.key}")
    return Unpublished(place) if log is None or log.version < 0 else DeltaSnapshot(place, log.version, log)


def log_of(place: Place, wanted: str = "") -> Log | None:
    """The log of a table; None where nothing was ever published. Raises PublishError, with what was `wanted`.

    A log on a disk whose newest commit has no actions is refused: a store has whole objects alone, only a disk loses power.
    """
    try:
        return (Log.as_it_lies if is_remote(place.uri) else Log.of)(place.key, place.uri)
    except (DeltaError, OSError, pa.ArrowException) as error:
        raise refused(place.uri, f"wanted {wanted or f'to reach {place.key}'}", error) from None


def newest_entries(place: Place) -> Mapping[str, int]:
    """The current ledger, from the log alone."""
    log = log_of(place)
    with read_errors(place.key, place.uri):
        return {} if log is None else entries_of(place.uri, log)
