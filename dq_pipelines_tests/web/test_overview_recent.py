"""The overview says what changed within the last day, of the tables that its reader may view."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from dq_pipelines.history.store.records import ResultRecord, VerdictRecord
from dq_pipelines.rules.core.clock import now
from dq_pipelines.security.keys import Keys
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines_tests.web.conftest import client_of, site_of
from dq_pipelines_tests.web.hosting import PASSWORD
from dq_pipelines_tests.web.html import Page
from dq_pipelines_tests.workshop import Workshop

TABLE = """
source: {type: csv, path: "{landing}/none/*.csv"}
silver: {columns: {x: int64}, rules: [{type: expect_column_values_to_not_be_null, column: x}]}
"""


def judge(shop: Workshop, table: str, hours: float, *, success: bool) -> None:
    """Record a verdict of so many hours ago, of one rule."""
    at = now() - timedelta(hours=hours)
    result = ResultRecord(
        f"check_{table}", "expect_column_values_to_not_be_null", "x", "critical", success, False, 9, 0, 1
    )
    batch = f"b-{hours}"
    shop.stores.history.record(
        VerdictRecord(f"silver/{table}", batch, batch, at, 1.0, 100, 93, 7, 0, False, results=(result,))
    )


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tmp_path_factory.mktemp("recent"))
    for name, domain in (("worse", "retail"), ("better", "retail"), ("same", "retail"), ("fresh", "air")):
        made.table(name, TABLE, domain)
    for name, before, after in (("worse", True, False), ("better", False, True), ("same", True, True)):
        judge(made, name, 40, success=before)
        judge(made, name, 2, success=after)
    judge(made, "fresh", 1, success=False)
    return made


@pytest.fixture
def client(shop: Workshop) -> Iterator[TestClient]:
    with client_of(site_of(shop)) as made:
        yield made


def recent(client: TestClient, **headers: str) -> str:
    text = client.get("/dashboard/", headers=headers).text
    found = re.search(r'<section class="card" id="recent".*?</section>', text, re.DOTALL)
    return Page.of(found[0]).text if found else ""


def test_what_began_to_fail_and_what_passed_again(client: TestClient) -> None:
    said = recent(client)
    assert "4 batches published; 400 rows judged, 28 of them refused; 1 table judged for the first time." in said
    began, _, recovered = said.partition("Passed again 1")
    assert "Began to fail 1" in began
    assert "silver/worse" in began
    assert "silver/better" in recovered
    assert "silver/same" not in said
    assert "silver/fresh" not in said


def test_a_new_verdict_changes_it_at_once(client: TestClient, shop: Workshop) -> None:
    assert "silver/same" not in recent(client)
    judge(shop, "same", 0.1, success=False)
    assert "Began to fail 2" in recent(client)


def test_a_reader_of_one_domain_learns_of_no_other(client: TestClient, shop: Workshop) -> None:
    users = Users(shop.state.url)
    users.add("amy", PASSWORD, [Grant(Role.VIEWER, "domain:air")])
    said = recent(client, **{"x-api-key": Keys(users).add("amy")})
    assert "1 batch published; 100 rows judged, 7 of them refused; 1 table judged for the first time." in said
    assert "silver/" not in said


def test_a_quiet_day_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = Workshop(tmp_path_factory.mktemp("quiet"))
    made.table("old", TABLE)
    judge(made, "old", 40, success=True)
    with client_of(site_of(made)) as client:
        assert "Nothing has run within the last 24 hours." in recent(client)
