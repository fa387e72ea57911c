"""Runs of a partitioned table: its newest partitions are offered, and a range of two is started in a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines_tests.chromium import DESKTOP, apart
from dq_pipelines_tests.web.hosting import Hosted, hosting
from dq_pipelines_tests.web.test_run_page import opened
from dq_pipelines_tests.workshop import Workshop

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

DAYS = """
source: {type: csv, path: "{landing}/days/*.csv"}
partitions: {type: daily, start: 2024-01-01}
silver: {columns: {id: int64}, rules: [{type: expect_column_values_to_be_between, column: id, max_value: 5}]}
"""
FLAT = """
source: {type: csv, path: "{landing}/flat/*.csv"}
silver: {columns: {id: int64}}
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    shop = Workshop(tmp_path_factory.mktemp("partitions"))
    shop.table("days", DAYS)
    shop.table("flat", FLAT, "other")
    shop.land("days/2024-01-01.csv", "id\n1\n9\n")
    shop.land("days/2024-01-02.csv", "id\n2\n")
    users = {"otto": [Grant(Role.OPERATOR)], "flo": [Grant(Role.OPERATOR, "domain:other")]}
    with hosting(shop, users) as made:
        yield made


def offered(here: Hosted, user: str, key: str) -> list[str]:
    found: list[str] = json.loads(here.browser(user).get(f"/dashboard/partitions/{key}").text)["partitions"]
    return found


def test_the_newest_partitions_come_first_and_are_bounded(here: Hosted) -> None:
    found = offered(here, "otto", "silver/days")
    assert len(found) == 200
    assert found == sorted(found, reverse=True)
    assert offered(here, "otto", "silver/flat") == []
    assert offered(here, "otto", "silver/none") == []
    assert offered(here, "flo", "silver/days") == [], "a table of another domain"


def test_the_catalog_says_why_a_partitioned_table_cannot_be_ticked(here: Hosted) -> None:
    text = here.browser("otto").get("/dashboard/catalog").text
    assert 'aria-label="Tick silver/flat"' in text
    assert 'aria-label="Tick silver/days"' not in text
    assert "by partition" in text


def test_a_range_is_started_and_its_partitions_are_summed(here: Hosted, browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    page, complaints = opened(context, address, "otto", "/dashboard/runs")
    page.locator("select[name=table]").select_option("silver/flat")
    expect(page.get_by_label("Partition")).to_be_hidden()
    page.locator("select[name=table]").select_option("silver/days")
    expect(page.locator("#partitions option")).to_have_count(200)
    page.get_by_label("Partition").fill("2024-01-01")
    page.get_by_label("to, of several").fill("2024-01-02")
    page.get_by_role("button", name="Load new rows").click()
    page.wait_for_url("**/dashboard/runs/*-*")
    expect(page.locator("#status")).to_have_text("succeeded", timeout=60_000)
    run = page.url.rpartition("/")[2]
    assert apart(lambda: here.ended(run)).tags["dagster/asset_partition_range_end"] == "2024-01-02"
    line = page.locator('[data-check="id__between"]')
    expect(line.locator(".badge.warning")).to_be_visible()
    expect(line.locator(".found")).to_have_text("1 of 3 rows")
    expect(page.locator(".not-met")).to_contain_text("1 of ")
    assert complaints == []
    context.close()
