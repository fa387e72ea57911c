"""Values of a Parquet file that no type holds: moments beyond microseconds, times of no day. Their row is unreadable."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from dq_pipelines.sources.base import ROW
from dq_pipelines.sources.files import Part
from dq_pipelines.sources.frames import Chunks, Piece
from dq_pipelines.sources.parquet_types import Footer

#: Rows decoded at a time.
BATCH = 65_536
#: Seconds from 1970 that microseconds of 64 bits count.
_FAR = 2**63 // 10**6
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass
class Faults:
    """The rows of a file that have such a value."""

    #: their numbers, from 1
    rows: set[int] = field(default_factory=set)
    #: `_row`, `_text` and `_why` of each
    parked: Chunks = field(default_factory=Chunks)

    def left_out(self, batch: Any, first: int) -> tuple[Any, Sequence[int]]:
        """A batch of pyarrow's without these rows, and the numbers of those left; `first` is that of its first row."""
        import pyarrow as pa

        numbers: Sequence[int] = range(first, first + batch.num_rows)
        if not self.rows:
            return batch, numbers
        kept = [number not in self.rows for number in numbers]
        return batch.filter(pa.array(kept, pa.bool_())), list(compress(numbers, kept))

    def pieces(self, part: Part) -> list[Piece]:
        """The rows as unreadable ones; nothing where there are none."""
        return self.parked.pieces(part.source)


def faults(part: Part, footer: Footer) -> Faults:
    """Look at every value of the columns that may have such values; nothing is read of a file without such columns."""
    from pyarrow import parquet, types

    faulty = Faults()
    doubtful = [
        column.name
        for column in footer.arrow
        if types.is_time(column.type) or (column.name in footer.int96 and types.is_timestamp(column.type))
    ]
    if not doubtful:
        return faulty
    first = 1
    with parquet.ParquetFile(part.path, coerce_int96_timestamp_unit="s") as file:
        for batch in file.iter_batches(batch_size=BATCH, columns=doubtful):
            faulty.rows |= {first + place for _, indices in _places(batch, footer) for place in indices}
            first += batch.num_rows
        if faulty.rows:
            _park(faulty, file.iter_batches(batch_size=BATCH), footer)
    return faulty


def _park(faults: Faults, batches: Iterator[Any], footer: Footer) -> None:
    import polars as pl

    first = 1
    for batch in batches:
        faulty = [(name, {*indices}) for name, indices in _places(batch, footer)]
        rows = sorted({place for _, indices in faulty for place in indices})
        if rows:
            plain = batch.drop_columns([name for name, _ in faulty]).take(rows)
            texts = pl.DataFrame(plain).write_ndjson().splitlines() if plain.num_columns else ["{}"] * len(rows)
            parked = []
            for place, text in zip(rows, texts, strict=True):
                values = {name: _shown(batch.column(name)[place]) for name, _ in faulty}
                why = next(
                    _why(name, batch.column(name).type, values[name]) for name, indices in faulty if place in indices
                )
                record = json.loads(text) | values
                whole = {name: record[name] for name in batch.schema.names if name in record}
                parked.append((first + place, json.dumps(whole, ensure_ascii=False), why))
            faults.parked.add(
                pl.DataFrame(parked, schema={ROW: pl.Int64, "_text": pl.String, "_why": pl.String}, orient="row")
            )
        first += batch.num_rows


def _places(batch: Any, footer: Footer) -> Iterator[tuple[str, Sequence[int]]]:
    """Each column with such values, and where in the batch they are."""
    import pyarrow as pa
    from pyarrow import compute, types

    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if types.is_time(column.type):
            numbers = column.cast(pa.int32() if types.is_time32(column.type) else pa.int64()).cast(pa.int64())
            least, most = 0, 86_400 * _PER_SECOND[column.type.unit] - 1
        elif name in footer.int96 and types.is_timestamp(column.type):
            numbers, least, most = column.cast(pa.int64()), 1 - _FAR, _FAR - 1
        else:
            continue
        outside = compute.or_(compute.less(numbers, least), compute.greater(numbers, most))
        indices = compute.indices_nonzero(outside).to_pylist()
        if indices:
            yield name, indices


def _shown(value: Any) -> str | None:
    import pyarrow as pa

    if not value.is_valid:
        return None
    number = value.cast(pa.int32() if value.type.bit_width == 32 else pa.int64()).as_py()
    return f"{number} {value.type.unit}"


def _why(name: str, kind: Any, shown: str | None) -> str:
    from pyarrow import types

    if types.is_time(kind):
        return f"wanted times from 00:00 to 24:00 in column '{name}' ({kind}), got {shown}"
    return f"wanted moments that microseconds can count in column '{name}' (INT96), got one {shown} from 1970"
