"""What holds of every judgement, whatever the rows and the rules: tried on random ones.

The rows and the rules are those of the comparison with GX. Rules that need what the frame has not are drawn
all the same: a rule that cannot be judged keeps every row.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dq_pipelines.engine.results.verdict import Verdict
from dq_pipelines.engine.validate import validate
from dq_pipelines.rules import rule_classes
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.on_rows import RowRule
from dq_pipelines_tests.properties.gx_arguments import Drawn
from dq_pipelines_tests.properties.gx_frames import Frame, frames
from dq_pipelines_tests.properties.gx_rules import RULES

pytestmark = pytest.mark.slow

SUITES = st.lists(RULES, min_size=1, max_size=6)
MANY = settings(
    max_examples=max(40, settings().max_examples // 4 if settings().max_examples > 1_000 else 0),
    suppress_health_check=list(HealthCheck),
)


def judged(rows: pl.DataFrame, suite: list[Drawn]) -> Verdict:
    return validate(rows, [{"type": name, "kwargs": kwargs} for name, kwargs in suite], result_format="BASIC")


def looks_at(rule: Rule) -> str:
    return rule.looks_at if isinstance(rule, RowRule) else "table"


def counted(rows: pl.DataFrame) -> Counter[str]:
    """The rows as a multiset; told apart by their text, since NaN is not even itself."""
    return Counter(repr(row) for row in rows.rows())


def outcomes(verdict: Verdict) -> list[Any]:
    return [
        (result.error, result.success, result.element_count, result.missing_count, result.unexpected_count)
        for result in verdict.results
    ]


@MANY
@given(frame=frames(), suite=SUITES)
def test_kept_and_refused_rows_are_the_rows_that_came_in(frame: Frame, suite: list[Drawn]) -> None:
    rows = frame.polars()
    verdict = judged(rows, suite)
    kept, refused = pl.collect_all([verdict.kept, verdict.refused])
    assert counted(kept) + counted(refused.drop("_reasons")) == counted(rows)
    assert kept.columns == rows.columns
    assert kept["key"].is_sorted()


#: Kept rows may be refused when they are judged again by rules that look at more than the row: without its outliers a
#: column has others, without the row before another one is. Not so keys: both rows of a repeated one go.
BY_THE_ROW = frozenset(
    name for name, cls in rule_classes().items() if issubclass(cls, RowRule) and cls.looks_at == "row"
)


@MANY
@given(frame=frames(), suite=SUITES)
def test_judging_kept_rows_again_refuses_none(frame: Frame, suite: list[Drawn]) -> None:
    by_the_row = [rule for rule in suite if rule[0] in BY_THE_ROW]
    again = judged(judged(frame.polars(), by_the_row).kept.collect(), by_the_row)
    assert again.refused.collect().height == 0
    assert all(not result.unexpected_count for result in again.results if result.error is None)


@pytest.mark.parametrize(
    ("rule", "values", "kept"),
    [
        # 3 goes, and then 2 stands out of what is left
        ({"type": "expect_column_values_to_not_be_outliers", "column": "x"}, [1, 1, 1, 1, 2, 3], 5),
        # 1 goes for the 5 before it, and then 2 comes next to the 5
        ({"type": "expect_column_values_to_be_increasing", "column": "x"}, [5, 1, 2], 2),
    ],
)
def test_rules_that_look_at_other_rows_may_refuse_kept_ones(rule: dict[str, Any], values: list[int], kept: int) -> None:
    assert rule["type"] not in BY_THE_ROW
    first = validate(pl.DataFrame({"x": values}), [rule]).kept.collect()
    assert first.height == kept
    assert validate(first, [rule]).refused.collect().height > 0


@MANY
@given(frame=frames(), suite=SUITES, data=st.data())
def test_the_order_of_rows_does_not_matter(frame: Frame, suite: list[Drawn], data: st.DataObject) -> None:
    rows = frame.polars()
    order = data.draw(st.permutations(range(rows.height)))
    one = judged(rows, suite)
    suite = [rule for rule, result in zip(suite, one.results, strict=True) if looks_at(result.rule) != "order"]
    one, other = judged(rows, suite), judged(rows[list(order)], suite)
    assert outcomes(one) == outcomes(other)
    assert counted(one.refused.collect().drop("_reasons")) == counted(other.refused.collect().drop("_reasons"))


@MANY
@given(frame=frames(), suite=SUITES, data=st.data())
def test_the_order_of_rules_does_not_matter(frame: Frame, suite: list[Drawn], data: st.DataObject) -> None:
    rows = frame.polars()
    order = data.draw(st.permutations(range(len(suite))))
    one, other = judged(rows, suite), judged(rows, [suite[place] for place in order])
    assert [outcomes(one)[place] for place in order] == outcomes(other)
    assert counted(one.kept.collect()) == counted(other.kept.collect())


@MANY
@given(frame=frames(), suite=SUITES)
def test_a_row_is_refused_for_the_rules_that_mark_it_alone_and_for_no_other(frame: Frame, suite: list[Drawn]) -> None:
    rows = frame.polars()
    wanted: dict[int, Counter[str]] = {}
    for rule in suite:
        for key in judged(rows, [rule]).refused.collect()["key"]:
            wanted.setdefault(key, Counter())[rule[0]] += 1
    refused = judged(rows, suite).refused.collect()
    found = {row["key"]: Counter(reason["rule"] for reason in row["_reasons"]) for row in refused.iter_rows(named=True)}
    assert found == wanted
