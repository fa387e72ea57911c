"""What metadata know is not looked for in the rows; and whatever they know, the verdict is that of the rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from dq_pipelines import validate
from dq_pipelines.engine import statistics
from dq_pipelines.engine.backends.polars.backend import Polars
from dq_pipelines.engine.judge import judge
from dq_pipelines.engine.statistics import statistics_of_file
from dq_pipelines.lake.tables import LakeTable
from dq_pipelines.rules import rule_from
from dq_pipelines.rules.core.column_statistics import ColumnStatistics

NULLS = {"type": "expect_column_values_to_not_be_null"}
RANGE = {"type": "expect_column_values_to_be_between"}

ROWS = pl.DataFrame(
    {
        "whole": [1, 2, 3, None],
        "money": [Decimal("1.50"), Decimal("2.50"), Decimal(3), Decimal(4)],
        "share": [0.5, float("nan"), 1.0, 2.0],
        "day": [dt.date(2026, 1, day) for day in (1, 2, 3, 4)],
        "at": [dt.datetime(2026, 1, 1, hour, 0, 0, 999_999) for hour in (1, 2, 3, 4)],  # noqa: DTZ001
        "word": ["a", "b", None, "d"],
    }
)


@pytest.fixture(scope="module", autouse=True)
def _every_footer_is_asked() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "WORTH_ASKING", 0)
        yield


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    ROWS.write_parquet(tmp_path / "rows.parquet", row_group_size=2)
    return tmp_path / "rows.parquet"


def test_a_parquet_footer_tells_nulls_and_bounds_but_for_what_hides_nan_or_is_cut(parquet: Path) -> None:
    known = statistics_of_file(parquet, ROWS.schema)
    assert known["whole"] == ColumnStatistics(1, 1, 3)
    assert known["money"] == ColumnStatistics(0, Decimal("1.50"), Decimal("4.00"))
    assert known["day"] == ColumnStatistics(0, dt.date(2026, 1, 1), dt.date(2026, 1, 4))
    assert known["word"] == ColumnStatistics(1)
    assert "share" not in known


def test_deltas_log_tells_no_bounds_of_moments_and_decimals(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", ROWS.head(2).to_arrow())
    write_deltalake(tmp_path / "t", ROWS.tail(2).to_arrow(), mode="append")
    known = LakeTable("silver/t", str(tmp_path / "t")).snapshot().column_statistics(ROWS.schema)
    assert known["whole"] == ColumnStatistics(1, 1, 3)
    assert (known["money"], known["at"], known["word"]) == (
        ColumnStatistics(0),
        ColumnStatistics(0),
        ColumnStatistics(1),
    )


def test_a_rule_that_metadata_answer_reads_no_column(parquet: Path) -> None:
    answered = [{**NULLS, "column": "day"}, {**RANGE, "column": "whole", "max_value": 3}, {**NULLS, "column": "at"}]
    rules = [rule_from(rule) for rule in answered]
    scan = Polars().scan(pl.scan_parquet(parquet), rules, statistics=statistics_of_file(parquet, ROWS.schema))
    plan = scan.numbers().explain(optimized=True)
    assert "PROJECT 1/6 COLUMNS" in plan, "one column, to count the rows by"
    nulls, within, _ = judge(scan).results
    assert (nulls.success, nulls.element_count, nulls.unexpected_count) == (True, 4, 0)
    assert (within.success, within.missing_count, within.unexpected_count) == (True, 1, 0)


@pytest.mark.parametrize(
    ("rule", "unexpected"),
    [
        ({**NULLS, "column": "whole"}, 1),
        ({**NULLS, "column": "share"}, 1),
        ({**NULLS, "column": "day", "row_condition": "whole > 1"}, 0),
        ({**RANGE, "column": "whole", "max_value": 2}, 1),
        ({**RANGE, "column": "whole", "max_value": 3, "strict_max": True}, 1),
        ({**RANGE, "column": "whole", "max_value": 2, "row_condition": "whole < 3"}, 0),
        ({**RANGE, "column": "share", "max_value": 1}, 1),
        ({**RANGE, "column": "at", "max_value": "2026-01-01T04:00:00.999"}, 1),
    ],
)
def test_what_metadata_do_not_answer_is_looked_for(parquet: Path, rule: dict[str, Any], unexpected: int) -> None:
    (result,) = validate(parquet, [rule]).results
    assert result.unexpected_count == unexpected


def test_another_engine_takes_what_metadata_say_and_comes_to_the_same(parquet: Path) -> None:
    rules = [
        {**NULLS, "column": "day"},
        {**NULLS, "column": "whole"},
        {**RANGE, "column": "whole", "max_value": 3},
        {**RANGE, "column": "whole", "max_value": 2},
        {**RANGE, "column": "money", "min_value": 2},
        {**RANGE, "column": "day", "max_value": "2026-01-04"},
    ]
    there, here = validate(parquet, rules, engine="duckdb"), validate(ROWS, rules)
    for one, other in zip(there.results, here.results, strict=True):
        assert one.engine == "duckdb", one.note
        assert (one.success, one.element_count, one.missing_count, one.unexpected_count) == (
            other.success,
            other.element_count,
            other.missing_count,
            other.unexpected_count,
        )
    assert there.kept.collect().height == here.kept.collect().height


@given(
    values=st.lists(st.none() | st.integers(-5, 5), max_size=12),
    low=st.integers(-6, 6),
    strict=st.booleans(),
    groups=st.integers(1, 4),
)
def test_the_verdict_is_that_of_the_rows(
    tmp_path_factory: pytest.TempPathFactory, values: list[int | None], low: int, strict: bool, groups: int
) -> None:
    rows = pl.DataFrame({"x": pl.Series(values, dtype=pl.Int64)})
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    rows.write_parquet(path, row_group_size=groups)
    rules = [{**NULLS, "column": "x"}, {**RANGE, "column": "x", "min_value": low, "strict_min": strict}]
    assert validate(path, rules).to_json_dict() == validate(rows, rules).to_json_dict()
