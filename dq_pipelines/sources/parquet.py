"""Parquet: typed rows, scanned where they lie. Putting files of different schemas together belongs in frames.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from dq_pipelines.sources.base import ROW, Input, Reading
from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.files import FileSource, Part, unchanged
from dq_pipelines.sources.frames import Piece, check_names, heights, landed, scanned, unreadable

if TYPE_CHECKING:
    import polars as pl

#: Rows decoded at a time of a file with lists.
BATCH = 65_536
WANTED = "a whole Parquet file"


class ParquetSource(FileSource):
    """Parquet files, typed as they are, only the columns and row groups that are asked for being read.

    Files of different schemas are put together by column name: what a file does not have is null, and
    types are widened (int32 and int64, date and datetime, decimals) where no value changes.
    """

    kinds = ((".parquet", ".pq"),)

    type: Literal["parquet"]

    def read(self, inputs: Sequence[Input]) -> Reading:
        pieces = self._pieces(inputs)
        return Reading(landed(pieces), unreadable(), heights(pieces))

    def read_or_text(self, inputs: Sequence[Input]) -> Reading:
        pieces = self._pieces(inputs)
        return Reading(landed(pieces, or_text=True), unreadable(), heights(pieces))

    def _pieces(self, inputs: Sequence[Input]) -> list[Piece]:
        return [_piece(part) for item in inputs for part in self.parts(item)]


def _piece(part: Part) -> Piece:
    import polars as pl

    with broken(part.source, WANTED):
        scan = pl.scan_parquet(part.path, glob=False, hive_partitioning=False)
        schema = _plain_schema(scan)
        if schema is None:
            from pyarrow import parquet

            with parquet.ParquetFile(part.path) as file:
                arrow = file.schema_arrow
            check_names(part.source, arrow.names)
            if any(_beyond_polars(field.type) for field in arrow):
                return _by_pyarrow(part, arrow)
            schema = scan.collect_schema()
        check_names(part.source, schema)
        height = scan.select(pl.len()).collect().item()
    rows = scanned(scan.with_row_index(ROW, 1), height, part.source, lambda: unchanged(part.input))
    return Piece(part.source, rows, schema, height)


def _plain_schema(scan: pl.LazyFrame) -> Mapping[str, pl.DataType] | None:
    """The schema, where it alone says that polars reads the file right: pyarrow, 0.1 s to import, is not asked then."""
    import polars as pl

    try:
        schema = scan.collect_schema()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None  # pyarrow says in its own words what is wrong, or reads it
    doubtful = any(kind.is_nested() or _in_fixed_zone(kind) for kind in schema.values())
    return None if doubtful else schema


def _in_fixed_zone(kind: pl.DataType) -> bool:
    """Whether it may be a time zone like `+02:00` in the file, which polars calls `Etc/GMT-2`."""
    import polars as pl

    return isinstance(kind, pl.Datetime) and (kind.time_zone or "").startswith(("Etc/", "+", "-"))


def _beyond_polars(kind: Any) -> bool:
    """Whether polars 2.1 would read values of this Arrow type wrong, or panic.

    It takes malformed repetition levels as they come and shows rows that were never written
    (apache/parquet-testing, GH-45185 and RS-GH-6229-LEVELS), and panics at a time zone like `+02:00`.
    """
    from pyarrow import types

    if types.is_struct(kind):
        return any(_beyond_polars(field.type) for field in kind)
    return types.is_nested(kind) or _offset(kind)


def _offset(kind: Any) -> bool:
    from pyarrow import types

    return types.is_timestamp(kind) and (kind.tz or "").startswith(("+", "-"))


def _by_pyarrow(part: Part, arrow: Any) -> Piece:
    import polars as pl
    import pyarrow as pa
    from pyarrow import parquet

    # The same instants, told in UTC.
    fields = [
        field.with_type(pa.timestamp(field.type.unit, "UTC")) if _offset(field.type) else field for field in arrow
    ]
    schema = pl.DataFrame(pa.schema(fields).empty_table()).schema
    kinds = {field.name: field for field in fields}

    def batches(columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        # Asked for no column, pyarrow reads all: one is enough to know how many rows there are.
        wanted = [name for name in (columns or schema) if name != ROW] or [*schema][:1]
        row = 1
        with broken(part.source, WANTED), parquet.ParquetFile(part.path) as file:
            for batch in file.iter_batches(batch_size=BATCH, columns=wanted):
                rows = pl.Series(ROW, range(row, row + batch.num_rows), dtype=pl.Int64)
                told = batch.cast(pa.schema([kinds[name] for name in batch.schema.names]))
                yield pl.DataFrame(told).with_columns(rows)
                row += batch.num_rows
        unchanged(part.input)

    return Piece(part.source, batches, schema)
