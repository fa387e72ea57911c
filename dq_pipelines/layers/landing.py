"""Bronze: rows as they landed, each input once. Types and rules belong in silver.

A bronze row is a landed record with where it came from; a line that no reader could make a record of
is a bronze row too, with the line in `_unreadable` and nothing else, so that no input has a third
place to be.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path

import polars as pl

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import SourceError, Transient
from dq_pipelines.lake.aside import asides
from dq_pipelines.lake.ledger import transactions
from dq_pipelines.lake.tables import Lake, LakeTable, storable
from dq_pipelines.layers.identity import CONTENT, INPUT, Consumed
from dq_pipelines.layers.landed import AGAIN, BATCH, EPOCH, INGESTED_AT, LANDED_AT, bronze
from dq_pipelines.layers.partitions import partition_of
from dq_pipelines.layers.unstorable import told_apart
from dq_pipelines.project import Table
from dq_pipelines.sources import ROW, SOURCE, Input, Reading, Source, names
from dq_pipelines.sources.base import FileReport
from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.files import FileSource, unchanged
from dq_pipelines.sources.names import Rename
from dq_pipelines.sources.order import by_arrival
from dq_pipelines.transforms.to_text import stored_text

UNREADABLE, WHY = "_unreadable", "_why"

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
    #: whether every row of `records` is one: a row that bronze cannot hold as it is stands among them, with its text
    all_records: bool = True
    #: columns that have another name in the inputs than in bronze: both names
    renamed: tuple[Rename, ...] = ()
    #: how many new inputs wait for the next runs
    waiting: int = 0
    #: the addresses of inputs that had landed before
    again: tuple[str, ...] = ()

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
        return [entry for entry in self.consumed if entry.startswith(INPUT)]

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
    """What the table's source holds, bronze has not consumed and does not stand aside, from the oldest to the newest.

    An input is known by its address and modification time; one that was merely touched is known by
    its content. Where landing moves, addresses go with it. Raises SourceError when the place cannot be listed.
    """
    consumed = Consumed.of(transactions(bronze(table, lake)))
    found = [item for item in listed(table, partition) if consumed.modified(item) != item.modified]
    marks = {} if aside_too or not found else asides(lake, table.name)
    if marks:
        source = table.landed.source
        found = [i for i in found if i.uri not in marks or marks[i.uri].version != version_of(i, source)]
    touched = [item for item in found if consumed.modified(item) is not None]
    same = {item.uri for item in touched if _is_same(item, consumed.content(item))}
    moved = consumed.elsewhere([item for item in found if consumed.modified(item) is None])
    same |= {item.uri for item, before in moved.items() if any(_has_moved(item, one, consumed) for one in before)}
    return by_arrival(item for item in found if item.uri not in same)


def _with_former_landing(table: Table, inputs: Sequence[Input], consumed: Consumed) -> Consumed:
    """What was consumed, with the folder in which landing lay when an earlier release noted whole addresses."""
    if not any(consumed.names.is_landing(item.uri) for item in inputs) or not consumed.has_whole_addresses:
        return consumed
    for item, addresses in consumed.elsewhere(listed(table)).items():
        for before in addresses:
            if _has_moved(item, before, consumed):
                return consumed.moved_from(item, before)
    return consumed


def _has_moved(item: Input, before: str, consumed: Consumed) -> bool:
    """Whether an input is the file that was consumed from another address."""
    content = consumed.entries.get(f"{CONTENT}{before}")
    if content is None or is_remote(before) or content >> 32 != item.size & 0x7FFFFFFF:
        return False
    return consumed.entries.get(f"{INPUT}{before}") == item.modified or _is_same(item, content)


def taken(table: Table, inputs: Sequence[Input]) -> Sequence[Input]:
    """Of new inputs those that one run takes: the oldest, as many as `max_files` and `max_bytes` allow, but one at least."""
    model = table.landed
    if model.silver.mode == "overwrite":  # a snapshot is taken whole
        return inputs
    some = inputs[: model.max_files]
    if model.max_bytes is None:
        return some
    fit = sum(1 for total in accumulate(item.size for item in some) if total <= model.max_bytes)
    return some[: max(fit, 1)]


def version_of(item: Input, source: Source) -> str:
    """What changes when it may be of use to read an input again that could not be read.

    That is the input itself, whether this process may read it, and the options of its source.
    """
    allowed = is_remote(item.uri) or os.access(item.uri, os.R_OK, effective_ids=True)
    told = f"{item}\n{allowed}\n{source.model_dump_json()}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def batch_of(table: Table, inputs: Sequence[Input], now: datetime, landed: LakeTable | None = None) -> Batch:
    """The inputs as one batch of bronze rows; raises SourceError when one cannot be read at all.

    Where rows of several inputs have the same keys, the later input wins: they come from the oldest to the newest.

    A column that `landed` has in a wider type (a workbook's numbers that were text last time) takes it. Where the table's
    `schema` lets a column become text, it does so for inputs that arrive together as for those that come one by one.
    """
    digest = hashlib.sha256()
    for item in inputs:
        digest.update(f"{item.uri}\n{item.size}\n{item.modified}\n".encode())
    name, source = f"b-{digest.hexdigest()[:16]}", table.landed.source
    places, began = _places(source, inputs), (now - EPOCH) // timedelta(microseconds=1)
    moments = {item.uri: began + last - 1 for item, last in zip(inputs, accumulate(map(len, places)), strict=True)}
    known = _with_former_landing(table, inputs, Consumed.of({} if landed is None else transactions(landed)))
    called = {item.uri: known.names.name(item.uri) for item in inputs}
    again = tuple(item.uri for item in inputs if known.modified(item) is not None)
    consumed = {
        **{f"{INPUT}{called[item.uri]}": item.modified for item in inputs},
        **{f"{CONTENT}{called[item.uri]}": _content(item) for item in inputs},
        **known.names.entries(inputs),
        f"{LANDED_AT}{name}": max(moments.values()),
        **{f"{AGAIN}{called[uri]}": moments[uri] for uri in again},
    }
    reading = source.read_or_text(inputs) if table.landed.evolution == "evolve" else source.read(inputs)
    there = landed.scan().collect_schema() if landed is not None and landed.delta() is not None else None
    reading = _spelled(reading, there or {})
    marked = told_apart(reading.landed, UNREADABLE, WHY)
    # What bronze stores is what is judged, at once or in a later run: rules made of other types would not fit the rows.
    records = storable(marked, untyped=False)
    lines = reading.unreadable.select(SOURCE, ROW, pl.col("_text").alias(UNREADABLE), pl.col("_why").alias(WHY))
    schema = pl.concat([records.clear(), lines.clear()], how="diagonal_relaxed").collect_schema()

    landed_at = _moment([name for some in places for name in some], began)

    def bronze_rows(some: pl.LazyFrame) -> pl.LazyFrame:
        rows = _shaped(some, schema).with_columns(pl.lit(name).alias(BATCH), landed_at.alias(INGESTED_AT))
        return rows if there is None else _widened(rows, there)

    return Batch(
        name,
        tuple(inputs),
        consumed,
        bronze_rows(records),
        bronze_rows(lines),
        reading.about,
        reading.files,
        source.passed_over(inputs),
        renamed=reading.renamed,
        all_records=marked is reading.landed,
        again=again,
    )


def _spelled(reading: Reading, known: Iterable[str]) -> Reading:
    """The reading with the names that bronze has for its columns, where they differ by case only."""
    spelling = {names.key(name): name for name in known}
    own = [name for name in reading.landed.collect_schema() if not names.is_reserved(name)]
    other = {name: was for name in own if (was := spelling.get(names.key(name), name)) != name and name not in known}
    if not other:
        return reading
    told = [(file, other.get(name, name)) for file, name in reading.renamed]
    told += [(name, was) for name, was in other.items() if name not in dict(told).values()]
    return replace(reading, landed=reading.landed.rename(other), renamed=names.renames(told))


def _places(source: Source, inputs: Sequence[Input]) -> list[list[str]]:
    """What `_source` says of the rows of each input, in the order in which they count: of an archive, each member."""
    return [
        [part.source for part in source.parts(item)]
        if isinstance(source, FileSource) and item.uri.lower().endswith(".zip")
        else [item.uri]
        for item in inputs
    ]


def _moment(places: Sequence[str], began: int) -> pl.Expr:
    """When a row has landed: a microsecond later for each place it may come from, so that the later one counts."""
    known, at = list(dict.fromkeys(places)), pl.lit(began, pl.Int64)
    if len(known) > 1:
        own, of_file = pl.col(SOURCE), pl.col(SOURCE).str.replace("#[^#]*$", "")  # a sheet of a workbook has no place
        place = pl.coalesce(*(name.cast(pl.Enum(known), strict=False).to_physical() for name in (own, of_file)))
        at = at + place.fill_null(0).cast(pl.Int64)
    return at.cast(pl.Datetime("us", "UTC"))


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
        stored_text(pl.col(exact(name)), dtype).alias(name)
        if wanted[name] == pl.String
        else pl.col(exact(name)).cast(wanted[name])
        for name, dtype in rows.collect_schema().items()
        if name in wanted
        and dtype != wanted[name]
        and issubclass(type(wanted[name]), (pl.String, *_WIDER.get(type(dtype), ())))
        and not dtype.is_nested()
    ]
    return rows.with_columns(casts)


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
