"""Declared types that change, and partitions that are made anew one by one: the whole table has the new types at last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import dagster as dg
import polars as pl
import pytest

from dq_pipelines_tests.workshop import Ran, Workshop

pytestmark = pytest.mark.slow

TABLE = """
source: {{type: csv, path: "{{landing}}/*.csv"}}
partitions: {{type: daily, start: 2024-01-01, in_path: "%Y-%m-%d"}}
silver: {{{keys}columns: {{id: int64, {columns}}}}}
"""
MON, TUE = "2024-01-01", "2024-01-02"
#: By column: the type before and after, what lies in the files of the two days, and what is published of that afterwards.
COLUMNS: Mapping[str, tuple[str, str, Sequence[str], pl.DataType, Sequence[Any]]] = {
    "float": ("int64", "float64", ["1", "2"], pl.Float64(), [1.0, 2.0]),
    "whole": ("float64", "int64", ["1", "2"], pl.Int64(), [1, 2]),
    "digits": ("string", "int64", ["1", "2"], pl.Int64(), [1, 2]),
    "day": ("string", "date", [MON, TUE], pl.Date(), [date(2024, 1, 1), date(2024, 1, 2)]),
    "midnight": (
        "datetime", "date", [f"{MON} 00:00:00", f"{TUE} 00:00:00"], pl.Date(), [date(2024, 1, 1), date(2024, 1, 2)]
    ),
    "amount": ("decimal(9,2)", "decimal(5,1)", ["1.50", "2.50"], pl.Decimal(5, 1), [Decimal("1.5"), Decimal("2.5")]),
    "flag": ("string", "boolean", ["true", "false"], pl.Boolean(), [True, False]),
    "text": ("int64", "string", ["1", "2"], pl.String(), ["1", "2"]),
    "wider": ("int32", "int64", ["1", "2"], pl.Int64(), [1, 2]),
}  # fmt: skip


@pytest.fixture(params=["", "keys: [id], "], ids=["append", "merge"])
def keys(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def declare(shop: Workshop, keys: str, **columns: str) -> None:
    said = ", ".join(f'{name}: "{kind}"' for name, kind in columns.items())
    shop.table("t", TABLE.format(keys=keys, columns=said))


def land(shop: Workshop, file: str, number: int, **cells: str) -> None:
    shop.land(f"{file}.csv", f"id,{','.join(cells)}\n{number},{','.join(cells.values())}\n")


def done(ran: Ran) -> dict[str, str]:
    """What the check `schema_drift` says was done with each column."""
    changes = ran.checks["silver/t:schema_drift"].metadata.get("changes")
    records = changes.records if isinstance(changes, dg.TableMetadataValue) else []
    return {str(record.data["column"]): str(record.data["done"]) for record in records}


def test_a_column_has_its_new_type_where_the_other_partitions_fit_it(shop: Workshop, keys: str) -> None:
    declare(shop, keys, **{name: before for name, (before, *_) in COLUMNS.items()})
    for number, day in enumerate((MON, TUE)):
        land(shop, day, number, **{name: cells[number] for name, (_, _, cells, *_) in COLUMNS.items()})
        assert shop.run("t", partition=day).success
    declare(shop, keys, **{name: after for name, (_, after, *_) in COLUMNS.items()})
    ran = shop.run("t", partition=MON, mode="rerun")
    assert done(ran) == dict.fromkeys(COLUMNS, "rebuilt")
    schema = shop.lake.table("silver/t").scan().collect_schema()
    assert {name: schema[name] for name in COLUMNS} == {name: kind for name, (_, _, _, kind, _) in COLUMNS.items()}
    rows = shop.rows("silver/t", "id", *COLUMNS)
    assert rows == [(number, *(values[number] for *_, values in COLUMNS.values())) for number in (0, 1)]
    # What comes next, and the other partition's own rerun, find nothing to say.
    land(shop, f"{TUE}_b", 2, **{name: cells[1] for name, (_, _, cells, *_) in COLUMNS.items()})
    assert done(shop.run("t", partition=TUE)) == {}
    assert done(shop.run("t", partition=TUE, mode="rerun")) == {}
    assert shop.rows("silver/t", "id", *COLUMNS) == [*rows, (2, *rows[1][1:])]
    assert shop.leftovers() == []


def test_it_is_text_until_the_last_partition_is_made_anew(shop: Workshop, keys: str) -> None:
    declare(shop, keys, v="float64")
    for number, (day, value) in enumerate({MON: "1", TUE: "2.5"}.items()):
        land(shop, day, number, v=value)
        assert shop.run("t", partition=day).success
    declare(shop, keys, v="int64")
    ran = shop.run("t", partition=MON, mode="rerun")
    assert done(ran) == {"v": "string, until the other partitions are run with mode: rerun, too"}
    assert shop.rows("silver/t", "v") == ["1", "2.5"]
    land(shop, f"{TUE}_b", 2, v="3")
    [said] = shop.run("t", partition=TUE).failures.values()
    assert (
        "the type under silver.columns, run with mode: rerun over all its partitions, or write schema: evolve" in said
    )
    assert done(shop.run("t", partition=TUE, mode="rerun")) == {"v": "rebuilt"}
    assert shop.rows("silver/t", "v") == [1, 3]
    assert shop.refused("t") == [("cast", "v", "2.5")]


def test_no_type_holds_bytes_and_numbers(shop: Workshop) -> None:
    declare(shop, "", v="binary")
    for number, (day, value) in enumerate({MON: "1", TUE: "x"}.items()):
        land(shop, day, number, v=value)
        assert shop.run("t", partition=day).success
    declare(shop, "", v="int64")
    versions = shop.versions()
    [said] = shop.run("t", partition=MON, mode="rerun").failures.values()
    assert "wanted one type for the column 'v', got int64, and binary in other partitions" in said
    assert shop.versions() == versions
    assert shop.leftovers() == []
