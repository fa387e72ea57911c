"""A table that never had a moment without a zone takes one: Delta asks for that to be in the table's protocol."""

from __future__ import annotations

import io
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

_DAY, _THREE = date(2024, 1, 2), datetime(2024, 1, 2, 3)  # noqa: DTZ001
_MIDNIGHT = datetime(2024, 1, 2)  # noqa: DTZ001


def land(shop: Workshop, name: str, **columns: Any) -> None:
    stream = io.BytesIO()
    parquet.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), stream)
    shop.land(f"{name}.parquet", stream.getvalue())


def table(shop: Workshop, rest: str) -> None:
    shop.table("t", f"source: {{type: parquet, path: '{{landing}}/*.parquet'}}\n{rest}\n")


@pytest.mark.parametrize("rest", ["", "silver: {keys: [id]}"], ids=["append", "merge"])
@pytest.mark.parametrize(
    ("first", "then", "published"),
    [
        ({}, {"at": [_THREE]}, [(1, None), (2, _THREE)]),
        ({"at": [_DAY]}, {"at": [_THREE]}, [(1, _MIDNIGHT), (2, _THREE)]),
        ({}, {"at": [[{"is": _THREE}]]}, [(1, None), (2, [{"is": _THREE}])]),
    ],
    ids=["new column", "dates become moments", "within a list"],
)
def test_a_later_batch_may_bring_the_first_moments(
    shop: Workshop, rest: str, first: dict[str, Any], then: dict[str, Any], published: list[Any]
) -> None:
    table(shop, f"schema: evolve\n{rest}")
    land(shop, "one", id=[1], **first)
    assert shop.run("t").success
    land(shop, "two", id=[2], **then)
    assert shop.run("t").success
    assert shop.rows("silver/t", "id", "at") == published
    assert shop.run("t", mode="rerun").success
    assert shop.rows("silver/t", "id", "at") == published


def test_a_rerun_may_make_moments_of_published_dates(shop: Workshop) -> None:
    table(shop, "silver: {columns: {id: int64, at: date}}")
    land(shop, "one", id=[1], at=[_DAY])
    assert shop.run("t").success
    table(shop, "silver: {columns: {id: int64, at: datetime}}")
    assert shop.run("t", mode="rerun").success
    land(shop, "two", id=[2], at=[_THREE])
    assert shop.run("t").success
    assert shop.rows("silver/t", "id", "at") == [(1, _MIDNIGHT), (2, _THREE)]
