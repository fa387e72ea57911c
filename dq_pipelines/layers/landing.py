"""Bronze: rows as they landed, each input once. Types and rules belong in silver.

A bronze row is a landed record with where it came from; a line that no reader could make a record of
is a bronze row too, with the line in `_unreadable` and nothing else, so that no input has a third
place to be.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import SourceError, Transient
from dq_pipelines.lake.aside import asides
from dq_pipelines.lake.ledger import batches_in, transactions
from dq_pipelines.lake.tables import PARTITION, Lake, LakeTable
from dq_pipelines.layers.partitions import partition_of
from dq_pipelines.project import Table
from dq_pipelines.sources import ROW, SOURCE, Input, Source
from dq_pipelines.sources.base import FileReport
from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.files import unchanged

BATCH, INGESTED_AT, UNREADABLE, WHY = "_batch", "_ingested_at", "_unreadable", "_why"

#: In bronze's ledger, followed by a batch: when it landed, in microseconds.
_LANDED_AT = "landed_at:"
#: Followed by an address that had landed before: when it did so last. Of that version bronze may have no row: the file was
#: empty, or they have expired, or were erased.
_AGAIN = "again:"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = pl.col(INGESTED_AT).dt.epoch("us")

#: What bronze adds to the landed columns.
SYSTEM_COLUMNS = (SOURCE, ROW, BATCH, INGESTED_AT, UNREADABLE, WHY)


@dataclass(frozen=True)
class Batch:
    """The inputs that one run lands together."""

    #: the same inputs make the same id, so that a repeated run replaces what a killed one left
    id: str
    inputs: tuple[Input, ...]
    #: what bronze will remember of them, by name in the ledger
    consumed: Mapping[str, int]
    #: bronze rows that are records: the landed columns and `SYSTEM_COLUMNS`
    records: pl.LazyFrame
    #: bronze rows that are lines nobody could read, with the same columns
    lines: pl.LazyFrame
    #: how many rows there are, about; None where only a read would tell
    about: int | None = None
    #: what is known of each file beside its records, where the source counts lines
    files: tuple[FileReport, ...] = ()
    #: members of archives that are of another kind than the source's
    passed_over: tuple[str, ...] = ()

    @property
    def records_in_files(self) -> int | None:
        """How many records the files hold, counted apart from whoever reads them; None where nobody counts."""
        return sum(file.records for file in self.files) if self.files else None

    def must_be_complete(self, rows: int) -> None:
        """Raise SourceError when so many rows are not all records that the files hold."""
        wanted = self.records_in_files
        if wanted is not None and wanted != rows:
            place = self.inputs[0].uri if len(self.inputs) == 1 else f"{len(self.inputs)} inputs"
            raise SourceError(f"{place}: wanted a row for each of the {wanted:,} records in it, got {rows:,} rows")

    @property
    def input_names(self) -> list[str]:
        """What of `consumed` says that an input has landed in this version: nobody else may have brought it."""
        return [_name(item) for item in self.inputs]

    @property
    def rows(self) -> pl.LazyFrame:
        """All bronze rows, in order."""
        return pl.concat([self.records, self.lines])

    def must_be_unchanged(self) -> None:
        """Raise SourceError when an input is no longer what was listed: call it after the read."""
        for item in self.inputs:
            must_be_unchanged(item)


def must_be_unchanged(item: Input) -> None:
    """Raise Transient when an input is no longer what was listed."""
    if not _is_table(item):
        unchanged(item)


def listed(table: Table, partition: str | None = None) -> list[Input]:
    """What the table's source holds, or what of it belongs to a partition; raises SourceError."""
    model = table.landed
    found = list(model.source.inputs())
    if partition is None or model.partitions is None:
        return found
    return [item for item in found if partition_of(item.uri, model.partitions) == partition]


def new_inputs(table: Table, lake: Lake, partition: str | None = None, *, aside_too: bool = False) -> list[Input]:
    """What the table's source holds, bronze has not consumed and does not stand aside, in a stable order.

    An input is known by its address and modification time; one that was merely touched is known by
    its content. Raises SourceError when the place cannot be listed.
    """
    consumed = transactions(bronze(table, lake))
    found = [item for item in listed(table, partition) if consumed.get(_name(item)) != item.modified]
    marks = {} if aside_too or not found else asides(lake, table.name)
    if marks:
        source = table.landed.source
        found = [i for i in found if i.uri not in marks or marks[i.uri].version != version_of(i, source)]
    touched = [item for item in found if _name(item) in consumed]
    same = {item.uri for item in touched if _is_same(item, consumed.get(_content_name(item)))}
    return [item for item in found if item.uri not in same]


def version_of(item: Input, source: Source) -> str:
    """What changes when it may be of use to read an input again that could not be read.

    That is the input itself, whether this process may read it, and the options of its source.
    """
    allowed = is_remote(item.uri) or os.access(item.uri, os.R_OK, effective_ids=True)
    told = f"{item}\n{allowed}\n{source.model_dump_json()}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def bronze(table: Table, lake: Lake) -> LakeTable:
    return lake.table(f"bronze/{table.name}")


def batch_of(table: Table, inputs: Sequence[Input], now: datetime, landed: LakeTable | None = None) -> Batch:
    """The inputs as one batch of bronze rows; raises SourceError when one cannot be read at all.

    A column that `landed` has in a wider type (a workbook's numbers that were text last time) takes it. Where the table's
    `schema` lets a column become text, it does so for inputs that arrive together as for those that come one by one.
    """
    digest = hashlib.sha256()
    for item in inputs:
        digest.update(f"{item.uri}\n{item.size}\n{item.modified}\n".encode())
    name, moment = f"b-{digest.hexdigest()[:16]}", (now - _EPOCH) // timedelta(microseconds=1)
    known = {} if landed is None else transactions(landed)
    consumed = {
        **{_name(item): item.modified for item in inputs},
        **{_content_name(item): _content(item) for item in inputs},
        f"{_LANDED_AT}{name}": moment,
        **{f"{_AGAIN}{item.uri}": moment for item in inputs if _name(item) in known},
    }
    source = table.landed.source
    reading = source.read_or_text(inputs) if table.landed.evolution == "evolve" else source.read(inputs)
    lines = reading.unreadable.select(SOURCE, ROW, pl.col("_text").alias(UNREADABLE), pl.col("_why").alias(WHY))
    schema = pl.concat([reading.landed.clear(), lines.clear()], how="diagonal_relaxed").collect_schema()
    there = landed.scan().collect_schema() if landed is not None and landed.delta() is not None else None

    def bronze_rows(some: pl.LazyFrame) -> pl.LazyFrame:
        rows = _shaped(some, schema).with_columns(
            pl.lit(name).alias(BATCH), pl.lit(now).dt.cast_time_unit("us").alias(INGESTED_AT)
        )
        return rows if there is None else _widened(rows, there)

    return Batch(
        name,
        tuple(inputs),
        consumed,
        bronze_rows(reading.landed),
        bronze_rows(lines),
        reading.about,
        reading.files,
        reading.passed_over,
    )


def after_all(landed: LakeTable, now: datetime) -> datetime:
    """`now`, or where the clock was put back, the first moment after whatever has landed: later means later here."""
    last = last_landed(landed)
    return now if last is None else max(now, last + timedelta(microseconds=1))


def _shaped(rows: pl.LazyFrame, wanted: pl.Schema) -> pl.LazyFrame:
    """`rows` with the columns of `wanted` in their types and order, null where there are none."""
    there = rows.collect_schema()
    new = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in wanted.items() if name not in there]
    casts = [pl.col(exact(name)).cast(wanted[name]) for name, dtype in there.items() if dtype != wanted[name]]
    return rows.with_columns(*new, *casts).select(exact_names(wanted))


#: What a column may become without the change of a value, beside text, which holds everything.
_WIDER: dict[type[pl.DataType], tuple[type[pl.DataType], ...]] = {
    pl.Int8: (pl.Int16, pl.Int32, pl.Int64, pl.Float64),
    pl.Int16: (pl.Int32, pl.Int64, pl.Float64),
    pl.Int32: (pl.Int64, pl.Float64),
    pl.Float32: (pl.Float64,),
    pl.Null: (pl.DataType,),
}


def _widened(rows: pl.LazyFrame, wanted: pl.Schema) -> pl.LazyFrame:
    """`rows` with the columns that fit there in the types of `wanted`; the others are left for the commit to refuse."""
    casts = [
        pl.col(exact(name)).cast(wanted[name])
        for name, dtype in rows.collect_schema().items()
        if name in wanted
        and dtype != wanted[name]
        and issubclass(type(wanted[name]), (pl.String, *_WIDER.get(type(dtype), ())))
        and not dtype.is_nested()
    ]
    return rows.with_columns(casts)


def rows_of(landed: LakeTable, wanted: Collection[str]) -> int | None:
    """How many rows bronze has of these batches, as its log tells; None where files hold several batches."""
    delta = landed.delta()
    if delta is None:
        return 0
    adds = pl.DataFrame(delta.get_add_actions(flatten=True))
    names = (f"min.{BATCH}", f"max.{BATCH}", "num_records")
    if not adds.height or any(name not in adds.columns for name in names):
        return None
    least, most = pl.col(names[0]), pl.col(names[1])
    if adds.select((least != most).fill_null(True).any()).item():
        return None
    return int(adds.filter(least.is_in(list(wanted)))["num_records"].sum())


def pending_batches(table: Table, lake: Lake, published: LakeTable, partition: str | None = None) -> list[str]:
    """The bronze batches that the published table has not consumed."""
    consumed = set(batches_in(transactions(published)))
    return [batch for batch in batches(table, lake, partition) if batch not in consumed]


def outdated(
    landed: LakeTable, batches: Sequence[str], arriving: frozenset[str] = frozenset()
) -> dict[str, frozenset[str]]:
    """The batches, oldest first, each with what `_source` says there of inputs of which a later version counts.

    Such a one has landed, whatever bronze has of it, or is `arriving`.
    """
    rows = landed.scan().filter(pl.col(BATCH).is_in(list(batches)))
    came = rows.group_by(BATCH, SOURCE).agg(_MICROSECONDS.max()).sort(INGESTED_AT, BATCH).collect()
    again = _again(landed)
    latest = {source: batch for batch, source, _ in came.rows()}
    found: dict[str, set[str]] = {batch: set() for batch in came[BATCH].unique(maintain_order=True)}
    for batch, source, at in came.rows():
        later = again.get(_address(source, again), at) > at or _address(source, arriving) in arriving
        if later or latest[source] != batch:
            found[batch].add(source)
    return {batch: frozenset(sources) for batch, sources in found.items()}


def last_snapshot(landed: LakeTable, partition: str | None) -> datetime | None:
    """When the last batch landed, of a partition or of all, whether or not bronze has any row of it; None where none has."""
    if partition is None:
        return last_landed(landed)
    rows, again = landed.scan().filter(pl.col(PARTITION) == partition), _again(landed)
    came = rows.group_by(SOURCE).agg(_MICROSECONDS.max()).collect()
    moments = [max(at, again.get(_address(source, again), at)) for source, at in came.rows()]
    return _EPOCH + timedelta(microseconds=max(moments)) if moments else None


def landed_batches(landed: LakeTable) -> list[str]:
    """The ids of the batches that bronze's ledger knows, whether or not it still has rows of them."""
    return [name.removeprefix(_LANDED_AT) for name in transactions(landed) if name.startswith(_LANDED_AT)]


def last_landed(landed: LakeTable) -> datetime | None:
    moments = [at for name, at in transactions(landed).items() if name.startswith(_LANDED_AT)]
    return _EPOCH + timedelta(microseconds=max(moments)) if moments else None


def _again(landed: LakeTable) -> dict[str, int]:
    """When each input landed last that has landed more than once, by address, in microseconds."""
    entries = transactions(landed).items()
    return {name.removeprefix(_AGAIN): at for name, at in entries if name.startswith(_AGAIN)}


def _address(source: str, known: Container[str]) -> str:
    """The input behind what `_source` says: of a member of an archive, the archive."""
    return source if source in known else source.rpartition("#")[0]


def batches(table: Table, lake: Lake, partition: str | None = None) -> list[str]:
    """The ids of all batches in bronze, or in one partition of it."""
    landed = bronze(table, lake)
    delta = landed.delta()
    if delta is None:
        return []
    adds = pl.DataFrame(delta.get_add_actions(flatten=True))
    if partition is not None:
        adds = adds.filter(pl.col(f"partition.{PARTITION}") == partition)
    bounds = [pl.col(name) for name in (f"min.{BATCH}", f"max.{BATCH}") if name in adds.columns]
    one = (bounds[0] == bounds[1]).fill_null(False) if len(bounds) == 2 else pl.lit(False)
    known = adds.filter(one)
    names = known[f"min.{BATCH}"].unique(maintain_order=True).to_list() if known.height else []
    # A compacted file holds several batches, and only its column knows which.
    mixed = [f"{landed.uri}/{unquote(path)}" for path in adds.filter(~one)["path"]]
    if mixed:
        columns = [pl.scan_parquet(path, glob=False, hive_partitioning=False).select(BATCH) for path in mixed]
        names += pl.concat(columns).unique().collect(engine="streaming")[BATCH].to_list()
    return list(dict.fromkeys(names))


def _name(item: Input) -> str:
    return f"input:{item.uri}"


def _content_name(item: Input) -> str:
    return f"content:{item.uri}"


def _content(item: Input) -> int:
    """A number that stays the same as long as the content does; a remote object's is its size and time."""
    if is_remote(item.uri) or _is_table(item):
        return item.modified
    check = 0
    with broken(item.uri), Path(item.uri).open("rb") as file:
        while chunk := file.read(1 << 20):
            check = zlib.crc32(chunk, check)
    return ((item.size & 0x7FFFFFFF) << 32) | check


def _is_same(item: Input, content: int | None) -> bool:
    """Whether an input that was touched still holds what was consumed; of one that cannot be read nobody knows."""
    try:
        return content == _content(item)
    except Transient:
        raise
    except SourceError:
        return False


def _is_table(item: Input) -> bool:
    """Whether the input is a Delta table's version rather than a file."""
    return not is_remote(item.uri) and Path(item.uri).is_dir()
