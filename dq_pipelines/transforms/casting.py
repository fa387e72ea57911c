"""Casts landed values to the declared types. The rule: a published value, cast back, equals the landed one.

A value that does not fit becomes null; the silver layer compares it with the landed value and refuses the row with the reason
`cast`. Nothing is rounded, truncated or moved, unless the column's YAML asks for it (`CastOptions`). `cast_rules` has the table
of all casts.
"""

from __future__ import annotations

import polars as pl

from dq_pipelines.transforms.attempts import first_of
from dq_pipelines.transforms.formats import chrono
from dq_pipelines.transforms.from_numbers import from_number
from dq_pipelines.transforms.from_text import from_text
from dq_pipelines.transforms.moments import Moment, converted, from_counts, from_serial_numbers, to_counts
from dq_pipelines.transforms.options import EXACT, CastOptions
from dq_pipelines.transforms.to_text import to_text


def typed(value: pl.Expr, landed: pl.DataType, wanted: pl.DataType, options: CastOptions = EXACT) -> pl.Expr:
    """`value` of type `landed` as `wanted`; null if it does not fit exactly."""
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
    """Whether no cast is needed: every value of `landed` is one of `wanted`, and none can be refused."""
    return landed == wanted and not isinstance(wanted, pl.Date | pl.Datetime) and not options.trim


def _from_moment(value: pl.Expr, landed: Moment, wanted: pl.DataType, options: CastOptions) -> pl.Expr:
    if isinstance(wanted, pl.Date | pl.Datetime):
        return converted(value, landed, wanted)
    if not wanted.is_integer():
        return _refused(value, wanted)
    if options.unit is not None:
        return from_number(to_counts(value, landed, options.unit), pl.Int64(), wanted, EXACT)
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
        return first_of(value, [lambda numbers: from_counts(numbers, unit, wanted)], wanted)
    if origin is not None:
        return first_of(value, [lambda numbers: from_serial_numbers(numbers, origin, wanted)], wanted)
    if options.format is not None:
        digits = from_number(value, landed, pl.Int64(), EXACT).cast(pl.String)
        return from_text(digits, wanted, options)
    return _refused(value, wanted)


def _refused(value: pl.Expr, wanted: pl.DataType) -> pl.Expr:
    # In the length of the column: a literal alone would be one row.
    return pl.when(value.is_null()).then(pl.lit(None, dtype=wanted))
