"""The search finds what a reader may view, by any of its words, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from dq_pipelines.security.keys import Keys
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines.web.dashboard.search import LISTED
from dq_pipelines_tests.web.conftest import client_of, site_of
from dq_pipelines_tests.web.hosting import PASSWORD
from dq_pipelines_tests.web.html import Page
from dq_pipelines_tests.workshop import Workshop

TABLE = """
description: {about}
owners: [team:{owner}]
tags: {{cost-centre: "{name}-4711"}}
source: {{type: csv, path: "{{landing}}/{name}/*.csv"}}
silver:
  columns:
    id: int64
    {column}: {{type: "decimal(12,2)", description: "what the till {name} rang up"}}
  rules:
    - {{type: expect_column_values_to_be_between, column: {column}, min_value: 0}}
"""
#: name: domain, owner, column, description
TABLES = {
    "sales": ("retail", "tills", "amount", "Lines of <receipts>"),
    "sales_tax": ("retail", "books", "rate", "Rates by county"),
    "flights": ("air", "pilots", "delay", "Delays & cancellations"),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tmp_path_factory.mktemp("search"))
    for name, (domain, owner, column, about) in TABLES.items():
        made.table(name, TABLE.format(name=name, owner=owner, column=column, about=about), domain)
    return made


@pytest.fixture
def client(shop: Workshop) -> Iterator[TestClient]:
    with client_of(site_of(shop)) as made:
        yield made


def found(client: TestClient, text: str, **headers: str) -> set[str]:
    """The links to tables and rules among the results."""
    answer = client.get("/dashboard/search", params={"q": text}, headers=headers, follow_redirects=False)
    if answer.status_code == 303:
        return {answer.headers["location"].removeprefix("/dashboard/tables/silver/")}
    assert answer.status_code == 200
    start = "/dashboard/tables/silver/"
    return {link.removeprefix(start) for link in Page.of(answer.text).links if link.startswith(start)}


AMOUNT = "sales/rules/amount__between"
RATE = "sales_tax/rules/rate__between"
DELAY = "flights/rules/delay__between"


@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("flights", {"flights"}),
        ("FLIGHTS", {"flights"}),
        ("silver/flights", {"flights"}),
        ("sales", {"sales", "sales_tax"}),
        ("county", {"sales_tax"}),
        ("pilots", {"flights"}),
        ("4711", {"sales", "sales_tax", "flights"}),
        ("air cancel", {"flights"}),
        ("amount", {"sales", AMOUNT}),
        ("between amount", {"sales", AMOUNT}),
        ("between", {"sales", AMOUNT, "sales_tax", RATE, "flights", DELAY}),
        ("<receipts>", {"sales"}),
        ("&", {"flights"}),
        ("nothing like it", set()),
        ("", set()),
        ("   ", set()),
        ("x" * 5000, set()),
        ("%", set()),
    ],
)
def test_words_lead_to_tables_columns_and_rules(client: TestClient, text: str, results: set[str]) -> None:
    assert found(client, text) == results


def test_the_name_itself_comes_first(client: TestClient) -> None:
    links = Page.of(client.get("/dashboard/search", params={"q": "sales"}).text).links
    tables = [link for link in links if link.startswith("/dashboard/tables/silver/sales")]
    assert tables[0] == "/dashboard/tables/silver/sales"


def test_a_single_tables_name_leads_to_its_page(client: TestClient) -> None:
    answer = client.get("/dashboard/search", params={"q": "flights"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/tables/silver/flights")


def test_the_text_is_shown_as_text(client: TestClient) -> None:
    hostile = '"><script>alert(1)</script>'
    answer = client.get("/dashboard/search", params={"q": hostile})
    assert hostile in Page.of(answer.text).text
    assert not Page.of(answer.text).runs_scripts_of_its_own


def test_many_results_are_counted_and_the_first_are_shown(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = Workshop(tmp_path_factory.mktemp("many"))
    for number in range(LISTED + 7):
        made.table(f"t{number}", TABLE.format(name=f"t{number}", owner="o", column="amount", about="shop"), "retail")
    with client_of(site_of(made)) as client:
        said = Page.of(client.get("/dashboard/search", params={"q": "shop"}).text).text
    assert f"Tables {LISTED + 7}" in said
    assert "And 7 more tables" in said


def test_a_scoped_reader_finds_only_the_own_tables(shop: Workshop) -> None:
    users = Users(shop.state.url)
    users.add("rita", PASSWORD, [Grant(Role.VIEWER, "domain:retail")])
    users.add("ann", PASSWORD, [Grant(Role.VIEWER)])
    rita, ann = ({"x-api-key": Keys(users).add(name)} for name in ("rita", "ann"))
    with client_of(site_of(shop)) as client:
        assert found(client, "flights", **ann) == {"flights"}
        assert found(client, "flights", **rita) == set()
        assert found(client, "delay", **rita) == set()
        assert found(client, "sales", **rita) == {"sales", "sales_tax"}
        text = client.get("/dashboard/search", params={"q": "flights"}, headers=rita).text
        assert "pilots" not in text
        assert "Delays" not in text
