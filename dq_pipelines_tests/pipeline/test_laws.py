"""Laws of every batch, whatever the rows and the rules: nothing is lost, and what is kept is good."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dq_pipelines.pipeline.runtime.table_run import TableRun, judge_published
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

#: Cells that are good, empty, of another type, or in need of quotes.
CELLS = st.sampled_from(["1", "2", "-3", "40", "", "x", "2.5", "ab", "a,b", 'say "x"', " 7 ", "é", "NaN"])
ROWS = st.lists(st.tuples(st.sampled_from(["1", "2", "3", "4", "", "z"]), CELLS, CELLS), max_size=12)
BROKEN = st.lists(st.sampled_from(["1,2,3,4,5", "9"]), max_size=2)
ACTION = st.sampled_from([{}, {"on_failure": "quarantine"}, {"on_failure": "drop"}, {"severity": "warning"}])

#: Rules that judge a row by itself: judged again, it is judged the same.
BY_ROW: list[dict[str, Any]] = [
    {"type": "expect_column_values_to_not_be_null", "column": "n"},
    {"type": "expect_column_values_to_be_between", "column": "n", "min_value": 0, "max_value": 10},
    {"type": "expect_column_values_to_match_regex", "column": "t", "regex": "^[a-z0-9]+$"},
    {"type": "expect_column_values_to_be_in_set", "column": "t", "value_set": ["1", "2", "ab"]},
    {"type": "expect_column_value_lengths_to_be_between", "column": "t", "max_value": 2},
    {"type": "expect_column_pair_values_a_to_be_greater_than_b", "column_A": "n", "column_B": "id"},
    {"type": "expect_rows_sql", "sql": "n < 5"},
    {"type": "expect_column_values_to_be_between", "column": "n", "max_value": 1, "row_condition": "id > 1"},
]
BY_KEY: list[dict[str, Any]] = [
    {"type": "expect_column_values_to_be_unique", "column": "t"},
    {"type": "expect_compound_columns_to_be_unique", "column_list": ["id", "n"]},
]
STEPS: list[list[dict[str, Any]]] = [
    [],
    [{"filter": "n > 0"}],
    [{"deduplicate": {"by": ["id"], "keep": "last"}}],
    [{"sql": "select * from self where n is not null"}],
    [{"derive": {"m": "n * 2"}}, {"filter": "m < 50"}],
]


@st.composite
def tables(draw: st.DrawFn, rules: list[dict[str, Any]]) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(rules), max_size=4, unique_by=lambda rule: (rule["type"], len(rule))))
    silver: dict[str, Any] = {
        "columns": {"id": "int64", "n": draw(st.sampled_from(["int64", "float64", "decimal(6,2)"])), "t": "string"},
        "rules": [{**rule, **draw(ACTION)} for rule in chosen],
        "transform": draw(st.sampled_from(STEPS)),
    }
    if draw(st.booleans()):
        silver["keys"] = ["id"]
    return silver


def worked(folder: str, silver: dict[str, Any], rows: list[tuple[str, str, str]], broken: list[str]) -> TableRun:
    shop = Workshop(Path(folder))
    source = {"type": "csv", "path": f"{shop.landing}/a.csv", "delimiter": ",", "header_rows": 1, "null_values": [""]}
    shop.table("t", yaml.safe_dump({"source": source, "silver": silver}))
    lines = [",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' if cell else "" for cell in row) for row in rows]
    shop.land("a.csv", "\n".join(["id,n,t", *lines, *broken]) + "\n")
    return TableRun(shop.project.tables["t"], shop.lake)


def frame(work: TableRun, layer: str) -> pl.DataFrame:
    return work.lake.table(f"{layer}/t").scan().collect()


@settings(max_examples=25)
@given(silver=tables(BY_ROW + BY_KEY), rows=ROWS, broken=BROKEN)
def test_kept_refused_and_dropped_are_what_came_in(
    silver: dict[str, Any], rows: list[tuple[str, str, str]], broken: list[str]
) -> None:
    with TemporaryDirectory() as folder:
        work = worked(folder, silver, rows, broken)
        outcome = refine(work)
        assert outcome is not None
        counts = outcome.counts
        assert counts.rows_in == len(rows) + len(broken) == frame(work, "bronze").height
        assert counts.rows_in == counts.published + counts.refused + counts.dropped
        assert frame(work, "silver").height == counts.published
        quarantine = frame(work, "quarantine")
        assert quarantine.height == counts.refused
        assert counts.unreadable == len(broken)
        assert (quarantine["_reasons"].list.len() > 0).all()
        assert quarantine.select("_source", "_row").is_unique().all()
        reasons: Counter[str] = Counter()
        for row in quarantine["_reasons"].to_list():
            reasons.update(reason["rule"] for reason in row)
        assert reasons["unreadable"] == len(broken)
        assert reasons["cast"] == sum(outcome.miscast.values())
        if not any("sql" in step for step in silver["transform"]):
            for result in outcome.results:
                if result.rule.action == "quarantine" and not result.rule.internal:
                    assert reasons[result.rule.type] >= (result.unexpected_count or 0) > -1
        # Nothing is left to do, and doing it all anew gives the same.
        assert refine(work) is None
        before = [sorted(map(repr, frame(work, layer).rows())) for layer in ("silver", "quarantine")]
        again = rerun(work)
        assert (again is None) == (counts.rows_in == 0)
        assert again is None or again.counts.published == counts.published
        after = [sorted(map(repr, frame(work, layer).rows())) for layer in ("silver", "quarantine")]
        assert after == before


@settings(max_examples=25)
@given(silver=tables(BY_ROW), rows=ROWS)
def test_what_is_kept_is_not_refused_when_it_is_judged_again(
    silver: dict[str, Any], rows: list[tuple[str, str, str]]
) -> None:
    with TemporaryDirectory() as folder:
        work = worked(folder, silver, rows, [])
        assert refine(work) is not None
        again = judge_published(work)
        found = {
            result.rule.type: result.unexpected_count
            for result in again.results
            if result.rule.action in ("quarantine", "drop") and (result.unexpected_count or result.error)
        }
        assert found == {}
