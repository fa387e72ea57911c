"""Types of Parquet that Polars reads otherwise than they are written, or not at all: pyarrow reads those.

Polars 2.1 takes malformed repetition levels as they come, and shows rows that were never written (apache/parquet-testing,
GH-45185 and RS-GH-6229-LEVELS). It panics at a time zone like `+02:00`, ends moments of INT96 at the year 2262, and
makes times below zero null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dq_pipelines.config.columns import exact
from dq_pipelines.errors import SourceError
from dq_pipelines.sources.files import Part
from dq_pipelines.sources.frames import Piece
from dq_pipelines.sources.names import key

if TYPE_CHECKING:
    import polars as pl

WANTED = "a whole Parquet file"
#: That a decimal may have in Delta.
DIGITS = 38


@dataclass(frozen=True)
class Footer:
    """What the footer of a file says of its columns."""

    #: pyarrow's schema
    arrow: Any
    #: the columns, nested ones too, that hold moments as INT96
    int96: frozenset[str]
    #: the columns of UUIDs, which are 16 bytes
    uuids: frozenset[str]
    #: why no reader can give the values; empty where one can
    reason: str

    @property
    def is_beyond_polars(self) -> bool:
        """Whether pyarrow has to read the file."""
        return bool(self.int96) or any(_beyond_polars(field.type) for field in self.arrow)


def footer_of(part: Part) -> Footer:
    """The footer of a file; raises pyarrow's errors when it is no Parquet."""
    from pyarrow import parquet

    with parquet.ParquetFile(part.path, coerce_int96_timestamp_unit="us") as file:
        leaves = [file.schema.column(place) for place in range(len(file.schema.names))]
        arrow = file.schema_arrow
    int96 = frozenset(leaf.path.split(".")[0] for leaf in leaves if leaf.physical_type == "INT96")
    uuids = frozenset(leaf.path for leaf in leaves if leaf.logical_type.type == "UUID")
    interval = [leaf.path for leaf in leaves if "INTERVAL" in (leaf.converted_type or "").upper()]
    reasons = [_wrong_type(name, "interval", "text, or as a number of days, or of seconds") for name in interval]
    return Footer(arrow, int96, uuids, reasons[0] if reasons else unreadable_types(arrow))


def bounds_of(part: Part, schema: Mapping[str, pl.DataType]) -> dict[str, tuple[int, int]]:
    """The bounds of columns of dates and moments, as in Reading, by the statistics of all row groups."""
    import polars as pl
    from pyarrow import parquet

    metadata = parquet.read_metadata(part.path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    bounds: dict[str, tuple[int, int]] = {}
    for place in range(metadata.num_columns):
        column = metadata.schema.column(place)
        if not isinstance(schema.get(column.path), pl.Date | pl.Datetime) or column.physical_type == "INT96":
            continue
        statistics = [group.column(place).statistics for group in groups if group.num_rows]
        if statistics and all(one is not None and one.has_min_max for one in statistics):
            bounds[column.path] = min(one.min_raw for one in statistics), max(one.max_raw for one in statistics)
    return bounds


def must_have_short_decimals(source: str, schema: Mapping[str, pl.DataType]) -> None:
    """Raise SourceError for a decimal of more digits than Delta has."""
    for name, kind in schema.items():
        if long := _long_decimal(name, kind):
            raise SourceError(f"{source}: {long}")


def _long_decimal(name: str, kind: pl.DataType) -> str:
    import polars as pl

    if isinstance(kind, pl.Decimal) and kind.precision > DIGITS:
        shown = f"decimal({kind.precision}, {kind.scale})"
        return _wrong_type(name, shown, f"a decimal of at most {DIGITS} digits, as double or as text")
    if isinstance(kind, pl.List | pl.Array):
        return _long_decimal(name, kind.inner)  # type: ignore[arg-type]
    if isinstance(kind, pl.Struct):
        inner = (_long_decimal(f"{name}.{field.name}", field.dtype) for field in kind.fields)  # type: ignore[arg-type]
        return next(filter(None, inner), "")
    return ""


def _wrong_type(column: str, kind: str, instead: str) -> str:
    return f"wanted types that Delta can store, got column '{column}' of type {kind}: write it as {instead}"


def _unreadable(name: str, kind: Any) -> str:
    """Why nothing can hold the values of a column, or the empty string."""
    from pyarrow import types

    if types.is_struct(kind) and not kind.num_fields:
        return _wrong_type(name, "struct without fields", "a struct with a field, or leave it out")
    inner = [kind.field(place) for place in range(kind.num_fields)] if types.is_nested(kind) else []
    if types.is_struct(kind) and (twice := _same_but_for_case([field.name for field in inner])):
        return _wrong_type(name, f"struct with the fields {twice}", "fields whose names differ by more than case")
    return next(filter(None, (_unreadable(f"{name}.{field.name}", field.type) for field in inner)), "")


def _same_but_for_case(names: Sequence[str]) -> str:
    seen: dict[str, str] = {}
    pairs = ((seen.setdefault(key(name), name), name) for name in names)
    return next((f"'{one}' and '{other}'" for one, other in pairs if one is not other), "")


def unreadable_types(arrow: Any) -> str:
    """Why nothing can hold the values of a column of pyarrow's schema, or the empty string."""
    return next(filter(None, (_unreadable(field.name, field.type) for field in arrow)), "")


def as_delta_has_it(piece: Piece, uuids: frozenset[str] = frozenset()) -> Piece:
    """The piece with float32 for float16, text for UUIDs, and what lies behind an extension type: Delta has none of these."""
    replaced = {
        name: one for name, kind in piece.schema.items() if (one := _other(name, kind, name in uuids)) is not None
    }
    if not replaced:
        return piece

    def batches(columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        for batch in piece.batches(columns):
            yield batch.with_columns(value for name, (value, _) in replaced.items() if name in batch.columns)

    schema = {name: replaced[name][1] if name in replaced else kind for name, kind in piece.schema.items()}
    return replace(piece, batches=batches, schema=schema)


def _other(name: str, kind: pl.DataType, is_uuid: bool) -> tuple[pl.Expr, pl.DataType] | None:
    import polars as pl

    value = pl.col(exact(name))
    if is_uuid:
        digits = value.bin.encode("hex")
        parts = [digits.str.slice(start, end - start) for start, end in pairwise((0, 8, 12, 16, 20, 32))]
        return pl.concat_str(parts, separator="-").alias(name), pl.String()
    if isinstance(kind, pl.BaseExtension):
        return value.ext.storage().alias(name), pl.DataFrame(schema={name: kind.ext_storage()}).schema[name]
    wider = _wider(kind)
    return None if wider == kind else (value.cast(wider), wider)


def _wider(kind: pl.DataType) -> pl.DataType:
    """The type with float32 in place of float16, in it too."""
    import polars as pl

    if isinstance(kind, pl.List):
        return pl.List(_wider(kind.inner))  # type: ignore[arg-type]
    if isinstance(kind, pl.Struct):
        return pl.Struct({field.name: _wider(field.dtype) for field in kind.fields})  # type: ignore[arg-type]
    return pl.Float32() if kind == pl.Float16 else kind


def _beyond_polars(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(_beyond_polars(field.type) for field in kind)
    return types.is_nested(kind) or types.is_time(kind) or has_offset(kind)


def has_offset(kind: Any) -> bool:
    """Whether a type has an offset such as `+02:00` in place of a time zone."""
    from pyarrow import types

    return types.is_timestamp(kind) and (kind.tz or "").startswith(("+", "-"))
