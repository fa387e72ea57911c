"""ORC: typed rows, read stripe by stripe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from dq_pipelines.errors import SourceError
from dq_pipelines.sources.base import ROW, Reading
from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.files import FileSource, Part, must_be_unchanged
from dq_pipelines.sources.frames import Piece, names_of, reading
from dq_pipelines.sources.inputs import Input
from dq_pipelines.sources.parquet_types import unreadable_types

if TYPE_CHECKING:
    import polars as pl


class OrcSource(FileSource):
    """ORC files, typed as they are; one stripe at a time lies in memory, only the columns asked for being read.

    Files of different schemas are put together by column name, as Parquet files are. Timestamps
    beyond the years 1677 to 2262 are refused: pyarrow has them in nanoseconds only.
    """

    kinds = ((".orc",),)

    type: Literal["orc"]

    def read(self, inputs: Sequence[Input]) -> Reading:
        return reading(self._pieces(inputs))

    def read_or_text(self, inputs: Sequence[Input]) -> Reading:
        return reading(self._pieces(inputs), or_text=True)

    def _pieces(self, inputs: Sequence[Input]) -> list[Piece]:
        return [_piece(part) for item in inputs for part in self.parts(item)]


def _piece(part: Part) -> Piece:
    import polars as pl

    with broken(part.source, "an ORC file"):
        arrow = _open(part).schema
        if reason := unreadable_types(arrow):
            raise SourceError(f"{part.source}: {reason}")
        schema = pl.DataFrame(arrow.empty_table()).schema
    names = names_of(part.source, schema.names())
    back = {name: landed for landed, name in names.items()}
    kinds = {names[name]: kind for name, kind in schema.items()}

    def batches(columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        # Asked for no column, pyarrow reads all: one is enough to know how many rows there are.
        wanted = [back[name] for name in (columns or kinds) if name != ROW] or [*schema][:1]
        row = 1
        with broken(part.source, "an ORC file"):
            file = _open(part)
            for stripe in range(file.nstripes):
                stripe_rows = pl.DataFrame(file.read_stripe(stripe, columns=wanted))
                rows = pl.Series(ROW, range(row, row + stripe_rows.height), dtype=pl.Int64)
                yield stripe_rows.rename(names, strict=False).with_columns(rows)
                row += stripe_rows.height
        must_be_unchanged(part.input)

    return Piece(part.source, batches, kinds, names=list(names.items()))


def _open(part: Part) -> Any:
    from pyarrow import orc

    return orc.ORCFile(part.path)
