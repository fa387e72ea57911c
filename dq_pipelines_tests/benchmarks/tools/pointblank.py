"""Pointblank on a lazy Polars frame; the least, greatest, sum and count by functions of ours, for which it has no step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pointblank as pb
import polars as pl

from dq_pipelines_tests.benchmarks.suite import BETWEEN, COLUMNS, IN_SET, KEY, LENGTHS, REGEX, ROW_RULES, RULES, Found


def judge(path: str) -> Found:
    rows = pl.scan_parquet(path)
    steps: Any = pb.Validate(data=rows)
    for name in COLUMNS:
        steps = steps.col_vals_not_null(columns=name)
    for name, (low, high) in BETWEEN.items():
        steps = steps.col_vals_between(columns=name, left=_date(low), right=_date(high), na_pass=True)
    for name, values in IN_SET.items():
        steps = steps.col_vals_in_set(columns=name, set=[*values, None])
    steps = steps.col_vals_regex(columns="l_comment", pattern=REGEX, na_pass=True)
    steps = steps.col_vals_expr(expr=pl.col("l_comment").str.len_chars().is_between(*LENGTHS).fill_null(True))
    steps = steps.col_vals_gt(columns="l_receiptdate", value=pb.col("l_shipdate"), na_pass=True)
    steps = steps.rows_distinct(columns_subset=list(KEY))
    steps = steps.col_avg_ge(columns="l_quantity", value=24)
    steps = steps.col_sd_ge(columns="l_extendedprice", value=15_000)
    # It has no step for the least, the greatest and the count within bounds, and fails on a sum of decimals.
    column = pl.col
    for holds in (column("l_discount").min() >= 0, column("l_tax").max() <= 0.08, column("l_quantity").sum() >= 1):
        steps = steps.specially(_on_table(holds))
    steps = steps.specially(_on_table(pl.len() >= 1))
    judged = steps.interrogate(collect_extracts=False, collect_tbl_checked=False)
    failed = judged.n_failed()
    counts: Found = [failed.get(index + 1) for index in range(ROW_RULES)]
    return [*counts, *(failed.get(index + 1) == 0 for index in range(ROW_RULES, len(RULES)))]


def _on_table(holds: pl.Expr) -> Callable[[Any], bool]:
    return lambda data: bool(data.lazy().select(holds).collect(engine="streaming").item())


def _date(bound: Any) -> Any:
    return date.fromisoformat(bound) if isinstance(bound, str) else bound
