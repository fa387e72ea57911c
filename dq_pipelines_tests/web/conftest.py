"""A small site with history and lake of real runs, and clients for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from dq_pipelines.web.app import application
from dq_pipelines.web.dashboard import Site, dashboard
from dq_pipelines_tests.workshop import Workshop

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from dq_pipelines_tests.web.hosting import Hosted

SALES = """
description: What was sold
source: {type: csv, path: "{landing}/sales/*.csv"}
silver:
  columns: {id: int64, amount: double, shop: string, note: string}
  rules:
    - {type: expect_column_values_to_be_between, column: amount, min_value: 0}
    - {type: expect_column_values_to_be_in_set, column: shop, value_set: [north, south], severity: warning}
    - {type: expect_column_mean_to_be_between, column: amount, min_value: 0, max_value: 1000, severity: warning}
"""
SHOPS = """
source: {type: csv, path: "{landing}/shops/*.csv"}
silver: {columns: {shop: string}, rules: [{type: expect_column_values_to_be_unique, column: shop}]}
"""
GOLD = """
gold:
  sql: select shop, sum(amount) as amount from silver.sales group by shop
  rules: [{type: expect_column_values_to_not_be_null, column: amount}]
"""

#: What a page must show as text and never take for its own.
XSS = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def build(root: Path) -> Workshop:
    """Two landed tables and a gold one; the first run is good."""
    shop = Workshop(root)
    shop.table("sales", SALES)
    shop.table("shops", SHOPS)
    shop.table("by_shop", GOLD)
    shop.land("sales/a.csv", "id,amount,shop,note\n1,10,north,a\n2,20,south,b\n3,30,north,c\n")
    shop.land("shops/a.csv", "shop\nnorth\nsouth\n")
    with shop.instance:
        shop.run()
    return Workshop(root)


def bad_day(shop: Workshop, name: str = "b") -> None:
    """A file with two amounts below zero and a shop that nobody knows."""
    quoted = XSS.replace('"', '""')
    shop.land(f"sales/{name}.csv", f'id,amount,shop,note\n4,-1,north,"{quoted}"\n5,-2,north,\n6,5,west,\n7,6,south,\n')
    with shop.instance:
        assert shop.run("sales").success


def site_of(shop: Workshop, dagster_url: str = "") -> Site:
    return Site(shop.stores, str(shop.root / "assets_config"), dagster_url, shop.state)


def client_of(site: Site) -> TestClient:
    return TestClient(application(site), base_url="http://localhost:3001")


def mounted(site: Site) -> TestClient:
    """The dashboard in an app of somebody else's, which asks nobody who they are."""
    app = Starlette(routes=[Mount("/dashboard", app=dashboard(site))])
    return TestClient(app, base_url="http://localhost:3001")


@pytest.fixture
def empty(tmp_path: Path) -> Workshop:
    """A project of no tables, which nobody may use yet."""
    return Workshop(tmp_path)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return build(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A good day and a bad one."""
    made = build(tmp_path_factory.mktemp("bad"))
    bad_day(made)
    return Workshop(made.root)


@pytest.fixture(scope="module")
def client(shop: Workshop) -> Iterator[TestClient]:
    with client_of(site_of(shop)) as made:
        yield made


@pytest.fixture(scope="module")
def address(here: Hosted) -> Iterator[str]:
    """The address of a real server over the module's project; modules with another server have their own."""
    from dq_pipelines_tests.web.hosting import listening  # which leans on this module

    with listening(here) as found:
        yield found


@pytest.fixture(scope="module")
def browser(here: Hosted) -> Iterator[Browser]:
    """A browser beside Dagster, which was asked for before Playwright took this thread's event loop."""
    from dq_pipelines_tests.chromium import chromium

    assert here.shop.root.is_dir()
    with chromium() as made:
        yield made
