"""Where tables lie, and how they are read: `$DQ_LAKE/<layer>/<table>`, on disk or in an object store.

How an object store is reached is said in `config/stores.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyarrow import fs

from dq_pipelines.config.columns import exact
from dq_pipelines.config.stores import filesystem, is_passing, is_remote, options, said, wrong_scheme
from dq_pipelines.errors import ConfigError, Problem, PublishError, Unreached
from dq_pipelines.lake.log import PARTITION, Log
from dq_pipelines.transforms.to_text import to_text

#: The folders of a lake in which tables lie.
LAYERS = ("bronze", "silver", "quarantine", "gold")


@dataclass(frozen=True)
class LakeTable:
    """One Delta table of the lake, which need not exist yet."""

    #: `<layer>/<table>`
    key: str
    #: absolute path or URI
    uri: str

    def delta(self) -> DeltaTable | None:
        """The table as it is now, or None when nothing was ever published to it.

        Raises PublishError when its log cannot be read, or its newest commit has no actions.
        """
        # A store has whole objects alone: only a disk loses power.
        log = None if is_remote(self.uri) else self.log()
        try:
            return DeltaTable(self.uri, storage_options=options(self.uri))
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            if log is not None and (torn := log.torn_checkpoint() or log.torn_commit()):
                raise PublishError(torn) from None
            raise refused(self.uri, f"wanted the Delta table {self.key}", error) from None

    def log(self) -> Log | None:
        """Its log as it lies; None where nothing was ever published. Raises PublishError as `delta` does."""
        with reached(self):
            return Log.of(self.key, self.uri)

    def opened(self) -> DeltaTable:
        """The table as it is now; raises PublishError when nothing was ever published to it."""
        table = self.delta()
        if table is None:
            raise PublishError(f"{self.key} is not published yet: materialize it first (looked in {self.uri})")
        return table

    def scan(self) -> pl.LazyFrame:
        """Its rows, lazily; raises PublishError when there is no such table yet."""
        return pl.scan_delta(self.opened())

    def partitions(self) -> Sequence[str | None]:
        """The partitions that it has rows of; None for files of no partition. Empty where it is not kept in partitions."""
        table = self.delta()
        if table is None or PARTITION not in table.metadata().partition_columns:
            return []
        return [part.get(PARTITION) for part in table.partitions()]

    def rows(self) -> int:
        """How many rows it has, from the log alone where the log knows."""
        table = self.delta()
        return 0 if table is None else int(table.count())


@dataclass(frozen=True)
class Lake:
    """The root under which every table lies."""

    root: str

    @classmethod
    def at(cls, root: str, setting: str = "DQ_LAKE") -> Lake:
        """A lake at a path, made absolute, or at an object store's URI; raises ConfigError for a scheme of no store."""
        if wrong := wrong_scheme(root):
            raise ConfigError([Problem("", 0, f"{setting}={root}: {wrong}")])
        return cls(root.rstrip("/") if "://" in root else str(Path(root).absolute()))

    def table(self, key: str) -> LakeTable:
        return LakeTable(key, f"{self.root}/{key}")

    def keys(self) -> list[str]:
        """The tables that lie here, whether or not YAML names them; raises PublishError when the lake cannot be asked."""
        found = []
        with reached(LakeTable("the lake", self.root)):
            files, path = filesystem(self.root)
            for layer in LAYERS:
                below = fs.FileSelector(f"{path.rstrip('/')}/{layer}", allow_not_found=True)
                for folder in files.get_file_info(below):
                    log = fs.FileSelector(f"{folder.path}/_delta_log", allow_not_found=True)
                    if folder.type is fs.FileType.Directory and files.get_file_info(log):
                        found.append(f"{layer}/{folder.base_name}")
        return sorted(found)


@contextmanager
def reached(table: LakeTable) -> Iterator[None]:
    """Raise PublishError when the files beneath a table cannot be got at, with the place."""
    try:
        yield
    except (OSError, DeltaError, pa.ArrowException) as error:
        raise refused(table.uri, f"wanted to reach {table.key}", error) from None


def refused(uri: str, wanted: str, error: Exception) -> PublishError:
    """What to say of a library's error at a place of the lake: Unreached where a store may answer at the next try."""
    kind = Unreached if is_remote(uri) and is_passing(error) else PublishError
    return kind(f"{uri}: {wanted}, got: {said(error)}")


def storable(frame: pl.LazyFrame, *, untyped: bool = True) -> pl.LazyFrame:
    """`frame` with every column in a type that Delta has, none of its values changed.

    Moments are to be whole microseconds within Delta's range. A column without any value becomes text, unless `untyped`
    is false: then it keeps its type Null.
    """
    there = frame.collect_schema().items()
    return frame.with_columns(
        _stored(pl.col(exact(name)), dtype, wanted).alias(name)
        for name, dtype in there
        if (wanted := _delta_type(dtype)) != dtype and (untyped or dtype != pl.Null)
    )


def _stored(value: pl.Expr, dtype: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Time | pl.Duration):
        return to_text(value, dtype)  # polars writes no decimals of a second, and a number would not tell its unit
    if not _holds_times(dtype):
        return value.cast(wanted)
    if isinstance(dtype, pl.Struct) and isinstance(wanted, pl.Struct):
        fields = [
            _stored(value.struct.field(one.name), _instance(one.dtype), _instance(other.dtype)).alias(one.name)
            for one, other in zip(dtype.fields, wanted.fields, strict=True)
        ]
        return pl.when(value.is_not_null()).then(pl.struct(fields))
    inner = _instance(dtype.inner)  # type: ignore[attr-defined] # a list or an array
    as_list = value.arr.to_list() if isinstance(dtype, pl.Array) else value
    return as_list.list.eval(_stored(pl.element(), inner, _delta_type(inner)))


def _holds_times(dtype: pl.DataType) -> bool:
    """Whether there are times of day or durations within a nested type."""
    if isinstance(dtype, pl.List | pl.Array):
        return _holds_times(_instance(dtype.inner))
    if isinstance(dtype, pl.Struct):
        return any(_holds_times(_instance(field.dtype)) for field in dtype.fields)
    return isinstance(dtype, pl.Time | pl.Duration)


def _instance(dtype: object) -> pl.DataType:
    return cast("pl.DataType", dtype)


#: Delta has no unsigned integers, none of 128 bits, no floats of 16, no time of day, no dictionary and no duration.
_WIDENED: Mapping[type[pl.DataType], pl.DataType] = {
    pl.UInt8: pl.Int16(),
    pl.UInt16: pl.Int32(),
    pl.UInt32: pl.Int64(),
    pl.UInt64: pl.Decimal(20, 0),
    pl.Int128: pl.Decimal(38, 0),
    pl.UInt128: pl.Decimal(38, 0),
    pl.Float16: pl.Float32(),
    pl.Time: pl.String(),
    pl.Duration: pl.String(),
    pl.Categorical: pl.String(),
    pl.Enum: pl.String(),
    pl.Null: pl.String(),
}


def _delta_type(dtype: pl.DataType) -> pl.DataType:
    if isinstance(dtype, pl.Datetime) and dtype.time_unit != "us":
        return pl.Datetime("us", dtype.time_zone)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone not in (None, "UTC"):
        return pl.Datetime("us", "UTC")
    if isinstance(dtype, pl.List):
        return pl.List(_delta_type(dtype.inner))  # type: ignore[arg-type]
    if isinstance(dtype, pl.Array):
        return pl.List(_delta_type(dtype.inner))  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return pl.Struct({field.name: _delta_type(field.dtype) for field in dtype.fields})  # type: ignore[arg-type]
    return _WIDENED.get(type(dtype), dtype)


__all__ = ["PARTITION", "Lake", "LakeTable", "reached", "refused", "storable"]
