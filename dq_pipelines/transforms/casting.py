"""Casts: a landed value in the type that YAML wants. The law: what is published, cast back, is what landed.

A value that does not fit gives null; the silver layer compares with the landed value and refuses the row with the reason
`cast`. Nothing is rounded, cut or moved, unless the column's YAML asks for it (`CastOptions`). The table of all pairs of
types is in `cast_rules`.
"""

from __future__ import annotations

import polars as pl

from dq_pipelines.transforms.attempts import first_of
from dq_pipelines.transforms.formats import chrono
from dq_pipelines.transforms.from_numbers import from_number
from dq_pipelines.transforms.from_text import from_text
from dq_pipelines.transforms.moments import Moment, counted, epochs, moved, serials
from dq_pipelines.transforms.options import EXACT, CastOptions
from dq_pipelines.transforms.to_text import to_text


def typed(value: pl.Expr, landed: pl.DataType, wanted: pl.DataType, options: CastOptions = EXACT) -> pl.Expr:
    """`value` of type `landed` as `wanted`; null where it does not fit exactly."""
    if isinstance(landed, pl.Null):
        return value.cast(wanted)
    if isinstance(landed, pl.Categorical | pl.Enum):
        value, landed = value.cast(pl.String), pl.String()
    if isinstance(landed, pl.String):
        return from_text(value, wanted, options)
    if isinstance(wanted, pl.String):
        return to_text(value, landed, chrono(options.format) if options.format else None)
    if isinstance(landed, pl.Date | pl.Datetime):
        return _from_moment(value, landed, wanted, options)
    if landed == wanted:
        return value
    if landed.is_numeric() or isinstance(landed, pl.Boolean):
        return _from_number(value, landed, wanted, options)
    return _refused(value, wanted)


def is_exact(landed: pl.DataType, wanted: pl.DataType, options: CastOptions = EXACT) -> bool:
    """Whether every value of `landed` is one of `wanted` as it is, so that nothing is cast and nothing can be refused."""
    return landed == wanted and not isinstance(wanted, pl.Date | pl.Datetime) and not options.trim


def _from_moment(value: pl.Expr, landed: Moment, wanted: pl.DataType, options: CastOptions) -> pl.Expr:
    if isinstance(wanted, pl.Date | pl.Datetime):
        return moved(value, landed, wanted)
    if not wanted.is_integer():
        return _refused(value, wanted)
    if options.unit is not None:
        return from_number(epochs(value, landed, options.unit), pl.Int64(), wanted, EXACT)
    if options.format is not None:
        return from_text(value.dt.to_string(chrono(options.format)), wanted, EXACT)
    return _refused(value, wanted)


def _from_number(value: pl.Expr, landed: pl.DataType, wanted: pl.DataType, options: CastOptions) -> pl.Expr:
    if wanted.is_numeric() or isinstance(wanted, pl.Boolean):
        return from_number(value, landed, wanted, options)
    unit, origin = options.unit, options.origin
    if isinstance(landed, pl.Boolean) or not isinstance(wanted, pl.Date | pl.Datetime):
        return _refused(value, wanted)
    if unit is not None:
        return first_of(value, [lambda numbers: counted(numbers, unit, wanted)], wanted)
    if origin is not None:
        return first_of(value, [lambda numbers: serials(numbers, origin, wanted)], wanted)
    if options.format is not None:
        digits = from_number(value, landed, pl.Int64(), EXACT).cast(pl.String)
        return from_text(digits, wanted, options)
    return _refused(value, wanted)


def _refused(value: pl.Expr, wanted: pl.DataType) -> pl.Expr:
    # As long as the column: a literal alone would be one row.
    return pl.when(value.is_null()).then(pl.lit(None, dtype=wanted))
