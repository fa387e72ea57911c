"""Defines the entries of the table of casts for days, moments, times of day and durations, by target type."""

from __future__ import annotations

from datetime import time, timedelta

import polars as pl

from dq_pipelines.transforms.cast_entry import (
    DAY,
    ISO,
    MIDNIGHT,
    REFUSED,
    SECONDS,
    TEN,
    UTC_MIDNIGHT,
    UTC_TEN,
    CastEntry,
    Example,
)
from dq_pipelines.transforms.options import CastOptions

_COUNT = (
    "nothing, without an option",
    "every value",
    "`unit`: a whole count since 1970-01-01 UTC; `format`: the digits that it writes",
)
_WRITTEN = "`format`: as the pattern writes it"
_YEARS = "years outside 0001 to 9999"

DATE = {
    "string": CastEntry("`2024-01-02`", _YEARS, _WRITTEN, (Example(DAY, "string", "2024-01-02"), Example(DAY, "string", "2.1.24", CastOptions("%-d.%-m.%y")))),
    "integer": CastEntry(*_COUNT, (Example(DAY, "int64", REFUSED), Example(DAY, "int32", 20240102, CastOptions("%Y%m%d")))),
    "date": CastEntry("every day", _YEARS, "", (Example(DAY, "date", DAY),)),
    "datetime": CastEntry("midnight", _YEARS, "", (Example(DAY, "datetime", MIDNIGHT),)),
    "timestamp": CastEntry("midnight UTC", _YEARS, "", (Example(DAY, "timestamp", UTC_MIDNIGHT),)),
}  # fmt: skip

_FINER = f"{_YEARS}, nanoseconds"
DATETIME = {
    "string": CastEntry("`2024-01-02 10:00:00.000000`", _FINER, _WRITTEN, (Example(TEN, "string", "2024-01-02 10:00:00.000000"),)),
    "integer": CastEntry(*_COUNT, (Example(TEN, "int64", REFUSED), Example(TEN, "int64", 1704189600, SECONDS))),
    "date": CastEntry("midnights", f"moments with a time of day, {_YEARS}", "", (Example(MIDNIGHT, "date", DAY), Example(TEN, "date", REFUSED))),
    "datetime": CastEntry(
        "every moment, in microseconds", _FINER, "",
        (Example(TEN, "datetime", TEN), Example(TEN, "datetime", TEN, dtype=pl.Datetime("ns")), Example(TEN, "datetime", TEN, dtype=pl.Datetime("ms"))),
    ),
    "timestamp": CastEntry("the moment, read as UTC", _FINER, "", (Example(TEN, "timestamp", UTC_TEN),)),
}  # fmt: skip
TIMESTAMP = {
    "string": CastEntry("`2024-01-02 10:00:00.000000+00:00`", _FINER, _WRITTEN, (Example(UTC_TEN, "string", "2024-01-02 10:00:00.000000+00:00"),)),
    "integer": CastEntry(*_COUNT, (Example(UTC_TEN, "int64", REFUSED), Example(UTC_TEN, "int64", 1704189600, SECONDS))),
    "date": CastEntry("midnights UTC", f"moments with another time of day in UTC, {_YEARS}", "", (Example(UTC_MIDNIGHT, "date", DAY), Example(UTC_TEN, "date", REFUSED))),
    "datetime": CastEntry("the moment in UTC", _FINER, "", (Example(UTC_TEN, "datetime", TEN),)),
    "timestamp": CastEntry("every moment, in microseconds", _FINER, "", (Example(UTC_TEN, "timestamp", UTC_TEN),)),
}  # fmt: skip

TIME = {
    "string": CastEntry(
        "`10:00:00`, with decimals where there are any",
        "nothing",
        "",
        (Example(time(10, 0, 0, 5), "string", "10:00:00.000005"),),
    )
}
DURATION = {
    "string": CastEntry(f"{ISO}: `PT1M30S`", "nothing", "", (Example(timedelta(seconds=90), "string", "PT1M30S"),))
}
