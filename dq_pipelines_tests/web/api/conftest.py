"""A hosted project for the tests of jobs: tables of two domains, one partitioned, one gold; and clients of each role."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines_tests.web.conftest import build
from dq_pipelines_tests.web.hosting import Hosted, hosting

USERS = {
    "vera": [Grant(Role.VIEWER)],
    "otto": [Grant(Role.OPERATOR)],
    "olga": [Grant(Role.OPERATOR, "domain:yard")],
    "adam": [Grant(Role.ADMIN)],
    "tess": [Grant(Role.ADMIN, "team:yard")],
    "yves": [Grant(Role.ADMIN, "domain:yard"), Grant(Role.VIEWER, "domain:shop")],
}
YARD = """
description: What came in
owners: [team:yard]
schedule: "0 4 * * *"
source: {type: csv, path: "{landing}/yard/*.csv"}
partitions: {type: dynamic}
silver: {columns: {id: int64}, keys: [id]}
"""
COUNTED = """
on_arrival: true
source: {type: csv, path: "{landing}/counted/*.csv"}
partitions: {type: daily, start: 2026-11-01}
silver: {columns: {id: int64}}
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    shop = build(tmp_path_factory.mktemp("jobs"))
    shop.table("deliveries", YARD, "yard")
    shop.table("counted", COUNTED, "yard")
    shop.land("yard/monday.csv", "id\n1\n2\n")
    with hosting(shop, USERS) as made:
        yield made
