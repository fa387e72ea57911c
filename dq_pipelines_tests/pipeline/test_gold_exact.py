"""Gold is exact or refused: types, names and zones of what SQL gives. Functions have a file of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from dq_pipelines.engine.gold.sql import query_to_parquet
from dq_pipelines.errors import RuleError
from dq_pipelines_tests.pipeline.gold_matrix import HELD, REFUSED, ZONED, expressions
from dq_pipelines_tests.pipeline.test_gold_functions import nothing
from dq_pipelines_tests.workshop import Workshop


def oracle() -> dict[str, str | None]:
    """What DuckDB itself says of each expression, as text; JSON is text before it stands in a list."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    told = dict(ZONED)
    for _, sql in expressions(HELD):
        found = connection.execute(f"SELECT cast({sql.replace(' as json)', ' as varchar)')} AS VARCHAR)").fetchone()
        assert found is not None
        told[sql] = found[0]
    return told  # type: ignore[return-value]


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Apia"])
def test_each_type_by_itself_and_within_others_on_machines_of_any_zone(tmp_path: Path, zone: str) -> None:
    program = [sys.executable, "-W", "ignore", "-m", "dq_pipelines_tests.pipeline.gold_matrix", str(tmp_path)]
    environment = {**os.environ, "TZ": zone}
    ended = subprocess.run(program, env=environment, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-3000:]
    found, wanted = json.loads(ended.stdout), oracle()
    assert found.keys() == wanted.keys()
    assert {sql: text for sql, text in found.items() if text != wanted[sql]} == {}


@pytest.mark.slow
def test_each_value_that_delta_cannot_hold_is_refused_in_a_sentence(tmp_path: Path) -> None:
    taken = {}
    for what, sql in expressions(REFUSED):
        said = refusal_of_query(f'select 1 as id, {sql} as "the value"', tmp_path)
        if not (said.startswith("gold sql: ") and "column 'the value" in said and ": w" in said and "write " in said):
            taken[what] = said
        assert "\n" not in said
    assert taken == {}


def refusal_of_query(sql: str, folder: Path) -> str:
    try:
        query_to_parquet(sql, {}, folder / "rows.parquet")
    except RuleError as error:
        return str(error)
    return "was taken"


def test_a_remedy_in_a_refusal_is_one(tmp_path: Path) -> None:
    for sql, remedy, value in [
        ("99999999999999999999::hugeint", 'cast("x" as DECIMAL(38,0))', Decimal(99999999999999999999)),
        ("['infinity'::date]", 'cast("x" as VARCHAR[])', ["infinity"]),
        (
            "{'a b': 99999999999999999999::hugeint}",
            'cast("x" as STRUCT("a b" DECIMAL(38,0)))',
            {"a b": Decimal(99999999999999999999)},
        ),
        ("'2024-01-01 00:00:00.123456789'::timestamp_ns", 'cast("x" as VARCHAR)', "2024-01-01 00:00:00.123456789"),
    ]:
        said = refusal_of_query(f"select {sql} as x", tmp_path)
        beyond = "; a number of 39 digits needs VARCHAR instead, or DOUBLE, which keeps about 15 of them"
        assert said.removesuffix(beyond).endswith(f": write {remedy}"), said
        assert said.endswith(beyond) == ("hugeint" in sql)
        target = tmp_path / "mended.parquet"
        query_to_parquet(f"select {remedy} as x from (select {sql} as x)", {}, target)  # noqa: S608
        assert pl.read_parquet(target)["x"].to_list() == [value]


@pytest.mark.parametrize("number", [2**127 - 1, -(2**127), 2**128 - 1])
def test_a_number_of_39_digits_is_held_by_what_its_refusal_says(tmp_path: Path, number: int) -> None:
    kind = "uhugeint" if number >= 2**127 else "hugeint"
    sql, target = f"select '{number}'::{kind} as x", tmp_path / "mended.parquet"
    said = refusal_of_query(sql, tmp_path)
    for remedy, value in (("VARCHAR", str(number)), ("DOUBLE", float(number))):
        assert remedy in said
        query_to_parquet(f"select cast(x as {remedy}) as x from ({sql})", {}, target)  # noqa: S608
        assert pl.read_parquet(target)["x"].to_list() == [value]


#: Queries, and the rows that they give or what is said of them.
QUERIES: list[tuple[str, list[tuple[Any, ...]] | str]] = [
    ("select a.id, b.id from (select 1 as id) a, (select 2 as id) b", "got 'id' twice"),
    ("select 1 as x, 2 as X", "got 'x' and 'X', which Delta does not tell apart"),
    ("select 1 as \"ä\", 2 as \"a\u0308\"", "which Delta does not tell apart"),
    ("select * from (select 1 as id, 2 as id, 3 as ID)", [(1, 2, 3)]),
    ("select 1 as _batch", "'_batch', a name that the lake keeps for itself"),
    ("select 1 as _Row", "'_Row', a name that the lake keeps for itself"),
    ("select 1 as \"a\nb\"", "without control characters, got 'a\\nb'"),
    ("select 1 as \" \"", "got none for column 1"),
    ("select 'a' as \"it's \"\"so\"\"\"", [("a",)]),
    ("select 1 as a -- done", [(1,)]),
    ("-- begins\nselect 1 as a; -- done", [(1,)]),
    ("select ';' as a /* ; */ ; /* done */ ;", [(";",)]),
    ("select 1 as a; select 2 as b", "wanted one SELECT, got 2 statements"),
    ("-- nothing", "wanted one SELECT, got 0 statements"),
    ("from (select 1 as a)", [(1,)]),
    ("with t as (select unnest([3, 1, 2]) as a) select a from t order by a desc", [(3,), (2,), (1,)]),
    ("select * from (pivot (select 'k' as a, 2 as b) on a using sum(b))", [(2,)]),
    ("select 1 as a where false", []),
    ("select * exclude (a) from (select 1 as a)", "SELECT list is empty"),
    ("select map {[1]: 2} as m", "write map_entries(\"m\"), since its keys are nested"),
]  # fmt: skip


def test_names_comments_and_forms_of_queries(tmp_path: Path) -> None:
    for sql, wanted in QUERIES:
        if isinstance(wanted, str):
            assert wanted in refusal_of_query(sql, tmp_path), sql
            continue
        query_to_parquet(sql, {}, tmp_path / "rows.parquet")
        assert pl.read_parquet(tmp_path / "rows.parquet").rows() == wanted, sql


def test_refusals_end_a_run_in_a_sentence_and_publish_nothing(shop: Workshop) -> None:
    shop.table("orders", 'source: {type: csv, path: "{landing}/*.csv"}\nsilver: {columns: {id: int64, on: date}}\n')
    shop.land("a.csv", "id,on\n1,2024-01-01\n2,2024-01-02\n")
    shop.table("twice", "gold: {sql: 'select a.id, b.id from silver.orders a join silver.orders b on a.id < b.id'}\n")
    shop.table("none", f"gold: {{python: '{nothing.__module__}:nothing', inputs: [silver/orders]}}\n")
    shop.table(
        "good", 'gold:\n  sql: |\n    select id, "on", uuid() as u, [id::hugeint] as l from silver.orders; -- done\n'
    )
    with shop.instance:
        ran = shop.run()
    assert ran.failures["twice"] == "gold sql: wanted one column for each name, got 'id' twice: give one another name"
    assert ran.failures["none"].startswith(f"gold/none: {nothing.__module__}:nothing: wanted a Polars")
    assert shop.rows("gold/good", "id", "on", "l") == [(1, date(2024, 1, 1), [1]), (2, date(2024, 1, 2), [2])]
    [origin] = ran.materialized["gold/good"]["dagster/column_lineage"].deps_by_column["id"]
    assert (origin.asset_key.to_user_string(), origin.column_name) == ("silver/orders", "id")
    assert {"gold/twice", "gold/none"}.isdisjoint(shop.versions())
