"""A rule that fails over some rows is an error of its own; the others judge, and their rows are published."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import polars as pl
import pytest
import yaml

import dq_pipelines as dq
from dq_pipelines.engine.backends.registry import connect
from dq_pipelines.engine.faults import at_fault
from dq_pipelines.engine.judge import judge
from dq_pipelines.engine.results.verdict import Verdict
from dq_pipelines.errors import SourceError
from dq_pipelines.history.queries.series import series
from dq_pipelines.rules import rule_from
from dq_pipelines_tests.engine.faulty_rules import FAULTY, GOOD, ROWS
from dq_pipelines_tests.workshop import Workshop

#: Dates that Python has no year for never reach a table: their cast refuses them.
IN_A_LAKE = {name: case for name, case in FAULTY.items() if case[0].get("column") != "day"}


def told(verdict: Verdict) -> list[tuple[Any, ...]]:
    found = [result.to_json_dict() for result in verdict.results]
    return [(one["success"], one["result"], one["exception_info"]["exception_message"]) for one in found]


@pytest.mark.parametrize(
    ("family", "engine"), [*((one, "polars") for one in FAULTY), *((one, "duckdb") for one in IN_A_LAKE)]
)
def test_a_rule_that_fails_over_the_rows_is_alone_an_error(family: str, engine: str) -> None:
    faulty, word = FAULTY[family]
    alone = dq.validate(ROWS, GOOD, engine=engine)
    verdict = dq.validate(ROWS, [*GOOD[:3], {**faulty, "severity": "warning"}, *GOOD[3:]], engine=engine)
    wrong = verdict.results[3]
    assert not wrong.success
    assert not wrong.blocks
    assert wrong.error is not None
    assert word in wrong.error
    assert "\n" not in wrong.error
    others = told(verdict)
    del others[3]
    assert others == told(alone)
    assert verdict.kept.collect().equals(alone.kept.collect())
    assert verdict.refused.collect().equals(alone.refused.collect())
    json.dumps(verdict.to_json_dict(), allow_nan=False)


def test_all_faulty_rules_at_once_are_each_an_error() -> None:
    rules = [rule for pair in zip([faulty for faulty, _ in FAULTY.values()], GOOD * 3, strict=False) for rule in pair]
    verdict = dq.validate(ROWS, rules)
    errors = [result.error for result in verdict.results]
    assert all(errors[::2])
    assert not any(errors[1::2])


def test_the_error_names_the_rule_and_the_column() -> None:
    (result,) = dq.validate(ROWS, [FAULTY["decimal sum"][0]]).results
    assert result.error is not None
    assert result.error.startswith("expect_column_sum_to_be_between of amount: wanted")


@pytest.mark.parametrize(("on_failure", "blocks"), [("block", True), ("quarantine", True), ("warn", False)])
def test_a_rule_that_could_have_refused_rows_blocks_when_it_fails(on_failure: str, blocks: bool) -> None:
    faulty = {**FAULTY["sql cast"][0], "on_failure": on_failure}
    verdict = dq.validate(ROWS, [faulty, *GOOD])
    assert bool(verdict.blocked_by) == blocks


def test_what_is_no_rules_fault_is_raised() -> None:
    def broken(_: pl.DataFrame) -> pl.DataFrame:
        raise OSError("the disk is gone")

    rows = ROWS.lazy().map_batches(broken, schema=ROWS.schema)
    with pytest.raises(OSError, match="the disk is gone"):
        judge(connect().scan(rows, [rule_from(rule) for rule in GOOD]))


def test_what_fails_is_found_by_halves() -> None:
    tried: list[tuple[int, ...]] = []

    def attempt(parts: Any) -> None:
        tried.append(tuple(parts))
        if {3, 70} & set(parts):
            raise ValueError

    assert set(at_fault(range(100), attempt)) == {3, 70}
    assert len(tried) < 40


def test_a_run_publishes_by_the_other_rules(shop: Workshop) -> None:
    faulty = [{**rule, "severity": "warning"} for rule, _ in IN_A_LAKE.values()]
    rules = yaml.safe_dump([*faulty, *GOOD], default_flow_style=True, width=10_000)
    shop.table(
        "x",
        f"""
        source: {{type: csv, path: "{{landing}}/*.csv"}}
        silver:
          columns: {{id: int64, amount: "decimal(38,2)", even: int64}}
          rules: {rules}
        """,
    )
    rows = ROWS.drop("day").with_columns(pl.col("amount").cast(pl.String))
    shop.land("x.csv", rows.write_csv())
    ran = shop.run("x")
    assert ran.success
    assert shop.rows("silver/x", "id") == [1, 2, 3]
    assert shop.rows("quarantine/x", "id") == ["4"]
    errors = {name: ran.number(name, "error") for name in ran.checks if ran.number(name, "error")}
    assert len(errors) == len(IN_A_LAKE)
    for _, word in IN_A_LAKE.values():
        assert any(word in error for error in errors.values()), word
    assert not any(ran.checks[name].passed for name in errors)
    assert ran.checks["silver/x:rows_accounted_for"].passed
    again = shop.run("x", mode="rerun")
    assert again.success
    assert shop.rows("silver/x", "id") == [1, 2, 3]


def test_what_cannot_be_measured_is_left_out_and_the_batch_goes_on(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dq_pipelines.monitoring.metrics import measurement

    def number(name: str, _: pl.DataType) -> pl.Expr:
        value = pl.col(name).cast(pl.Float64)
        return value if name != "b" else pl.col(name).cast(pl.String).str.to_date("%Y").cast(pl.Float64)

    monkeypatch.setattr(measurement, "number", number)
    shop.table("x", 'source: {type: csv, path: "{landing}/*.csv"}\nsilver: {columns: {a: int64, b: int64}}\n')
    shop.land("x.csv", "a,b\n1,2\n3,4\n")
    ran = shop.run("x")
    assert ran.success
    assert shop.rows("silver/x", "a") == [1, 3]
    assert len(series(shop.history, "silver/x", "mean", "a")) == 1
    assert not series(shop.history, "silver/x", "mean", "b")
    said = [event.message for event in ran.result.all_events] + [
        entry.user_message for entry in shop.instance.all_logs(ran.run_id)
    ]
    assert any("wanted to measure column 'b'" in str(line) for line in said)


def test_duckdb_judges_beside_an_interval_and_names_a_column_that_it_cannot_hold() -> None:
    rows = duckdb.connect().sql("select interval '1 day' as c, 1 as a")
    verdict = dq.validate(rows, [{"type": "expect_column_values_to_not_be_null", "column": "a"}], engine="duckdb")
    assert verdict.success
    assert verdict.kept.collect().height == 1
    for dtype in (pl.Duration("ms"), pl.Int128):
        frame = pl.DataFrame({"x": [1]}).cast(dtype)
        with pytest.raises(SourceError, match=r"column 'x' is .* which DuckDB does not take: judge by Polars"):
            dq.validate(frame, [{"type": "expect_column_values_to_not_be_null", "column": "x"}], engine="duckdb")
