"""Random rows that Great Expectations on pandas and our engines are given alike. Which rules are drawn belongs in
`gx_rules`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import strategies as st

#: Column name to its type in pandas and in Polars; None where only pandas has such a column.
TYPES: dict[str, tuple[str, Any]] = {
    "key": ("int64", pl.Int64),
    "i": ("int64", pl.Int64),
    "j": ("int64", pl.Int64),
    "n": ("Int64", pl.Int64),
    "f": ("float64", pl.Float64),
    "g": ("float64", pl.Float64),
    "m": ("object", pl.Decimal(10, 2)),
    "s": ("str", pl.String),
    "u": ("str", pl.String),
    "b": ("bool", pl.Boolean),
    "d": ("object", pl.Date),
    "t": ("datetime64[us]", pl.Datetime("us")),
    "z": ("datetime64[us, UTC]", pl.Datetime("us", "UTC")),
    "v": ("str", pl.String),
    "w": ("str", pl.String),
    "o": ("object", None),
    "two words": ("int64", pl.Int64),
}

# Quarters: sums and means of them are exact, so that a bound is met or missed in both worlds alike.
QUARTERS = st.integers(-40, 40).map(lambda number: number / 4)
FLOATS = st.one_of(st.none(), QUARTERS, st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0]))
AMOUNTS = st.integers(-40, 40).map(lambda number: Decimal(number) / 4)
TEXTS = st.one_of(
    st.none(),
    st.text("aAbBé日ßİ\n 1٣\U0001f600", max_size=4),
    st.sampled_from(["", "ok\n", "abc", "A1", "Abc", "nan", "NaN"]),
)
DATES = st.dates(date(2026, 1, 1), date(2026, 1, 9))
JSONS = ["1", "-2.5", "true", "null", '"a"', "[1, 2]", "{}", '{"a": 1}', '{"a": "1"}', "NaN"]
DATES_AS_TEXT = ["2026-01-31", "2026-31-01", "31/01/26", "1 Jan 2026", "12:30", "20260131", "tomorrow", "{", "00-00"]
MOMENTS = st.integers(0, 20).map(lambda hours: datetime.fromisoformat("2026-01-01") + timedelta(hours=hours))
ZONED = MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "i": st.integers(-5, 5),
    "j": st.integers(-5, 5),
    "n": st.one_of(st.none(), st.integers(-5, 5)),
    "f": FLOATS,
    "g": FLOATS,
    "m": st.one_of(st.none(), AMOUNTS),
    "s": TEXTS,
    "u": TEXTS,
    "b": st.booleans(),
    "d": st.one_of(st.none(), DATES),
    "t": st.one_of(st.none(), MOMENTS),
    "z": st.one_of(st.none(), ZONED),
    "v": st.one_of(st.none(), st.sampled_from(JSONS)),
    "w": st.one_of(TEXTS, st.sampled_from([*JSONS, *DATES_AS_TEXT])),
    "o": st.one_of(st.none(), st.integers(-3, 3), st.sampled_from(["a", "1", "abc", "", 2.5])),
    "two words": st.integers(-5, 5),
}


@dataclass(frozen=True)
class Frame:
    """The same rows for both worlds."""

    columns: Mapping[str, list[Any]]

    def polars(self) -> pl.DataFrame:
        """The columns that Polars has types for."""
        kinds = {name: TYPES[name][1] for name in self.columns}
        return pl.DataFrame(
            {name: pl.Series(values, dtype=kinds[name]) for name, values in self.columns.items() if kinds[name]}
        )

    def pandas(self) -> Any:
        """All columns."""
        import pandas as pd

        return pd.DataFrame({name: pd.Series(values, dtype=TYPES[name][0]) for name, values in self.columns.items()})


def frames() -> st.SearchStrategy[Frame]:
    """Frames of up to 12 rows with every column, `key` telling rows apart."""

    def of(size: int) -> st.SearchStrategy[Frame]:
        keys = {"key": st.just(list(range(100, 100 + size)))}
        columns = {name: st.lists(values, min_size=size, max_size=size) for name, values in VALUES.items()}
        return st.fixed_dictionaries(keys | columns).map(Frame)

    return st.one_of(st.just(0), st.integers(1, 12)).flatmap(of)
