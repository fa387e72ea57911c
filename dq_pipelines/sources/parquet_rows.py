"""The rows of a Parquet file that pyarrow reads, where Polars would read them otherwise than they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dq_pipelines.sources.base import ROW
from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.files import Part, must_be_unchanged
from dq_pipelines.sources.frames import Piece
from dq_pipelines.sources.parquet_faults import BATCH, Faults
from dq_pipelines.sources.parquet_types import WANTED, Footer, has_offset

if TYPE_CHECKING:
    import polars as pl


def by_pyarrow(part: Part, footer: Footer, names: Mapping[str, str], faulty: Faults) -> Piece:
    """The rows of a file but the faulty ones; `names` are those of the lake by those in the file."""
    import polars as pl
    import pyarrow as pa
    from pyarrow import parquet

    # The same instants, told in UTC.
    fields = [
        field.with_type(pa.timestamp(field.type.unit, "UTC")) if has_offset(field.type) else field
        for field in footer.arrow
    ]
    kinds = {field.name: field for field in fields}
    schema = pl.DataFrame(pa.schema(fields).empty_table()).schema
    back = {name: landed for landed, name in names.items()}

    def batches(columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        # Asked for no column, pyarrow reads all: one is enough to know how many rows there are.
        wanted = [back[name] for name in (columns or back) if name != ROW] or [*schema][:1]
        row = 1
        with (
            broken(part.source, WANTED),
            parquet.ParquetFile(part.path, coerce_int96_timestamp_unit="us") as file,
        ):
            for batch in file.iter_batches(batch_size=BATCH, columns=wanted):
                good, numbers = faulty.left_out(batch, row)
                row += batch.num_rows
                in_utc = good.cast(pa.schema([kinds[name] for name in batch.schema.names]))
                rows = pl.Series(ROW, numbers, dtype=pl.Int64)
                yield pl.DataFrame(in_utc).rename(dict(names), strict=False).with_columns(rows)
        must_be_unchanged(part.input)

    return Piece(part.source, batches, {names[name]: kind for name, kind in schema.items()}, names=list(names.items()))
