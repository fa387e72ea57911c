from __future__ import annotations

import narwhals as nw
import pytest
from narwhals.dtypes import DType

from dq_pipelines.rules.core.typenames import NAMES, name_of, type_named

INT, TEXT, MONEY = nw.Int64(), nw.String(), nw.Decimal(12, 2)
PLAIN, ZONED = nw.Datetime("us"), nw.Datetime("us", "Europe/Berlin")


@pytest.mark.parametrize(
    ("written", "dtype", "is_one"),
    [
        ("int64", INT, True), ("Int64", INT, True), ("BIGINT", INT, True), ("LongType", INT, True), ("int", INT, True),
        ("INTEGER", nw.Int16(), True), ("int32", INT, False), ("uint8", nw.UInt8(), True), ("int", nw.UInt8(), False),
        ("float", nw.Float32(), True), ("double", nw.Float64(), True), ("double precision", nw.Float64(), True),
        ("float64", nw.Float32(), False), ("bool", nw.Boolean(), True), ("BOOLEAN", nw.Boolean(), True),
        ("string", TEXT, True), ("str", TEXT, True), ("object", TEXT, True), ("VARCHAR", TEXT, True), ("utf8", TEXT, True),
        ("category", nw.Categorical(), True), ("string", INT, False), ("decimal", MONEY, True),
        ("decimal(12,2)", MONEY, True), ("DECIMAL(12, 2)", MONEY, True), ("decimal(12,3)", MONEY, False),
        ("Decimal(precision=12, scale=2)", MONEY, True), ("decimal128(12, 2)", MONEY, True), ("numeric(12)", MONEY, False),
        ("date", nw.Date(), True), ("date32", nw.Date(), True), ("datetime", PLAIN, True), ("datetime", ZONED, True),
        ("datetime64[ns]", PLAIN, True), ("timestamp[us]", PLAIN, True), ("TimestampType", PLAIN, True),
        ("timestamp[us, tz=Europe/Berlin]", ZONED, True), ("timestamp[us, tz=Europe/Berlin]", PLAIN, False),
        ("datetime64[ns, UTC]", ZONED, False), ("timestamptz", ZONED, True), ("timestamptz", PLAIN, False),
        ("timestamp with time zone", ZONED, True), ("timestamp without time zone", ZONED, False),
        ("timestamp_ntz", PLAIN, True), ("Datetime(time_unit='us', time_zone=None)", PLAIN, True),
        ("Datetime(time_unit='us', time_zone='Europe/Berlin')", ZONED, True), ("list", nw.List(nw.Int64()), True),
        ("array<int>", nw.List(nw.Int64()), True), ("time", nw.Time(), True), ("binary", nw.Binary(), True),
        ("timedelta64[ns]", nw.Duration(), True), ("null", nw.Unknown(), True),
    ],
)  # fmt: skip
def test_a_type_goes_by_all_its_names(written: str, dtype: DType, *, is_one: bool) -> None:
    assert type_named(written)(dtype) is is_one


@pytest.mark.parametrize("dtype", [INT, TEXT, MONEY, PLAIN, ZONED, nw.Float32(), nw.Date(), nw.Boolean(), nw.Unknown()])
def test_our_own_name_is_one_of_them(dtype: DType) -> None:
    assert type_named(name_of(dtype))(dtype)


def test_no_name_stands_for_two_types() -> None:
    names = [name for group in NAMES.values() for name in group.split()]
    assert len(names) == len(set(names))
