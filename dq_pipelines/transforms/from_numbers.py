"""Numbers and truth values in other types: exactly, or not at all, unless the column's YAML asks for rounding."""

from __future__ import annotations

import decimal
from decimal import Decimal

import polars as pl

from dq_pipelines.transforms.attempts import Attempt, each, first_of, only, selected
from dq_pipelines.transforms.moments import number_in
from dq_pipelines.transforms.options import CastOptions, Rounding

#: Decimal digits that a float64 always tells apart, so that a decimal of no more comes back as it was.
_SURE_DIGITS = 15
_ROUNDING: dict[Rounding, str] = {
    "half_even": decimal.ROUND_HALF_EVEN,
    "half_up": decimal.ROUND_HALF_UP,
    "down": decimal.ROUND_DOWN,
}
_EXACT = decimal.Context(prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
#: Further from 1 than any type of ours holds, in powers of ten; written out, such a number could fill the memory.
_FAR = 400


def from_number(value: pl.Expr, landed: pl.DataType, wanted: pl.DataType, options: CastOptions) -> pl.Expr:
    """Numbers of `landed` as another number, or as true and false."""
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
    """The value as `wanted`, where that is the same number: cast back, it is what it was."""
    found = value.cast(wanted, strict=False)
    return pl.when(found.cast(landed, strict=False) == value).then(found)


def _float_as_decimal(values: pl.Series, wanted: pl.Decimal) -> pl.Series:
    """Floats as the decimal that is their shortest text: 0.1 is 0.1, though no float64 is that number."""
    if not isinstance(values.dtype, pl.Float64):
        return exact_decimals(values.cast(pl.String), wanted)
    # Polars raises for what has too many digits once it is rounded.
    fitting = only(values, values.abs() <= 10.0 ** (wanted.precision - wanted.scale) - 1)
    found = fitting.cast(wanted, strict=False)
    # Within so few digits no two decimals are the same float, so that one that comes back is the shortest text.
    sure = (found.cast(pl.Float64) == values) & (values.abs() < 10.0 ** (_SURE_DIGITS - wanted.scale))
    left = values.is_not_null() & ~sure.fill_null(False)
    if not left.any():
        return found
    slow = exact_decimals(only(values, left).cast(pl.String), wanted)
    return found.zip_with(sure.fill_null(False), slow)


def exact_decimals(texts: pl.Series, wanted: pl.DataType) -> pl.Series:
    """Texts of numbers as decimals, without rounding: zeros at the end of the decimals say nothing."""
    plain = texts.str.replace(r"(\.[0-9]*?)0+$", "$1")
    found = short_decimals(plain, wanted)
    powers = texts.str.contains("[eE]")
    if not powers.any():
        return found
    by_python = each(only(texts, powers), lambda text: _fitting(number_in(text), wanted), wanted)
    return found.zip_with(~powers.fill_null(False), by_python)


def short_decimals(texts: pl.Series, wanted: pl.DataType) -> pl.Series:
    """Texts of no more decimals than the type has; Polars rounds others, and a sum of money must not change in silence."""
    scale = wanted.scale if isinstance(wanted, pl.Decimal) else 0
    short = ~texts.str.contains(rf"[eE]|\.[0-9]{{{scale + 1}}}")
    found = texts.cast(wanted, strict=False)
    return found if short.all() else only(found, short)


def _decimal_as_float(values: pl.Series, wanted: pl.DataType, precision: int) -> pl.Series:
    """Decimals as the nearest float, where its shortest text is the decimal again."""
    if isinstance(wanted, pl.Float64) and precision <= _SURE_DIGITS:
        return values.cast(wanted)
    found = values.cast(pl.String).cast(wanted, strict=False)
    return only(found, exact_decimals(found.cast(pl.String), values.dtype) == values)


def rounded(wanted: pl.DataType, how: Rounding) -> Attempt:
    """An attempt that rounds what no other could hold: numbers, or texts of them, by the decimal that they show."""

    def attempt(values: pl.Series) -> pl.Series:
        if isinstance(wanted, pl.Float32):
            near = values.cast(wanted, strict=False)
            return only(near, near.is_finite())
        texts = values.cast(pl.String)
        return each(texts, lambda text: _fitting(number_in(text), wanted, how), wanted)

    return attempt


def _fitting(number: Decimal | None, wanted: pl.DataType, how: Rounding | None = None) -> Decimal | int | None:
    """A number in a decimal's or integer's places; None where it does not fit, or would have to be rounded and need not."""
    if number is None or not number.is_finite() or (number and abs(number.adjusted()) > _FAR):
        return None
    scale = wanted.scale if isinstance(wanted, pl.Decimal) else 0
    found = number.quantize(Decimal(1).scaleb(-scale), _ROUNDING[how or "down"], _EXACT)
    if how is None and found != number:
        return None
    if isinstance(wanted, pl.Decimal):
        return found if abs(found) < Decimal(10) ** (wanted.precision - scale) else None
    low, high = (pl.select(bound).item() for bound in (wanted.min(), wanted.max()))  # type: ignore[attr-defined]
    return int(found) if low <= found <= high else None
