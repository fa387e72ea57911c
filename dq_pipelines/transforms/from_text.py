"""Casts texts to other types. Blanks around a text are ignored, except in a `string` column."""

from __future__ import annotations

import polars as pl

from dq_pipelines.transforms.attempts import Attempt, each, filled, first_of, only, tried
from dq_pipelines.transforms.formats import has_offset, has_time, reads, sound
from dq_pipelines.transforms.from_numbers import exact_decimals, rounded, short_decimals
from dq_pipelines.transforms.moments import Moment, converted_series, from_counts, from_serial_numbers
from dq_pipelines.transforms.options import CastOptions

#: Forms of ISO 8601 without a zone, in the order of attempts, for columns without `format`. The first two are fast, 0.2 s of
#: CPU for 6 million texts; with a fraction Polars takes seven times as long.
_QUICK = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
_OTHERS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
#: Week dates and days of the year, which must match the whole text, since `2024-12` is a month and no day of the year.
_RARE_DATES = {"%G-W%V-%u": "^[0-9]{4}-W[0-9]{2}-[1-7]$", "%Y-%j": "^[0-9]{4}-[0-9]{3}$"}
_ZONE = r"(?: ?([Zz]|UTC|[+-][0-9]{2}(?::?[0-9]{2})?))?"
#: Date, hour, minute, second, decimals, zone: with all separators, with only the hour, and without separators.
_ISO = (
    rf"^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[Tt ]([0-9]{{2}}):([0-9]{{2}})(?::([0-9]{{2}})(?:[.,]([0-9]+))?)?{_ZONE}$",
    rf"^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[Tt]([0-9]{{2}})()()(){_ZONE}$",
    rf"^([0-9]{{8}})(?:[Tt]([0-9]{{2}})([0-9]{{2}})?([0-9]{{2}})?(?:[.,]([0-9]+))?{_ZONE})?$",
)
_DATE, _HOUR, _MINUTE, _SECOND, _DECIMALS, _OFFSET = "123456"
_TRUE, _FALSE = ["true", "t", "yes", "y", "1"], ["false", "f", "no", "n", "0"]
_PLAIN_NUMBER = r"^[+-]?[0-9]+(?:\.[0-9]*)?$"
_SPELLED = r"(?i)^[+-]?(?:inf|infinity|nan)$"
_ZERO = r"^[+-]?[0.]+(?:[eE][+-]?[0-9]+)?$"


def from_text(value: pl.Expr, wanted: pl.DataType, options: CastOptions) -> pl.Expr:
    """Texts as another type; null if they are not values of it."""
    if isinstance(wanted, pl.String):
        return value.str.strip_chars() if options.trim else value
    if isinstance(wanted, pl.Binary):
        return value.cast(wanted)
    if isinstance(wanted, pl.Boolean):
        lower = value.str.strip_chars().str.to_lowercase()
        return pl.when(lower.is_in(_TRUE)).then(True).when(lower.is_in(_FALSE)).then(False)
    attempts = _attempts(wanted, options)
    return first_of(value, [*attempts, _trimmed(attempts, wanted)], wanted)


def _trimmed(attempts: list[Attempt], wanted: pl.DataType) -> Attempt:
    """An attempt that repeats all others on trimmed texts, for texts with blanks around them."""
    return lambda texts: _changed(texts, texts.str.strip_chars(), attempts, wanted)


def _in_utc(attempts: list[Attempt], wanted: pl.DataType) -> Attempt:
    """An attempt that repeats others on texts that end in Z, without the Z: parsing an offset takes ten times as long."""
    return lambda texts: _changed(texts, texts.str.strip_suffix("Z"), attempts, wanted)


def _changed(texts: pl.Series, now: pl.Series, attempts: list[Attempt], wanted: pl.DataType) -> pl.Series:
    nothing = pl.Series([None], dtype=wanted).new_from_index(0, len(texts))
    return filled(nothing, now != texts, now, lambda some: tried(some, attempts, wanted))


def _attempts(wanted: pl.DataType, options: CastOptions) -> list[Attempt]:
    """The attempts to parse a text, the fastest first."""
    if isinstance(wanted, pl.Date | pl.Datetime):
        return _moments(wanted, options)
    if isinstance(wanted, pl.Decimal):
        attempts: list[Attempt] = [
            lambda texts: short_decimals(texts, wanted),
            lambda texts: exact_decimals(texts, wanted),
        ]
    elif wanted.is_float():
        attempts = [lambda texts: _floats(texts, wanted)]
    else:
        attempts = [lambda texts: texts.cast(wanted, strict=False)]
    return attempts if options.round is None or wanted.is_float() else [*attempts, rounded(wanted, options.round)]


def _floats(texts: pl.Series, wanted: pl.DataType) -> pl.Series:
    """The nearest float of each number; whole numbers written in full must be exact, and none may become infinite or 0."""
    floats = texts.cast(wanted, strict=False)
    exact, least = (2.0**53, 6) if isinstance(wanted, pl.Float64) else (2.0**24, 5)
    # NaN compares as greater than any number here. The shortest nonzero text that becomes 0 is 1e-324, or 1e-46.
    doubtful = (floats.abs() >= exact) | ((floats == 0) & (texts.str.len_bytes() >= least))
    if not doubtful.any():
        return floats
    return filled(only(floats, ~doubtful), doubtful.fill_null(False), texts, lambda some: _doubted_floats(some, wanted))


def _doubted_floats(texts: pl.Series, wanted: pl.DataType) -> pl.Series:
    floats = texts.cast(wanted, strict=False)
    right = pl.select(
        pl.when(texts.str.contains(_SPELLED))
        .then(True)
        .when((floats == 0) & ~texts.str.contains(_ZERO))
        .then(False)
        .otherwise(floats.is_finite())
    ).to_series()
    in_full = texts.str.contains(r"^[+-]?[0-9]+$") & floats.is_finite()
    whole = pl.DataFrame({"text": only(texts, in_full), "found": floats.cast(pl.Float64)}).to_struct()
    same = each(whole, lambda one: one["text"] is None or int(one["text"]) == int(one["found"]), pl.Boolean())
    return only(floats, right & same)


# --- dates and moments -----------------------------------------------------------------------------


def _moments(wanted: Moment, options: CastOptions) -> list[Attempt]:
    attempts: list[Attempt] = []
    unit, origin = options.unit, options.origin
    if unit is not None:
        attempts.append(lambda texts: from_counts(_plain_numbers(texts), unit, wanted))
    if origin is not None:
        attempts.append(lambda texts: from_serial_numbers(_plain_numbers(texts), origin, wanted))
    if options.format is not None:
        return [*attempts, _by_format(options.format, wanted)]
    if not attempts:
        return _iso_forms(wanted)
    # With a unit or an origin, a number is never read as ISO 8601: `20240102` is no date in a column of seconds.
    return [*attempts, *map(_except_numbers, _iso_forms(wanted))]


def _iso_forms(wanted: Moment) -> list[Attempt]:
    rare = [
        _by_format("%+", wanted),
        *(_shaped(shape, _by_format(form, wanted)) for form, shape in _RARE_DATES.items()),
    ]
    if isinstance(wanted, pl.Date):
        return [_by_format("%Y-%m-%d", wanted), lambda texts: _iso(texts, wanted), *rare]
    quick, others = ([_by_format(form, wanted) for form in forms] for forms in (_QUICK, _OTHERS))
    return [
        *quick,
        _in_utc([*quick, *others[:2]], wanted),
        *others,
        lambda texts: _iso(texts, wanted),
        *rare,
    ]


def _shaped(shape: str, attempt: Attempt) -> Attempt:
    return lambda texts: attempt(only(texts, texts.str.contains(shape)))


def _except_numbers(attempt: Attempt) -> Attempt:
    return lambda texts: attempt(only(texts, ~texts.str.contains(_PLAIN_NUMBER)))


def _plain_numbers(texts: pl.Series) -> pl.Series:
    return only(texts, texts.str.contains(_PLAIN_NUMBER))


def _by_format(form: str, wanted: Moment) -> Attempt:
    is_date = isinstance(wanted, pl.Date) and not has_offset(form) and not has_time(form)
    read = reads(form, pl.Date() if is_date else pl.Datetime("us"))

    def attempt(texts: pl.Series) -> pl.Series:
        moments = read(texts)
        # `reads` gives only moments within the allowed years.
        return moments if moments.dtype == wanted else converted_series(moments, wanted)

    return attempt


def _iso(texts: pl.Series, wanted: Moment) -> pl.Series:
    """The other forms of ISO 8601: without separators, without minutes or seconds, in lower case, with a decimal comma."""
    forms = [texts.str.extract_groups(form).struct.unnest() for form in _ISO]
    parts = pl.select(pl.coalesce(form[name] for form in forms).alias(name) for name in forms[0].columns)

    def two(name: str) -> pl.Expr:
        return pl.when(pl.col(name).str.len_bytes() == 2).then(pl.col(name)).otherwise(pl.lit("00"))

    decimals = pl.col(_DECIMALS).fill_null("")
    offset = pl.col(_OFFSET).str.extract("^([+-][0-9]{2})").fill_null("+00")
    minutes = pl.col(_OFFSET).str.extract("([0-9]{2}):?([0-9]{2})$", 2).fill_null("00")
    written = parts.select(
        pl.when(~decimals.str.contains("^[0-9]{6}[0-9]*[1-9]")).then(
            pl.concat_str(
                pl.col(_DATE).str.replace("^([0-9]{4})([0-9]{2})([0-9]{2})$", "$1-$2-$3"),
                pl.lit("T"),
                two(_HOUR),
                pl.lit(":"),
                two(_MINUTE),
                pl.lit(":"),
                two(_SECOND),
                pl.lit("."),
                decimals.str.slice(0, 6).str.pad_end(6, "0"),
                offset,
                pl.lit(":"),
                minutes,
            )
        )
    ).to_series()
    form = "%Y-%m-%dT%H:%M:%S%.f%:z"
    moments = written.str.to_datetime(form, time_unit="us", strict=False, cache=False)
    return converted_series(sound(written, moments, form), wanted)
