"""What functions of gold may return, and what is said of others, and of those that do not run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from dq_pipelines.engine.gold.function import function_to_parquet
from dq_pipelines.errors import RuleError
from dq_pipelines.lake import formats

ZONED_MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
MOMENT = ZONED_MOMENT.replace(tzinfo=None)


def pandas_frame(orders: pl.LazyFrame) -> Any:
    return orders.collect().to_pandas()


def pandas_index(orders: pl.LazyFrame) -> Any:
    return orders.collect().to_pandas().groupby("shop").agg(orders=("id", "count"))


def pandas_of_all(**_: Any) -> Any:
    return pd.DataFrame(
        {
            "i": pd.array([1, None], dtype="Int64"),
            "f": [1.5, np.nan],
            "c": pd.Categorical([2, 1]),
            "o": [Decimal("1.5"), None],
        }
    )


def arrow_table(orders: pl.LazyFrame) -> Any:
    return orders.collect().to_arrow()


def arrow_reader(orders: pl.LazyFrame) -> Any:
    return orders.collect().to_arrow().to_reader()


def relation(**_: Any) -> Any:
    return duckdb.sql(
        "select 5::hugeint as h, '00000000-0000-0000-0000-000000000005'::uuid as u, interval 1 month as i"
    )


def dicts(**_: Any) -> Any:
    return [{"a": 1, "b": UUID(int=5)}, {"a": 2, "c": time(1, 2)}]


def rows(**_: Any) -> Iterator[Any]:
    for number in range(3):
        yield {"a": number}


def frames(**_: Any) -> Iterator[Any]:
    yield pl.DataFrame({"a": [1]})
    yield pd.DataFrame({"a": [2]})


def polars_types(**_: Any) -> Any:
    return pl.LazyFrame(
        {
            "big": pl.Series([10**37], dtype=pl.Int128),
            "half": pl.Series([1.5], dtype=pl.Float16),
            "ns": pl.Series([1_000], dtype=pl.Datetime("ns")),
            "zone": pl.Series([MOMENT]).dt.replace_time_zone("America/New_York"),
            "span": [timedelta(seconds=1.5)],
        }
    )


def without_rows(**_: Any) -> Any:
    return pl.LazyFrame(schema={"a": pl.Int64})


#: What functions give, as it is published.
TAKEN: dict[str, list[tuple[Any, ...]]] = {
    "pandas_frame": [(1, "n"), (2, "s")],
    "pandas_index": [("n", 1), ("s", 1)],
    "pandas_of_all": [(1, 1.5, 2, Decimal("1.5")), (None, None, 1, None)],
    "arrow_table": [(1, "n"), (2, "s")],
    "arrow_reader": [(1, "n"), (2, "s")],
    "relation": [(5, "00000000-0000-0000-0000-000000000005", "1 month")],
    "dicts": [(1, "00000000-0000-0000-0000-000000000005", None), (2, None, "01:02:00")],
    "rows": [(0,), (1,), (2,)],
    "frames": [(1,), (2,)],
    "polars_types": [(Decimal(10**37), 1.5, datetime.fromisoformat("1970-01-01T00:00:00.000001"), datetime(2024, 1, 1, 5, tzinfo=UTC), "PT1.5S")],
    "without_rows": [],
}  # fmt: skip


def test_what_functions_may_return(tmp_path: Path) -> None:
    orders = pl.LazyFrame({"id": [1, 2], "shop": ["n", "s"]})
    for name, wanted in TAKEN.items():
        target = tmp_path / f"{name}.parquet"
        function_to_parquet(f"{__name__}:{name}", {"orders": orders}, target)
        assert (name, formats.named("delta").storable(pl.scan_parquet(target)).collect().rows()) == (name, wanted)


def nothing(**_: Any) -> None: ...


def series(**_: Any) -> Any:
    return pl.Series("a", [1])


def no_rows(**_: Any) -> Any:
    return []


def tuples(**_: Any) -> Any:
    return [(1, 2)]


def other_frames(**_: Any) -> Iterator[Any]:
    yield pl.DataFrame({"a": [1]})
    yield pl.DataFrame({"a": ["x"]})


def mixed(**_: Any) -> Any:
    return pd.DataFrame({"a": [1, "x"]})


def mixed_zones(**_: Any) -> Any:
    return [{"a": [MOMENT]}, {"a": [ZONED_MOMENT]}]


def long_integer(**_: Any) -> Any:
    return [{"a": 2**70}]


def long_decimal(**_: Any) -> Any:
    return pa.table({"a": pa.array([Decimal("1" * 40)])})


def intervals(**_: Any) -> Any:
    return pa.table({"a": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})


def nanoseconds(**_: Any) -> Any:
    return pl.LazyFrame({"a": pl.Series([{"l": [1_000, 1]}], dtype=pl.Struct({"l": pl.List(pl.Datetime("ns"))}))})


def far_away(**_: Any) -> Any:
    return pl.LazyFrame({"a": pl.Series([2**31 - 1], dtype=pl.Int32).cast(pl.Date)})


def objects(**_: Any) -> Any:
    return pl.DataFrame({"a": [object()]}, schema={"a": pl.Object})


def two_names(**_: Any) -> Any:
    return pd.DataFrame([[1, 2]], columns=["a", "A"])


def reserved(**_: Any) -> Any:
    return pl.LazyFrame({"_batch": [1]})


def raises(**_: Any) -> Any:
    return 1 / 0


def raises_later(**_: Any) -> Iterator[Any]:
    yield {"a": 1}
    raise ValueError("no more\nrows")


def raises_in_the_plan(orders: pl.LazyFrame) -> Any:
    return orders.select(pl.col("id").map_elements(lambda _: 1 // 0, return_dtype=pl.Int64))


def other_argument(order: pl.LazyFrame) -> Any:
    return order


def bad_relation(**_: Any) -> Any:
    return duckdb.sql("select 'infinity'::date as d")


#: What is said of what functions give, or of how they end.
SAID = {
    "nothing": "got None: is there a return?",
    "series": "wanted a Polars, pandas or Arrow frame",
    "no_rows": "got none: return a frame without rows",
    "tuples": "wanted rows as dicts",
    "other_frames": "wanted frames of the same columns, got a Int64, then a String",
    "mixed": "wanted values of one type in column 'a', got int and str",
    "mixed_zones": "in column 'a[]', got datetime and datetime with a zone",
    "long_integer": "column 'a': wanted integers of 64 bits",
    "long_decimal": "column 'a' of type decimal256",
    "intervals": "column 'a' of type month_day_nano_interval",
    "nanoseconds": "wanted whole microseconds of the years 1 to 9999, got {\"l\":",
    "far_away": "got 2147483647 days since 1970-01-01",
    "objects": "column 'a' of type Object",
    "two_names": "got 'a' and 'A', which Delta does not tell apart",
    "reserved": "a name that the lake keeps for itself",
    "raises": ": division by zero",
    "raises_later": ": no more",
    "raises_in_the_plan": ": integer division or modulo by zero",
    "other_argument": "unexpected keyword argument 'orders'",
    "bad_relation": "column 'd' of type DATE: wanted the years 1 to 9999, got infinity",
}  # fmt: skip


def test_what_is_said_of_functions(tmp_path: Path) -> None:
    orders = pl.LazyFrame({"id": [1, 2]})
    for name, wanted in SAID.items():
        with pytest.raises(RuleError) as told:
            function_to_parquet(f"{__name__}:{name}", {"orders": orders}, tmp_path / "rows.parquet")
        said = str(told.value)
        assert said.startswith(f"{__name__}:{name}"), said
        assert wanted in said
        assert "\n" not in said
        if name.startswith("raises"):
            line = _lines()[name]
            assert (
                f"raises {'ValueError' if name == 'raises_later' else 'ZeroDivisionError'} at test_gold_functions.py:{line}:"
                in said
            )


def _lines() -> dict[str, int]:
    """The line on which each function fails."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    failing = {"raises": "return 1 / 0", "raises_later": "raise ValueError(", "raises_in_the_plan": "lambda _: 1 // 0"}
    return {name: next(at for at, line in enumerate(lines, 1) if text in line) for name, text in failing.items()}
