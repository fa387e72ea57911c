"""Parses the names of types in our vocabulary, pandas, numpy, SQL, Spark, Delta, Arrow and Polars.

A name without a size matches every size (`int` is any signed integer). A time unit is ignored,
as in GX on pandas. A time zone, a precision and a scale must match if they are given.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import narwhals as nw
from narwhals.dtypes import DType

from dq_pipelines.errors import nearest

#: Tests whether a column's type matches a name.
IsType = Callable[[DType], bool]

_INTEGERS = (nw.Int8, nw.Int16, nw.Int32, nw.Int64, nw.Int128)
_UNSIGNED = (nw.UInt8, nw.UInt16, nw.UInt32, nw.UInt64, nw.UInt128)
_FLOATS = (nw.Float32, nw.Float64)

#: The names of each type, in lower case.
NAMES: dict[tuple[type[DType], ...], str] = {
    (nw.Int8,): "int8 i8 byte tinyint bytetype int8dtype",
    (nw.Int16,): "int16 i16 short smallint int2 shorttype int16dtype",
    (nw.Int32,): "int32 i32 int4 integertype int32dtype",
    (nw.Int64,): "int64 i64 long bigint longtype int64dtype",
    (nw.Int128,): "int128 i128 hugeint",
    _INTEGERS: "int integer",
    (nw.UInt8,): "uint8 u8 utinyint",
    (nw.UInt16,): "uint16 u16 usmallint",
    (nw.UInt32,): "uint32 u32 uinteger",
    (nw.UInt64,): "uint64 u64 ubigint",
    _UNSIGNED: "uint",
    (nw.Float32,): "float32 f32 float4 real floattype float32dtype",
    (nw.Float64,): "float64 f64 float8 double doubletype double_precision float64dtype",
    _FLOATS: "float",
    (nw.Decimal,): "decimal numeric decimaltype decimal128 decimal256 number",
    (nw.Boolean,): "boolean bool bool_ booleandtype booleantype bit",
    (nw.String, nw.Categorical, nw.Enum): (
        "string str text utf8 large_string large_utf8 string_view varchar nvarchar char nchar character bpchar clob"
        " stringtype stringdtype string_types str_ unicode"
    ),
    (nw.String, nw.Object): "object object_ o",
    (nw.Categorical, nw.Enum): "categorical category categoricaldtype enum dictionary",
    (nw.Date,): "date date32 date64 datetype",
    (nw.Datetime,): (
        "datetime datetime64 datetime2 datetimetz datetimetzdtype timestamp timestamptz timestamp_ntz timestamp_tz"
        " timestamptype timestampntztype smalldatetime datetimetzdtypetype"
    ),
    (nw.Time,): "time time32 time64 timetype",
    (nw.Duration,): "duration timedelta timedelta64 interval",
    (nw.Binary,): "binary bytes bytes_ bytea blob varbinary large_binary binarytype",
    (nw.List, nw.Array): "list large_list fixed_size_list array arraytype listdtype",
    (nw.Struct,): "struct dict structtype structdtype record",
    (nw.Unknown,): "null none nulltype na",
}
_BY_NAME = {name: classes for classes, names in NAMES.items() for name in names.split()}
_TEXT = _BY_NAME["string"]

#: our name of each type, for observed values
_OURS = {
    nw.Int8: "int8", nw.Int16: "int16", nw.Int32: "int32", nw.Int64: "int64", nw.Int128: "int128",
    nw.UInt8: "uint8", nw.UInt16: "uint16", nw.UInt32: "uint32", nw.UInt64: "uint64", nw.UInt128: "uint128",
    nw.Float32: "float32", nw.Float64: "float64", nw.Boolean: "boolean", nw.String: "string",
    nw.Categorical: "categorical", nw.Enum: "categorical", nw.Date: "date", nw.Time: "time", nw.Duration: "duration",
    nw.Binary: "binary", nw.List: "list", nw.Array: "list", nw.Struct: "struct", nw.Object: "object", nw.Unknown: "null",
}  # fmt: skip

_WRITTEN = re.compile(
    r"(?P<name>[a-z_][a-z0-9_ ]*?)\s*(?:[\[(<](?P<inside>.*)[\])>])?(?P<zoned> with(?:out)? time ?zone)?"
)


@lru_cache(maxsize=512)
def type_named(written: str) -> IsType:
    """The test for a type, by any of its names; raises ValueError, with one sentence, for an unknown one."""
    match = _WRITTEN.fullmatch(written.strip().lower())
    classes = _BY_NAME.get(match["name"].replace(" ", "_")) if match else None
    if match is None or classes is None:
        raise ValueError(f"unknown type '{written}'{nearest(written.lower(), _BY_NAME)}")
    inside, zoned = match["inside"], match["zoned"]
    if classes == (nw.Decimal,) and inside:
        return _decimal(written, inside)
    if classes == (nw.Datetime,):
        return _datetime(match["name"], inside or "", zoned)
    if classes == _TEXT and inside and inside.strip(" 0123456789max") == "":
        raise ValueError(f"type '{written}': a type has no length here, use expect_column_value_lengths_to_be_between")
    return lambda dtype: isinstance(dtype, classes)


def name_of(dtype: DType) -> str:
    """Our name of a type: `int64`, `decimal(12,2)`, `datetime`, `datetime[Europe/Berlin]`, …"""
    if isinstance(dtype, nw.Decimal):
        return f"decimal({dtype.precision},{dtype.scale})"
    if isinstance(dtype, nw.Datetime):
        return f"datetime[{dtype.time_zone}]" if dtype.time_zone else "datetime"
    return _OURS.get(type(dtype), str(dtype).lower())


def _decimal(written: str, inside: str) -> IsType:
    numbers = [part.partition("=")[2] or part for part in inside.replace(" ", "").split(",")]
    if not all(number.isdigit() for number in numbers) or len(numbers) > 2:
        raise ValueError(f"wanted a type such as decimal(12,2), got '{written}'")
    precision, scale = (*map(int, numbers), 0)[:2]
    return lambda dtype: isinstance(dtype, nw.Decimal) and (dtype.precision, dtype.scale) == (precision, scale)


def _datetime(name: str, inside: str, zoned: str | None) -> IsType:
    parts = [part.strip().strip("'\"") for part in re.split(r",\s*", inside) if part.strip()]
    named = [part.partition("=")[2].strip("'\" ") or part for part in parts]
    zones = [part for part in named if part not in ("s", "ms", "us", "ns", "μs", "none", "") and not part.isdigit()]
    if zones:
        return lambda dtype: isinstance(dtype, nw.Datetime) and (dtype.time_zone or "").lower() == zones[0]
    if name in ("timestamptz", "timestamp_tz", "datetimetz", "datetimetzdtype") or zoned in (
        " with time zone",
        " with timezone",
    ):
        return lambda dtype: isinstance(dtype, nw.Datetime) and dtype.time_zone is not None
    if name in ("timestamp_ntz", "timestampntztype") or zoned:
        return lambda dtype: isinstance(dtype, nw.Datetime) and dtype.time_zone is None
    return lambda dtype: isinstance(dtype, nw.Datetime)
