"""Which types and values of Polars gold takes from a function: each exactly, or the computation is refused."""

from __future__ import annotations

from typing import Any

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.errors import RuleError
from dq_pipelines.transforms.formats import within_years
from dq_pipelines.transforms.to_text import shown

_MOMENTS = "whole microseconds of the years 1 to 9999"
_DIGITS = "integers of at most 38 digits"
_LARGE = (pl.Int128, pl.UInt128)


def must_be_storable(schema: pl.Schema, place: str) -> None:
    """Raise RuleError, with column and type, where there is a type that Delta cannot store."""
    for name, dtype in schema.items():
        if why := _refused(dtype):
            raise RuleError(f"{place}: wanted types that Delta can store, got column '{name}' of type {dtype}: {why}")


def _refused(dtype: Any) -> str:
    """What to do about a type that Delta cannot store, in a few words; "" of one that it can."""
    match dtype:
        case pl.List() | pl.Array():
            return _refused(dtype.inner)
        case pl.Struct():
            return (
                next(filter(None, (_refused(field.dtype) for field in dtype.fields)), "")
                if dtype.fields
                else "it has no field"
            )
        case pl.Map():
            return "" if _is_plain(dtype.key) and _is_plain(dtype.value) else "give it as a list of structs"
        case pl.Object() | pl.Unknown() | pl.BaseExtension():
            return "cast it to text, say"
    return ""


def _is_plain(dtype: Any) -> bool:
    """Whether values of a type go into a map of Delta's unchanged."""
    return isinstance(
        dtype, pl.String | pl.Boolean | pl.Float32 | pl.Float64 | pl.Int8 | pl.Int16 | pl.Int32 | pl.Int64
    )


def must_fit(rows: pl.LazyFrame, place: str) -> None:
    """Raise RuleError, with column and value, where there is a value that Delta cannot hold."""
    schema = rows.collect_schema()
    misfits = {
        name: misfit for name, dtype in schema.items() if (misfit := _misfit(pl.col(exact(name)), dtype)) is not None
    }
    if not misfits:
        return
    some = [pl.col(exact(name)).filter(misfit).first().implode().alias(name) for name, misfit in misfits.items()]
    first = rows.select(some).collect(engine="streaming")
    for name in misfits:
        values = first[name].explode()
        if values.null_count() == 0:
            text = str(values.to_frame().select(shown(pl.col(exact(name)))).item())
            raise RuleError(
                f"{place}: column '{name}' of type {schema[name]}: wanted {_wanted(schema[name])}, got {text[:60]}: "
                "cast it to text, say"
            )


def _misfit(value: pl.Expr, dtype: Any) -> pl.Expr | None:
    """Boolean: the value does not fit; None for a type all of whose values fit."""
    match dtype:
        case pl.List():
            inner = _misfit(pl.element(), dtype.inner)
            return None if inner is None else value.list.eval(inner).list.any().fill_null(False)
        case pl.Array():
            return _misfit(value.arr.to_list(), pl.List(dtype.inner))
        case pl.Struct():
            fields = [(value.struct.field(field.name), field.dtype) for field in dtype.fields]
            misfits = [one for inner, kind in fields if (one := _misfit(inner, kind)) is not None]
            return pl.any_horizontal(misfits) if misfits else None
        case pl.Datetime(time_unit="ns"):
            return (value.to_physical() % 1_000 != 0).fill_null(False)
        case pl.Date() | pl.Datetime():
            return value.is_not_null() & within_years(value, dtype).is_null()
    if isinstance(dtype, _LARGE):
        return value.is_not_null() & value.cast(pl.Decimal(38, 0), strict=False).is_null()
    return None


def _wanted(dtype: Any) -> str:
    match dtype:
        case pl.List() | pl.Array():
            return _wanted(dtype.inner)
        case pl.Struct():
            wanted = dict.fromkeys(
                _wanted(field.dtype) for field in dtype.fields if _misfit(pl.lit(None), field.dtype) is not None
            )
            return " and ".join(wanted)
    return _DIGITS if isinstance(dtype, _LARGE) else _MOMENTS
