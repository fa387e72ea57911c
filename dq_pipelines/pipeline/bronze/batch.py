"""New inputs as one batch of bronze rows: rows as they landed, untyped and unjudged, with where they came from.

A line that no reader could make a record of is a bronze row, too. It has the line in `_unreadable` and no other cell, so
that every record of an input is in bronze.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import accumulate

import polars as pl

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.errors import SourceError
from dq_pipelines.lake import formats
from dq_pipelines.lake.formats.snapshot import Snapshot
from dq_pipelines.lake.tables import PARTITION, table_of
from dq_pipelines.pipeline.bronze.input_identity import CONTENT, Consumed
from dq_pipelines.pipeline.bronze.landed import AGAIN, BATCH, EPOCH, INGESTED_AT, LANDED_AT
from dq_pipelines.pipeline.bronze.new_inputs import has_moved, listed
from dq_pipelines.pipeline.bronze.unstorable_values import unstorable_marked
from dq_pipelines.project import Table
from dq_pipelines.sources import ROW, SOURCE, Input, PassedOver, Reading, Source, names
from dq_pipelines.sources.base import FileReport
from dq_pipelines.sources.names import Rename
from dq_pipelines.sources.overlap import without_landed
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
    #: which has listed and read them
    source: Source
    #: the ledger's entries for them
    consumed: Mapping[str, int]
    #: bronze rows that are records: the landed columns and `SYSTEM_COLUMNS`
    records: pl.LazyFrame
    #: bronze rows that are lines nobody could read, with the same columns
    lines: pl.LazyFrame
    #: how many rows there are, about; None where only a read would tell
    about: int | None = None
    #: the lines of each file by what they are, where the source counts lines
    files: tuple[FileReport, ...] = ()
    #: members of archives that are no data
    passed_over: tuple[PassedOver, ...] = ()
    #: whether every row of `records` is one: a row that bronze cannot hold as it is stands among them, with its text
    all_records: bool = True
    #: columns that have another name in the inputs than in bronze: both names
    renamed: tuple[Rename, ...] = ()
    #: how many new inputs wait for the next runs
    waiting: int = 0
    #: the addresses of inputs that had landed before
    again: tuple[str, ...] = ()
    #: the ledger's entries for other inputs, whose content is as it was consumed and whose version has other numbers
    retimed: Mapping[str, int] = field(default_factory=dict)

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
        """The entries of `consumed` that no other run may have made: they say that an input has landed with this content.

        The times of a file that lands again may be those of before.
        """
        return [entry for entry in self.consumed if entry.startswith(CONTENT)]

    @property
    def rows(self) -> pl.LazyFrame:
        """All bronze rows, in order."""
        return pl.concat([self.records, self.lines])

    def must_be_unchanged(self) -> None:
        """Raise Transient when an input is no longer what was listed: call it after the read."""
        for item in self.inputs:
            self.source.must_be_unchanged(item)

    @property
    def written_at(self) -> datetime | None:
        """When the newest input was written; None where versions of inputs are no times."""
        moments = [item.version.written_at for item in self.inputs]
        return max((moment for moment in moments if moment is not None), default=None)


def _with_former_landing(table: Table, inputs: Sequence[Input], consumed: Consumed) -> Consumed:
    """`consumed`, with the former landing folder of a lake whose ledger has whole addresses, as earlier releases wrote them."""
    if not any(consumed.names.is_landing(item.uri) for item in inputs) or not consumed.has_whole_addresses:
        return consumed
    for item, addresses in consumed.elsewhere(listed(table)).items():
        for before in addresses:
            if has_moved(table.landed.source, item, before, consumed):
                return consumed.moved_from(item, before)
    return consumed


def batch_of(table: Table, inputs: Sequence[Input], now: datetime, landed: Snapshot | None = None) -> Batch:
    """The inputs, which come from the oldest to the newest, as one batch of bronze rows at the moment `now`.

    `landed` is bronze as it was looked at: a column that has a wider type there takes it, such as numbers of a workbook that were text
    last time. Where the table's `schema` lets a column become text, it does so for inputs that arrive together, too.
    Raises SourceError when an input cannot be read at all.
    """
    entries = {} if landed is None else landed.ledger
    name, source = _id(inputs, entries), table.landed.source
    places, began = [list(source.row_sources(item)) for item in inputs], (now - EPOCH) // timedelta(microseconds=1)
    moments = {item.uri: began + last - 1 for item, last in zip(inputs, accumulate(map(len, places)), strict=True)}
    ledger = _with_former_landing(table, inputs, Consumed.of(entries))
    again = tuple(item.uri for item in inputs if not source.continues and ledger.number(item) is not None)
    consumed = {**_entries(ledger, source, inputs, again, moments), f"{LANDED_AT}{name}": max(moments.values())}
    reading = source.read_or_text(inputs) if table.landed.evolution == "evolve" else source.read(inputs)
    bronze_schema = landed.schema if landed is not None and landed.exists else None
    reading = _spelled(reading, bronze_schema or {})
    marked = unstorable_marked(reading.landed, UNREADABLE, WHY, reading.bounds)
    # What bronze stores is what is judged, at once or in a later run: rules made of other types would not fit the rows.
    records = (formats.named(formats.DEFAULT) if landed is None else table_of(landed).format).storable(
        marked, untyped=False
    )
    lines = reading.unreadable.select(SOURCE, ROW, pl.col("_text").alias(UNREADABLE), pl.col("_why").alias(WHY))
    schema = pl.concat([records.clear(), lines.clear()], how="diagonal_relaxed").collect_schema()

    landed_at = _moment([place for of_input in places for place in of_input], began)

    def bronze_rows(read: pl.LazyFrame) -> pl.LazyFrame:
        rows = _shaped(read, schema).with_columns(pl.lit(name).alias(BATCH), landed_at.alias(INGESTED_AT))
        return rows if bronze_schema is None else _widened(rows, bronze_schema)

    rows, unreadable = bronze_rows(records), bronze_rows(lines)
    if reading.overlap is not None and bronze_schema is not None and landed is not None:
        data = [column for column in bronze_schema if column not in (*SYSTEM_COLUMNS, PARTITION)]
        rows = without_landed(rows, landed.scan().filter(pl.col(UNREADABLE).is_null()), reading.overlap, data)
        unreadable = without_landed(unreadable, landed.scan(), pl.col(UNREADABLE).is_not_null(), [UNREADABLE, WHY])
    return Batch(
        name,
        tuple(inputs),
        source,
        consumed,
        rows,
        unreadable,
        reading.about,
        reading.files,
        source.passed_over(inputs),
        renamed=reading.renamed,
        all_records=marked is reading.landed,
        again=again,
    )


def _entries(
    ledger: Consumed, source: Source, inputs: Sequence[Input], again: Collection[str], moments: Mapping[str, int]
) -> dict[str, int]:
    """The ledger's entries for inputs that land: `moments` is when, in microseconds by address, `again` what had landed before."""
    name = ledger.names.name
    return {
        **ledger.versions(inputs),
        **{f"{CONTENT}{name(item.uri)}": source.content_of(item) for item in inputs},
        **{f"{AGAIN}{name(uri)}": moments[uri] for uri in again},
    }


def _id(inputs: Sequence[Input], entries: Mapping[str, int]) -> str:
    """The id of a batch of these inputs: another one for the same versions that land a second time, after others."""
    digest = hashlib.sha256()
    for item in inputs:
        digest.update(item.fingerprint.encode())
    while (at := entries.get(f"{LANDED_AT}b-{digest.hexdigest()[:16]}")) is not None:
        digest.update(f"{at}\n".encode())
    return f"b-{digest.hexdigest()[:16]}"


def _spelled(reading: Reading, bronze_names: Iterable[str]) -> Reading:
    """The reading with the names that bronze has for its columns, where they differ by case only."""
    spelling = {names.key(name): name for name in bronze_names}
    own = [name for name in reading.landed.collect_schema() if not names.is_reserved(name)]
    spelled = {
        name: bronze_name
        for name in own
        if (bronze_name := spelling.get(names.key(name), name)) != name and name not in bronze_names
    }
    if not spelled:
        return reading
    renamed = [(file, spelled.get(name, name)) for file, name in reading.renamed]
    renamed += [(name, bronze_name) for name, bronze_name in spelled.items() if name not in dict(renamed).values()]
    bounds = {spelled.get(name, name): ends for name, ends in reading.bounds.items()}
    return replace(reading, landed=reading.landed.rename(spelled), renamed=names.renames(renamed), bounds=bounds)


def _moment(places: Sequence[str], began: int) -> pl.Expr:
    """When a row has landed: a microsecond later for each place that it may come from.

    `places` are what `_source` says, in the order in which they count; `began` is in microseconds.
    """
    distinct, moment = list(dict.fromkeys(places)), pl.lit(began, pl.Int64)
    if len(distinct) > 1:
        own, of_file = pl.col(SOURCE), pl.col(SOURCE).str.replace("#[^#]*$", "")  # a sheet of a workbook has no place
        place = pl.coalesce(*(name.cast(pl.Enum(distinct), strict=False).to_physical() for name in (own, of_file)))
        moment = moment + place.fill_null(0).cast(pl.Int64)
    return moment.cast(pl.Datetime("us", "UTC"))


def _shaped(rows: pl.LazyFrame, wanted: pl.Schema) -> pl.LazyFrame:
    """`rows` with the columns of `wanted` in their types and order, null where schema are none."""
    schema = rows.collect_schema()
    new = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in wanted.items() if name not in schema]
    casts = [pl.col(exact(name)).cast(wanted[name]) for name, dtype in schema.items() if dtype != wanted[name]]
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
