"""Lazy frames: where a row came from, many files under one schema, chunks on disk."""

from __future__ import annotations

import shutil
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dq_pipelines.errors import SourceError
from dq_pipelines.sources.base import ROW, SOURCE, Reading
from dq_pipelines.sources.common_types import common_moments, in_type, widened
from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.names import Rename, named, renames, together
from dq_pipelines.sources.scratch import scratch_folder

if TYPE_CHECKING:
    import polars as pl

#: Beyond this a table is not a table: keys are values, or the file is hostile.
MOST_COLUMNS = 10_000
#: Rows that are read in one go. Batches cost a thread and a millisecond to set up.
ROWS_AT_ONCE = 20_000
#: Scans in one plan: those of 64 small files take 20 ms together, those of 1,000 took 10 s.
SCANS_IN_A_PLAN = 64


#: Frames that hold at least the columns asked for (None: all of them), in the order of the rows.
Batches = Callable[[Sequence[str] | None], Iterator["pl.DataFrame"]]


@dataclass(frozen=True)
class Piece:
    """One file's rows before they are put together with the others."""

    #: what `_source` says
    source: str
    #: the data columns and `_row`
    batches: Batches
    #: the data columns alone
    schema: Mapping[str, pl.DataType]
    #: how many rows it has; None where nobody has counted
    height: int | None = None
    #: for each column its name in the file and the one in `schema`; None where they are the same
    names: Sequence[Rename] | None = None
    #: as in Reading
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def heights(pieces: Sequence[Piece]) -> int | None:
    """How many rows all pieces have together; None where one of them does not tell."""
    counts = [piece.height for piece in pieces]
    return None if None in counts else sum(height for height in counts if height is not None)


def reading(
    rows: Sequence[Piece], rest: Sequence[Piece] = (), *, or_text: bool = False, about: int | None = None
) -> Reading:
    """All pieces together: columns by name in order of first appearance, then `_source` and `_row`.

    A column that a piece does not have is null there. Names that differ by case only are one column. Types are widened
    where no value can change. Where no type holds both without a loss, the column is text with `or_text`; without it,
    SourceError is raised, which names both files.
    """
    import polars as pl

    shared = together([piece.schema for piece in rows])
    pieces = [_spelled(piece, names) for piece, names in zip(rows, shared, strict=True)]
    widest = _widest(pieces, or_text)
    landed = _one_after_another(pieces, {**widest, SOURCE: pl.String(), ROW: pl.Int64()})
    renamed = renames(
        (before, names[name])
        for piece, names in zip(rows, shared, strict=True)
        for before, name in piece.names or [(name, name) for name in piece.schema]
        if name in names
    )
    return Reading(landed, unreadable(rest), about, renamed=renamed, bounds=_bounds(pieces, widest))


def _bounds(pieces: Sequence[Piece], schema: Mapping[str, pl.DataType]) -> dict[str, tuple[int, int]]:
    """The bounds of columns over all pieces that have them; not of a column that is of another type in one of these."""
    known: dict[str, tuple[int, int]] = {}
    for name in {name for piece in pieces for name in piece.bounds}:
        having = [piece for piece in pieces if name in piece.schema]
        if all(name in piece.bounds and piece.schema[name] == schema[name] for piece in having):
            known[name] = min(piece.bounds[name][0] for piece in having), max(piece.bounds[name][1] for piece in having)
    return known


def _spelled(piece: Piece, names: Mapping[str, str]) -> Piece:
    """The piece with the names that its columns have in the files before it."""
    other = {name: shared for name, shared in names.items() if name != shared}
    if not other:
        return piece
    back = {shared: name for name, shared in names.items()}

    def batches(columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        for batch in piece.batches(None if columns is None else [back.get(name, name) for name in columns]):
            yield batch.rename(other, strict=False)

    schema = {names[name]: kind for name, kind in piece.schema.items()}
    return replace(
        piece, batches=batches, schema=schema, bounds={names[name]: ends for name, ends in piece.bounds.items()}
    )


def one_after_another(frames: Sequence[pl.LazyFrame], schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """Frames of one schema as one frame, in their order.

    A plan of thousands of scans takes the square of their number to be made, so that many are read in groups.
    """
    import polars as pl
    from polars import selectors

    if len(frames) <= SCANS_IN_A_PLAN:
        return pl.concat(frames) if frames else pl.LazyFrame(schema=schema)

    def batches(columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        for first in range(0, len(frames), SCANS_IN_A_PLAN):
            group = frames[first : first + SCANS_IN_A_PLAN]
            asked = group if columns is None else [frame.select(selectors.by_name(columns)) for frame in group]
            yield from pl.concat(asked).collect_batches(engine="streaming", maintain_order=True)

    return from_batches(schema, batches)


def unreadable(pieces: Sequence[Piece] = ()) -> pl.LazyFrame:
    """What could not be read: each piece has the columns `_text` and `_why`."""
    import polars as pl

    text = pl.String()
    return _one_after_another(pieces, {SOURCE: text, ROW: pl.Int64(), "_text": text, "_why": text})


def _one_after_another(pieces: Sequence[Piece], schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    # One source in the plan, however many files there are: each would hold two threads of polars' 512.
    # A thousand would wait for one another for ever.
    import polars as pl

    def batches(columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        for piece in pieces:
            has = {*piece.schema, ROW}
            # At least one column, or a batch has no height.
            for batch in piece.batches([name for name in columns or schema if name in has] or [ROW]):
                # Series and no expressions: a column may be called `*`.
                yield pl.DataFrame(
                    {
                        name: in_type(batch.get_column(name), schema[name], piece.source)
                        if name in has
                        else _same(piece.source if name == SOURCE else None, batch.height, schema[name])
                        for name in columns or schema
                    }
                )

    return from_batches(schema, batches) if pieces else pl.LazyFrame(schema=schema)


def _same(value: str | None, height: int, kind: pl.DataType) -> pl.Series:
    import polars as pl

    return pl.Series("", [value], dtype=kind).new_from_index(0, height)


def check_width(place: str, count: int) -> None:
    """Raise SourceError when a file has more columns than a table can have."""
    if count > MOST_COLUMNS:
        raise SourceError(f"{place}: wanted at most {MOST_COLUMNS} columns, got {count}")


def names_of(place: str, columns: Sequence[str]) -> dict[str, str]:
    """The columns of a typed file by name with their names in the lake; raises SourceError when they cannot be told apart."""
    twice = next((name for name, count in Counter(columns).items() if count > 1), None)
    if twice is not None:
        raise SourceError(f"{place}: wanted each column once, got '{twice}' twice: give one of them another name")
    check_width(place, len(columns))
    return dict(named(columns))


def from_batches(schema: Mapping[str, pl.DataType], batches: Batches) -> pl.LazyFrame:
    """A lazy frame over `batches(columns)`, called anew for each collection; a SourceError comes out as it is.

    `columns` are those that are needed, None for all; a batch may hold more.
    """
    from polars import selectors
    from polars.io.plugins import register_io_source

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, most: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        needed = (
            None if columns is None else {*columns, *(predicate.meta.root_names() if predicate is not None else ())}
        )
        # No column at all is asked for where only the rows count; a frame needs one to have a height.
        wanted = None if needed is None else [name for name in schema if name in needed] or [*schema][-1:]
        left = most
        for batch in batches(wanted):
            rows = batch if left is None else batch.head(left)
            chosen = rows if predicate is None else rows.filter(predicate)
            yield chosen.select(selectors.by_name(list(schema) if columns is None else columns))
            left = None if left is None else left - rows.height
            if left == 0:
                return

    return register_io_source(read, schema=dict(schema))


def scanned(frame: pl.LazyFrame, height: int, place: str, done: Callable[[], object] | None = None) -> Batches:
    """The batches of `frame`, a broken file met on the way being a SourceError, whoever collects it.

    `height` is how many rows there must be: a panic deep in a decoder ends a stream of batches early
    and in silence (polars 2.1). `done` is called when all rows were read, and lives as long as the
    batches or any plan made of them. Only the columns asked for are read.
    """
    from polars import selectors

    def batches(columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        asked = frame if columns is None else frame.select(selectors.by_name(columns))
        seen = 0
        with broken(place):
            if height <= ROWS_AT_ONCE:
                seen = (whole := asked.collect(engine="streaming")).height
                yield whole
            else:
                for batch in asked.collect_batches(engine="streaming"):
                    seen += batch.height
                    yield batch
        if seen != height:
            raise SourceError(f"{place}: wanted {height} rows, got {seen}: what follows cannot be decoded")
        if done is not None:
            done()

    return batches


def numbered(batches: Batches, schema: Mapping[str, pl.DataType]) -> Batches:
    """Batches with `_row`, of batches without: Polars' own row index doubles the memory of a scan."""
    import polars as pl

    def with_numbers(columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        wanted = None if columns is None else [name for name in columns if name != ROW] or [*schema][:1]
        first = 1
        for batch in batches(wanted):
            end = first + batch.height
            numbers = pl.int_range(first, end, dtype=pl.Int64, eager=True).alias(ROW)
            yield batch.hstack([numbers])
            first = end

    return with_numbers


@dataclass(eq=False)
class Chunks:
    """Frames parked on disk as they are parsed, so that a big file never lies in memory as a whole.

    Frames may grow new columns; the piece shows all of them, in order of first appearance. The files go
    when the last plan that reads them goes, at the latest when the process ends.
    """

    schema: dict[str, Any] = field(default_factory=dict)
    #: what a column is called here by its name in the file; empty where both are the same. What the lake calls it is known
    #: only once the last row is there: no column may take the name of another one.
    places: dict[str, str] = field(default_factory=dict)
    #: rows parked so far
    height: int = 0
    _folder: Path = field(default_factory=scratch_folder)
    _files: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def add(self, frame: pl.DataFrame) -> None:
        """Park the rows of a frame: data columns and `_row`."""
        if not frame.height:
            return
        self.schema |= {name: kind for name, kind in frame.schema.items() if name not in self.schema}
        path = self._folder / f"{len(self._files):06}.parquet"
        # Read once or twice and thrown away: quick to write matters, statistics do not.
        frame.write_parquet(path, compression="lz4", statistics=False)
        self._files.append(path)
        self.height += frame.height

    def pieces(self, source: str) -> list[Piece]:
        """What was parked as the rows of one file; nothing when there are none."""
        if not self.height:
            return []
        names = named(self.places)
        renamed = {self.places[landed]: name for landed, name in names}
        data = {renamed.get(name, name): kind for name, kind in self.schema.items() if name != ROW}
        return [Piece(source, self._scanned(renamed), data, self.height, names)]

    def _scanned(self, renamed: Mapping[str, str]) -> Batches:
        import polars as pl

        scan = pl.scan_parquet(
            self._files, schema=self.schema, missing_columns="insert", glob=False, hive_partitioning=False
        )
        return scanned(scan.rename(renamed), self.height, str(self._folder), lambda: self)


def _widest(pieces: Sequence[Piece], or_text: bool = False) -> dict[str, pl.DataType]:
    import polars as pl

    schema: dict[str, pl.DataType] = {}
    owner: dict[str, str] = {}
    for piece in pieces:
        for name, kind in piece.schema.items():
            common = schema.get(name)
            if common is None:
                schema[name], owner[name] = kind, piece.source
            elif common != kind:
                wider = widened(common, kind) or common_moments(common, kind)
                if wider is None and or_text and _is_exact_as_text(common) and _is_exact_as_text(kind):
                    wider = pl.String()
                if wider is None:
                    raise SourceError(
                        f"{piece.source}: wanted column '{name}' as {common}, as in {owner[name]}, got {kind}: "
                        "no type holds both without a loss"
                    )
                schema[name], owner[name] = wider, owner[name] if wider == common else piece.source
    return schema


def _is_exact_as_text(kind: pl.DataType) -> bool:
    """Whether the text of a value is all of it."""
    import polars as pl

    return kind.is_numeric() or kind in (pl.String, pl.Boolean, pl.Date, pl.Datetime, pl.Categorical, pl.Enum)
