"""Parquet: typed rows, scanned where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from dq_pipelines.errors import SourceError
from dq_pipelines.sources.base import Reading
from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.files import FileSource, Part, must_be_unchanged
from dq_pipelines.sources.frames import Piece, heights, names_of, numbered, reading, scanned
from dq_pipelines.sources.inputs import Input
from dq_pipelines.sources.parquet_faults import faults
from dq_pipelines.sources.parquet_rows import by_pyarrow
from dq_pipelines.sources.parquet_types import WANTED, as_delta_has_it, bounds_of, footer_of, must_have_short_decimals

if TYPE_CHECKING:
    import polars as pl

#: Rows from which on bounds are looked up in the footer, which takes pyarrow.
_MANY = 100_000


class ParquetSource(FileSource):
    """Parquet files, typed as they are, only the columns and row groups that are asked for being read.

    Files of different schemas are put together by column name; what a file does not have is null. Types
    are widened where no value changes: int32 and int64, date and datetime, decimals.
    """

    kinds = ((".parquet", ".pq"),)

    type: Literal["parquet"]

    def read(self, inputs: Sequence[Input]) -> Reading:
        return self._reading(inputs, or_text=False)

    def read_or_text(self, inputs: Sequence[Input]) -> Reading:
        return self._reading(inputs, or_text=True)

    def _reading(self, inputs: Sequence[Input], *, or_text: bool) -> Reading:
        rest: list[Piece] = []
        rows = [_piece(part, rest) for item in inputs for part in self.parts(item)]
        return reading(rows, rest, or_text=or_text, about=heights(rows))


def _piece(part: Part, rest: list[Piece]) -> Piece:
    """The rows of a file; those with a value that nobody can tell go to `rest`."""
    import polars as pl

    uuids: frozenset[str] = frozenset()
    with broken(part.source, WANTED):
        scan = pl.scan_parquet(part.path, glob=False, hive_partitioning=False)
        schema = _plain_schema(part.source, scan)
        if schema is None:
            footer = footer_of(part)
            names = names_of(part.source, footer.arrow.names)
            if footer.reason:
                raise SourceError(f"{part.source}: {footer.reason}")
            uuids = frozenset(names[name] for name in footer.uuids if name in names)
            if footer.is_beyond_polars:
                faulty = faults(part, footer)
                rest += faulty.pieces(part)
                return as_delta_has_it(by_pyarrow(part, footer, names, faulty), uuids)
            schema = scan.collect_schema()
        else:
            names = names_of(part.source, list(schema))
        height = scan.select(pl.len()).collect().item()
        bounds = bounds_of(part, schema) if height >= _MANY else {}
    rows = scan.rename({old: new for old, new in names.items() if old != new})
    kinds = {names[name]: kind for name, kind in schema.items()}
    batches = numbered(scanned(rows, height, part.source, lambda: must_be_unchanged(part.input)), kinds)
    known = {names[name]: ends for name, ends in bounds.items()}
    return as_delta_has_it(Piece(part.source, batches, kinds, height, list(names.items()), known), uuids)


def _plain_schema(source: str, scan: pl.LazyFrame) -> Mapping[str, pl.DataType] | None:
    """The schema, where it alone says that polars reads the file right: pyarrow, 0.1 s to import, is not asked then."""
    import polars as pl

    try:
        schema = scan.collect_schema()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None  # pyarrow says in its own words what is wrong, or reads it
    must_have_short_decimals(source, schema)
    return None if any(_is_doubtful(kind) for kind in schema.values()) else schema


def _is_doubtful(kind: pl.DataType) -> bool:
    """Whether only pyarrow tells what the column is: what is nested, INT96, an offset as zone, times below 0, intervals."""
    import polars as pl

    if isinstance(kind, pl.Datetime):
        return kind.time_unit == "ns" or (kind.time_zone or "").startswith(("Etc/", "+", "-"))
    return kind.is_nested() or isinstance(kind, pl.Time | pl.Binary | pl.BaseExtension)
