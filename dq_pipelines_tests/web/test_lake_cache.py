"""The dashboard reads a table of the lake again only when it has changed, however much happens to the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from dq_pipelines.lake.tables import Lake
from dq_pipelines.web.dashboard import Site, lake_reader
from dq_pipelines.web.dashboard.lake_counts import count_table
from dq_pipelines_tests.web.conftest import bad_day, build, site_of
from dq_pipelines_tests.workshop import Workshop

TABLES = ["silver/sales", "silver/shops", "gold/by_shop"]


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return build(tmp_path)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables that were read, in order."""
    tables: list[str] = []
    real = count_table

    def noted(lake: Lake, table: str) -> object:
        tables.append(table)
        return real(lake, table)

    monkeypatch.setattr(lake_reader, "count_table", noted)
    return tables


def looked(at: Site, read: list[str]) -> tuple[set[str], dict[str, int]]:
    """The tables that a look at the lake reads, and the rows that it finds."""
    read.clear()
    rows = dict(at.lake_now(TABLES).rows)
    return set(read), rows


def test_only_tables_that_changed_are_read_again(
    shop: Workshop, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = site_of(shop)
    assert looked(at, read)[0] == set(TABLES)
    monkeypatch.setattr(lake_reader, "LOOK_AGAIN", -1.0)
    assert looked(at, read)[0] == set()
    bad_day(shop)  # a run of sales alone
    again, rows = looked(at, read)
    assert again == {"silver/sales"}
    assert rows == {
        "bronze/sales": 7, "silver/sales": 5, "quarantine/sales": 2,
        "bronze/shops": 2, "silver/shops": 2, "quarantine/shops": 0, "gold/by_shop": 2, "quarantine/by_shop": 0,
    }  # fmt: skip


def test_a_table_that_cannot_be_read_is_tried_again(
    shop: Workshop, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    at, log = site_of(shop), Path(shop.lake.table("silver/shops").uri) / "_delta_log" / f"{0:020}.json"
    content = log.read_text()
    log.write_text("{")
    assert "silver/shops" in at.lake_now(TABLES).notes[0]
    log.write_text(content)  # in place: the folder of the log does not change
    monkeypatch.setattr(lake_reader, "LOOK_AGAIN", -1.0)
    again, rows = looked(at, read)
    assert again == {"silver/shops"}
    assert rows["silver/shops"] == 2
