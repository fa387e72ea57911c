"""Pandera's Polars backend on a lazy frame, all failures collected; whole-table rules as checks of our own."""

from __future__ import annotations

import os

# Without it a lazy frame has its schema looked at, and none of its rows.
os.environ["PANDERA_VALIDATION_DEPTH"] = "SCHEMA_AND_DATA"

from collections.abc import Callable
from datetime import date
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from dq_pipelines_tests.benchmarks.suite import BETWEEN, COLUMNS, IN_SET, KEY, LENGTHS, REGEX, ROW_RULES, RULES, Found


def judge(path: str) -> Found:
    rows = pl.scan_parquet(path)
    checks: dict[str, list[pa.Check]] = {name: [] for name in COLUMNS}
    index = len(COLUMNS)

    def rule(name: str, holds: Callable[[pl.Expr], pl.Expr]) -> None:
        nonlocal index
        checks[name].append(pa.Check(_on_values(holds), name=str(index)))
        index += 1

    for name, (low, high) in BETWEEN.items():
        rule(name, _between(_date(low), _date(high)))
    for name, values in IN_SET.items():
        rule(name, _one_of(values))
    rule("l_comment", lambda value: value.str.contains(REGEX))
    rule("l_comment", lambda value: value.str.len_chars().is_between(*LENGTHS))
    column = pl.col
    table = [
        _on_rows(column("l_receiptdate") > column("l_shipdate"), "31"),
        _on_table(column("l_quantity").mean().is_between(24, 27), "33"),
        _on_table(column("l_extendedprice").std().is_between(15_000, 30_000), "34"),
        _on_table(column("l_discount").min() >= 0, "35"),
        _on_table(column("l_tax").max() <= 0.08, "36"),
        _on_table(column("l_quantity").sum() >= 1, "37"),
        _on_table(pl.len() >= 1, "38"),
    ]
    columns = {name: pa.Column(checks=checks[name], nullable=False) for name in COLUMNS}
    schema = pa.DataFrameSchema(columns, checks=table, unique=list(KEY))
    return _found(schema, rows)


def _found(schema: Any, rows: pl.LazyFrame) -> Found:
    counts: dict[tuple[str, str], int] = {}
    try:
        schema.validate(rows, lazy=True).collect(engine="streaming")
    except SchemaErrors as errors:
        told = errors.failure_cases.group_by("column", "check").len()
        counts = {(str(column), str(check)): count for column, check, count in told.iter_rows()}
    by_check = {check: count for (_, check), count in counts.items()}
    nulls: Found = [counts.get((name, "not_nullable"), 0) for name in COLUMNS]
    others: Found = [by_check.get(str(index), 0) for index in range(len(COLUMNS), ROW_RULES - 1)]
    repeated = next((count for check, count in by_check.items() if check.startswith("multiple_fields_uniq")), 0)
    return [*nulls, *others, repeated, *(str(index) not in by_check for index in range(ROW_RULES, len(RULES)))]


def _between(low: Any, high: Any) -> Callable[[pl.Expr], pl.Expr]:
    return lambda value: value.is_between(low, high)


def _one_of(values: tuple[str, ...]) -> Callable[[pl.Expr], pl.Expr]:
    return lambda value: value.is_in(values)


def _on_values(holds: Callable[[pl.Expr], pl.Expr]) -> Callable[[Any], pl.LazyFrame]:
    return lambda data: data.lazyframe.select(holds(pl.col(data.key)).fill_null(True))


def _on_rows(holds: pl.Expr, name: str) -> pa.Check:
    return pa.Check(lambda data: data.lazyframe.select(holds.fill_null(True)), name=name)


def _on_table(holds: pl.Expr, name: str) -> pa.Check:
    return pa.Check(lambda data: data.lazyframe.select(holds), name=name)


def _date(bound: Any) -> Any:
    return date.fromisoformat(bound) if isinstance(bound, str) else bound
