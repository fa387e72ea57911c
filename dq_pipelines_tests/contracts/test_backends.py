"""The contract of a backend: every example of every rule, which rows are refused and why, and what is left to another.

It runs on whatever backends the registry has: a new one is picked up by itself.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dq_pipelines.engine.backends.base import StagingBackend, StagingScan
from dq_pipelines.engine.backends.registry import staging_backend
from dq_pipelines.engine.judge import Judgement, judge
from dq_pipelines.engine.results.samples import Samples
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.errors import ConfigError
from dq_pipelines.rules import rule_from
from dq_pipelines.rules.core import clock
from dq_pipelines.rules.core.base import Example
from dq_pipelines_tests.contracts.backends import EVERY, NAMES, started
from dq_pipelines_tests.contracts.test_rules import EXAMPLES, NOON, OTHER, on_polars, rows_of, rule_of

pytestmark = pytest.mark.slow


@pytest.fixture(params=EVERY)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def judged(name: str, rows: pl.DataFrame, *rules: Any, **more: Any) -> Judgement:
    engine = started(name)
    known = [rule_from(rule) for rule in rules]
    scan = engine.scan(engine.open(rows.lazy()), known, lookup=lambda _: OTHER, types=rows.schema)
    return judge(scan, samples=Samples(most=None), **more)


#: Spark takes half a second for the smallest question: of a rule's examples it gets the first two every time, and all
#: of them in `make torture`.
ON_ENGINES = [
    pytest.param(
        engine,
        *example.values,
        id=f"{engine}-{example.id}",
        marks=[pytest.mark.torture] if engine == "spark" and not str(example.id).endswith(("-1", "-2")) else [],
    )
    for engine in NAMES
    for example in EXAMPLES
]


@pytest.mark.parametrize(("engine", "name", "example"), ON_ENGINES)
def test_an_example_comes_out_as_on_polars(engine: str, name: str, example: Example) -> None:
    rows, rule = rows_of(example), rule_of(name, example)
    with clock.at(NOON):
        there, here = judged(engine, rows, rule), on_polars(rows, [rule])
        (result,) = there.results
        kept, refused = there.scan.kept.collect(), there.scan.refused.collect()
    assert result.error is None
    assert {key: getattr(result, key) for key in example.expect} == dict(example.expect)
    gap = started(engine).gap(rule)
    assert (result.engine == "polars") == (result.note is not None)
    assert result.engine == engine or gap is not None, f"not declared as a gap: {result.note}"
    assert_frame_equal(kept, here.scan.kept.collect(), check_row_order=False, check_dtypes=False)
    assert_frame_equal(refused, here.scan.refused.collect(), check_row_order=False, check_dtypes=False)
    assert len(result.unexpected_rows) == (result.unexpected_count or 0)


def test_rules_of_all_kinds_are_judged_together(engine: str) -> None:
    rows = pl.DataFrame({"id": [1, 2, 2, None], "name": ["ab", "b1", "c", "aa"], "n": [1.5, float("nan"), None, -3.0]})
    rules: list[dict[str, Any]] = [
        {"type": "expect_column_values_to_not_be_null", "column": "id"},
        {"type": "expect_column_values_to_be_unique", "column": "id", "on_failure": "drop"},
        {"type": "expect_column_values_to_match_regex", "column": "name", "regex": "^[a-z]+$"},
        {"type": "expect_column_values_to_match_regex", "column": "name", "regex": r"^(?!(.)\1)"},
        {"type": "expect_column_values_to_be_between", "column": "n", "min_value": 0, "severity": "warning"},
        {"type": "expect_column_mean_to_be_between", "column": "n", "max_value": 0},
        {"type": "expect_column_values_to_be_in_set", "column": "nome", "value_set": ["a"]},
        {"type": "expect_rows_sql", "sql": "id < name"},
        {"type": "expect_table_row_count_to_equal", "value": 4},
    ]
    verdict = judged(engine, rows, *rules)
    here = on_polars(rows, [rule_from(rule) for rule in rules])
    for there, known in zip(verdict.results, here.results, strict=True):
        assert (there.success, there.element_count, there.missing_count, there.unexpected_count) == (
            known.success,
            known.element_count,
            known.missing_count,
            known.unexpected_count,
        )
        assert (there.observed_value, there.error is None) == (known.observed_value, known.error is None)
    assert_frame_equal(verdict.scan.kept.collect(), here.scan.kept.collect(), check_row_order=False)
    assert_frame_equal(verdict.scan.refused.collect(), here.scan.refused.collect(), check_row_order=False)


def test_rows_are_kept_refused_or_dropped_and_counted_so(engine: str) -> None:
    rows = pl.DataFrame({"id": [1, 2, 2, 3, 4, None], "n": [1, 2, 3, -4, -5, 6]})
    judgement = judged(
        engine,
        rows,
        {"type": "expect_column_values_to_be_unique", "column": "id"},
        {"type": "expect_column_values_to_be_between", "column": "n", "min_value": 0, "on_failure": "drop"},
        {"type": "expect_column_values_to_be_between", "column": "id", "max_value": 3},
    )
    assert (judgement.rows, judgement.refused, judgement.dropped, judgement.kept) == (6, 3, 1, 2)
    scan = judgement.scan
    for part, wanted in ((scan.kept, [1, 6]), (scan.refused, [-5, 2, 3]), (scan.dropped, [-4])):
        assert sorted(part.collect()["n"].to_list()) == wanted


def test_a_backend_writes_rows_or_says_that_it_cannot(engine: str, tmp_path: Path) -> None:
    backend, rows = started(engine), pl.DataFrame({"x": [1, None]})
    rule = rule_from({"type": "expect_column_values_to_not_be_null", "column": "x"})
    scan = backend.scan(backend.open(rows.lazy()), [rule], types=rows.schema)

    def sinks(staging: StagingScan) -> list[pl.LazyFrame]:
        return [staging.kept.sink_parquet(tmp_path / "kept.parquet", lazy=True)]

    assert backend.can_stage == isinstance(scan, StagingScan) == isinstance(backend, StagingBackend)
    if backend.can_stage:
        judge(scan, sinks)
        assert pl.read_parquet(tmp_path / "kept.parquet")["x"].to_list() == [1]
    else:
        with pytest.raises(TypeError, match=f"{engine} judges rows but writes and measures none"):
            judge(scan, sinks)
        with pytest.raises(ConfigError, match=f"engine '{engine}' judges rows but writes none, wanted polars"):
            staging_backend(engine)


def test_whoever_is_told_of_progress_hears_all_results(engine: str) -> None:
    heard: dict[int, RuleResult] = {}

    class Observer:
        def sinks(self, scan: StagingScan) -> list[pl.LazyFrame]:
            return []

        def auxiliary_queries(self, rules: Any) -> AbstractContextManager[None]:
            return nullcontext()

        def rules_judged(self, results: Any) -> None:
            heard.update({id(result.rule): result for result in results})

    rules = [
        {"type": "expect_column_values_to_be_unique", "column": "x"},
        {"type": "expect_column_mean_to_be_between", "column": "x", "min_value": 0},
    ]
    judgement = judged(engine, pl.DataFrame({"x": [1, 1, 2]}), *rules, observer=Observer())
    assert [heard[id(one.rule)].success for one in judgement.results] == [one.success for one in judgement.results]


def test_no_rows_and_no_rules_are_a_verdict_too(engine: str) -> None:
    rows = pl.DataFrame({"x": [1, 2]})
    assert judged(engine, rows).scan.kept.collect().height == 2
    assert judged(engine, rows).scan.refused.collect().is_empty()
    rule = {"type": "expect_column_values_to_be_between", "column": "x", "max_value": 1}
    empty = judged(engine, rows.clear(), rule)
    assert (empty.results[0].success, empty.results[0].element_count) == (True, 0)


def test_frames_read_side_by_side_and_in_part_stay_whole(engine: str) -> None:
    rows = pl.DataFrame({"x": range(300_000)})
    verdict = judged(engine, rows, {"type": "expect_column_values_to_be_between", "column": "x", "max_value": 99_999})
    assert verdict.scan.kept.head(3).collect().height == 3
    kept, refused = pl.collect_all([verdict.scan.kept.select(pl.len()), verdict.scan.refused.select(pl.col("x").sum())])
    assert kept.item() == 100_000
    assert refused.item() == sum(range(100_000, 300_000))


def test_types_that_an_engine_lacks_mean_what_they_meant_and_come_back_as_they_were(engine: str) -> None:
    noon = datetime(2026, 6, 1, 12, 30)  # noqa: DTZ001 - a zone is given below
    rows = pl.DataFrame(
        {
            "small": pl.Series([1, 200, None], dtype=pl.UInt8),
            "large": pl.Series([2**63, 1, None], dtype=pl.UInt64),
            "kind": pl.Series(["a", "b", None], dtype=pl.Categorical),
            "there": pl.Series([noon, noon.replace(hour=0), None]).dt.replace_time_zone("Europe/Berlin"),
            "naive": pl.Series([noon, noon.replace(hour=0), None], dtype=pl.Datetime("ms")),
            "at": pl.Series([noon.time(), noon.replace(hour=0).time(), None]),
            "none": pl.Series([None, None, None]),
        }
    )
    rules: list[dict[str, Any]] = [
        {"type": "expect_column_values_to_be_of_type", "column": "small", "type_": "uint8"},
        {"type": "expect_column_sum_to_be_between", "column": "small", "max_value": 200},
        {"type": "expect_column_values_to_be_between", "column": "large", "max_value": 2},
        {"type": "expect_column_values_to_be_in_set", "column": "kind", "value_set": ["a"]},
        {"type": "expect_column_values_to_be_between", "column": "there", "min_value": "2026-06-01 00:30"},
        {"type": "expect_column_values_to_be_between", "column": "there", "min_value": "2026-05-31 22:30+00:00"},
        {"type": "expect_column_values_to_be_between", "column": "naive", "min_value": "2026-06-01 00:30"},
        {"type": "expect_column_values_to_be_in_set", "column": "naive", "value_set": ["2026-06-01 12:30"]},
        {"type": "expect_column_values_to_be_between", "column": "at", "min_value": "01:00"},
        {"type": "expect_column_max_to_be_between", "column": "naive", "max_value": "2026-06-01"},
        {"type": "expect_column_sum_to_be_between", "column": "none", "max_value": -1},
    ]
    verdict, here = judged(engine, rows, *rules), on_polars(rows, [rule_from(rule) for rule in rules])
    for there, known in zip(verdict.results, here.results, strict=True):
        assert (there.success, there.unexpected_count, there.observed_value, there.error) == (
            known.success,
            known.unexpected_count,
            known.observed_value,
            known.error,
        ), there
    assert_frame_equal(verdict.scan.kept.collect(), here.scan.kept.collect(), check_row_order=False)
    assert_frame_equal(verdict.scan.refused.collect(), here.scan.refused.collect(), check_row_order=False)


def test_many_rules_on_one_key_are_one_question(engine: str) -> None:
    rows = pl.DataFrame({"a": [1, 1, 2, None, None], "b": ["x", "x", "x", "y", "y"]})
    rules = [
        {"type": "expect_compound_columns_to_be_unique", "column_list": ["a", "b"], "mostly": share / 10}
        for share in range(5)
    ]
    verdict = judged(engine, rows, *rules)
    assert [result.unexpected_count for result in verdict.results] == [4] * 5
    assert verdict.scan.kept.collect().to_dicts() == [{"a": 2, "b": "x"}]


def test_keys_that_share_a_column_of_floats_are_each_looked_up(engine: str) -> None:
    rows = pl.DataFrame({"i": [1, 1, 2, 3], "f": [1.0, 1.0, None, None], "s": ["a", "a", "b", "b"]})
    rules = [
        {"type": "expect_compound_columns_to_be_unique", "column_list": columns, "ignore_row_if": "never"}
        for columns in (["i", "f"], ["f", "s"], ["f", "i"])
    ]
    there, here = judged(engine, rows, *rules), on_polars(rows, [rule_from(rule) for rule in rules])
    for results, kept, refused in (
        (there.results, there.scan.kept, there.scan.refused),
        (here.results, here.scan.kept, here.scan.refused),
    ):
        assert [result.unexpected_count for result in results] == [2, 4, 2]
        assert kept.collect().is_empty()
        assert refused.collect().columns == ["i", "f", "s", "_reasons"]
