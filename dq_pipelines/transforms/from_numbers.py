"""Casts numbers and booleans to numbers and booleans, exactly unless the column's YAML asks for rounding."""

from __future__ import annotations

import decimal
from decimal import Decimal

import polars as pl

from dq_pipelines.transforms.attempts import Attempt, each, first_of, only, selected
from dq_pipelines.transforms.moments import number_in
from dq_pipelines.transforms.options import CastOptions, Rounding

#: Decimals of up to so many digits survive a round trip through float64.
_SURE_DIGITS = 15
_ROUNDING: dict[Rounding, str] = {
    "half_even": decimal.ROUND_HALF_EVEN,
    "half_up": decimal.ROUND_HALF_UP,
    "down": decimal.ROUND_DOWN,
}
_EXACT = decimal.Context(prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
#: Power of ten beyond every supported type; a number beyond it, written out, could fill the memory.
_FAR = 400


def from_number(value: pl.Expr, landed: pl.DataType, wanted: pl.DataType, options: CastOptions) -> pl.Expr:
    """Numbers or booleans of type `landed` as another number type, or as booleans."""
    if isinstance(wanted, pl.Boolean):
        return pl.when(value == 1).then(True).when(value == 0).then(False)
    if isinstance(landed, pl.Boolean):
        value, landed = value.cast(pl.Int8), pl.Int8()
    if landed.is_float() and isinstance(wanted, pl.Decimal):
        attempts: list[Attempt] = [lambda values: _float_as_decimal(values, wanted)]
    elif isinstance(landed, pl.Decimal) and wanted.is_float():
        digits = landed.precision
        attempts = [lambda values: _decimal_as_float(values, wanted, digits)]
    elif options.round is None:
        return _and_back(value, landed, wanted)
    else:
        attempts = [lambda values: selected(values, lambda one: _and_back(one, landed, wanted))]
    if options.round is not None:
        attempts.append(rounded(wanted, options.round))
    return first_of(value, attempts, wanted)


def _and_back(value: pl.Expr, landed: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    """The value as `wanted` if it is the same number: cast back, it equals the original."""
    cast = value.cast(wanted, strict=False)
    return pl.when(cast.cast(landed, strict=False) == value).then(cast)


def _float_as_decimal(values: pl.Series, wanted: pl.Decimal) -> pl.Series:
    """Floats as the decimal of their shortest text: 0.1 becomes 0.1, although no float64 is exactly 0.1."""
    if not isinstance(values.dtype, pl.Float64):
        return exact_decimals(values.cast(pl.String), wanted)
    # Polars raises for numbers that have too many digits after rounding.
    fitting = only(values, values.abs() <= 10.0 ** (wanted.precision - wanted.scale) - 1)
    decimals = fitting.cast(wanted, strict=False)
    # With so few digits, different decimals are different floats, so a decimal that casts back is the shortest text.
    sure = (decimals.cast(pl.Float64) == values) & (values.abs() < 10.0 ** (_SURE_DIGITS - wanted.scale))
    left = values.is_not_null() & ~sure.fill_null(False)
    if not left.any():
        return decimals
    slow = exact_decimals(only(values, left).cast(pl.String), wanted)
    return decimals.zip_with(sure.fill_null(False), slow)


def exact_decimals(texts: pl.Series, wanted: pl.DataType) -> pl.Series:
    """Texts of numbers as decimals, without rounding; trailing zeros of the decimals are ignored."""
    plain = texts.str.replace(r"(\.[0-9]*?)0+$", "$1")
    decimals = short_decimals(plain, wanted)
    powers = texts.str.contains("[eE]")
    if not powers.any():
        return decimals
    by_python = each(only(texts, powers), lambda text: _fitting(number_in(text), wanted), wanted)
    return decimals.zip_with(~powers.fill_null(False), by_python)


def short_decimals(texts: pl.Series, wanted: pl.DataType) -> pl.Series:
    """Texts with at most as many decimals as the type; null for others, which Polars would round silently."""
    scale = wanted.scale if isinstance(wanted, pl.Decimal) else 0
    short = ~texts.str.contains(rf"[eE]|\.[0-9]{{{scale + 1}}}")
    decimals = texts.cast(wanted, strict=False)
    return decimals if short.all() else only(decimals, short)


def _decimal_as_float(values: pl.Series, wanted: pl.DataType, precision: int) -> pl.Series:
    """Decimals as the nearest float, if its shortest text is the same decimal."""
    if isinstance(wanted, pl.Float64) and precision <= _SURE_DIGITS:
        return values.cast(wanted)
    floats = values.cast(pl.String).cast(wanted, strict=False)
    return only(floats, exact_decimals(floats.cast(pl.String), values.dtype) == values)


def rounded(wanted: pl.DataType, how: Rounding) -> Attempt:
    """An attempt that rounds values that earlier ones could not cast: numbers, or texts of numbers, by their decimal text."""

    def attempt(values: pl.Series) -> pl.Series:
        if isinstance(wanted, pl.Float32):
            near = values.cast(wanted, strict=False)
            return only(near, near.is_finite())
        texts = values.cast(pl.String)
        return each(texts, lambda text: _fitting(number_in(text), wanted, how), wanted)

    return attempt


def _fitting(number: Decimal | None, wanted: pl.DataType, how: Rounding | None = None) -> Decimal | int | None:
    """A number as a value of a decimal or integer type; None if it does not fit, or needs rounding and `how` is None."""
    if number is None or not number.is_finite() or (number and abs(number.adjusted()) > _FAR):
        return None
    scale = wanted.scale if isinstance(wanted, pl.Decimal) else 0
    value = number.quantize(Decimal(1).scaleb(-scale), _ROUNDING[how or "down"], _EXACT)
    if how is None and value != number:
        return None
    if isinstance(wanted, pl.Decimal):
        return value if abs(value) < Decimal(10) ** (wanted.precision - scale) else None
    low, high = (pl.select(bound).item() for bound in (wanted.min(), wanted.max()))  # type: ignore[attr-defined]
    return int(value) if low <= value <= high else None
