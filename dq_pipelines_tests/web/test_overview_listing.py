"""The overview of many tables: pages, search, filters and order lose no table, and its head counts them all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from dq_pipelines.history.store.records import ResultRecord, VerdictRecord
from dq_pipelines.history.store.status import STATUSES
from dq_pipelines.lake.tables import Lake
from dq_pipelines.web.dashboard import lake_reader
from dq_pipelines.web.dashboard.lake_counts import count_table
from dq_pipelines.web.dashboard.listing import PAGE, SORTS, Listing
from dq_pipelines_tests.web.conftest import bad_day, build, client_of, site_of
from dq_pipelines_tests.web.html import Page
from dq_pipelines_tests.workshop import Workshop

COUNT, NEVER = 130, 3
TABLE = """
description: {about}
owners: [team:{owner}]
tags: {{{tag}}}
source: {{type: csv, path: "{{landing}}/none/*.csv"}}
silver: {{columns: {{x: int64}}, rules: [{{type: expect_column_values_to_not_be_null, column: x}}]}}
"""


def domain_of(number: int) -> str:
    return f"d{number % 3}"


def owner_of(number: int) -> str:
    return ("tills", "desk")[number % 2]


def failing(number: int) -> str | None:
    """The severity of the rule that fails, as a table's number says."""
    return "critical" if number % 10 == 0 else "warning" if number % 10 == 1 else None


def result(name: str, severity: str, *, success: bool) -> ResultRecord:
    return ResultRecord(
        name,
        name,
        "x",
        severity,
        success,
        False,
        10,
        0,
        0 if success else 1,
        score=1.0 if success else 0.9,
        action="warn",
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tmp_path_factory.mktemp("many"))
    for number in range(COUNT):
        tag = ("pii: 'yes'", "gdpr: ''", "")[number % 3]
        about = "Daily <takings>" if number == 17 else f"Table {number}"
        made.table(f"t{number:03}", TABLE.format(about=about, owner=owner_of(number), tag=tag), domain_of(number))
        if number < COUNT - NEVER:
            severity = failing(number)
            results = (
                result("first", "info", success=True),
                result("second", severity or "info", success=severity is None),
            )
            at = datetime.now(UTC) - timedelta(minutes=(number * 7) % COUNT)
            made.history.record(
                VerdictRecord(
                    f"silver/t{number:03}", "b-1", f"r-{number}", at, 1, 100 + number, 90, 0, 0, False, results=results
                )
            )
    return Workshop(made.root)


@pytest.fixture(scope="module")
def client(shop: Workshop) -> Iterator[TestClient]:
    with client_of(site_of(shop)) as made:
        yield made


def page(client: TestClient, **asked: object) -> str:
    answer = client.get(f"/dashboard/?{urlencode(asked)}")
    assert answer.status_code == 200, answer.text
    return answer.text


def listed(client: TestClient, **asked: object) -> list[str]:
    """The tables in the rows of all pages, in their order, as `Next` leads from one to the next."""
    names: list[str] = []
    text = page(client, **asked)
    while True:
        section = text.partition('id="tables"')[2].partition("</section>")[0]
        rows = section.partition("<tbody>")[2].partition("</tbody>")[0]
        names += re.findall(r"<tr><td>.*?</td><td>(?:<a [^>]*>)?(silver/t\d+)", rows)
        following = re.search(r'<a href="([^"]*)" rel="next">', section)
        if following is None:
            return names
        assert len(names) % PAGE == 0
        text = client.get(following[1].replace("&amp;", "&")).text


def numbers(names: list[str]) -> list[int]:
    return [int(name[-3:]) for name in names]


RUN = range(COUNT - NEVER)


def test_pages_have_every_table_once_and_the_worst_first(client: TestClient) -> None:
    names = numbers(listed(client))
    assert sorted(names) == list(RUN)
    ranks = [0 if failing(one) == "critical" else 1 if failing(one) else 2 for one in names]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(
    "asked", [{}, {"page": 2}, {"domain": "d1"}, {"status": "failing", "search": "zz"}, {"page": 99}]
)
def test_the_head_counts_all_tables_whatever_is_listed(client: TestClient, asked: dict[str, object]) -> None:
    text = Page.of(page(client, **asked)).text
    assert "26 of 127 tables need attention 13 failing , 13 warning , 3 never run , 101 healthy ." in text
    assert "Rules not met 26 of 254" in text
    assert f"Rows judged, 30 days {sum(100 + number for number in RUN):,}" in text


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"domain": "d1"}, [one for one in RUN if one % 3 == 1]),
        ({"owner": "team:desk"}, [one for one in RUN if one % 2]),
        ({"tag": "pii=yes"}, [one for one in RUN if one % 3 == 0]),
        ({"tag": "gdpr"}, [one for one in RUN if one % 3 == 1]),
        ({"status": "warning"}, [one for one in RUN if one % 10 == 1]),
        ({"status": "never_run"}, list(range(COUNT - NEVER, COUNT))),
        ({"search": "T01"}, list(range(10, 20))),
        ({"search": "<TAKINGS>"}, [17]),
        ({"search": "team:tills", "domain": "d2", "status": "failing"}, [one for one in RUN if one % 30 == 20]),
        ({"domain": "none"}, []),
    ],
)  # fmt: skip
def test_filters(client: TestClient, asked: dict[str, object], wanted: list[int]) -> None:
    assert sorted(numbers(listed(client, **asked))) == wanted
    if not wanted:
        assert "No table is as searched for." in page(client, **asked)


def test_failing_rules_and_charts_are_of_what_is_listed(client: TestClient) -> None:
    def rules(**asked: object) -> set[int]:
        section = page(client, **asked).partition('id="failing"')[2].partition("</section>")[0]
        return {int(one) for one in re.findall(r"/tables/silver/t(\d+)/rules/", section)}

    assert rules() == {one for one in RUN if failing(one)}
    assert rules(domain="d0", status="failing") == {one for one in RUN if one % 30 == 0}
    assert rules(status="healthy") == set()


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("table", lambda one: one),
        ("latest", lambda one: ((one * 7) % COUNT, one)),
        ("rows", lambda one: -one),
        ("failed", lambda one: (failing(one) is None, one)),
        ("score", lambda one: (failing(one) is None, one)),
    ],
)  # fmt: skip
def test_orders(client: TestClient, sort: str, key: object) -> None:
    assert numbers(listed(client, sort=sort)) == sorted(RUN, key=key)  # type: ignore[call-overload]


def test_tables_that_never_ran_are_named(client: TestClient) -> None:
    assert "Never run: silver/t127, silver/t128, silver/t129" in Page.of(page(client)).text
    assert "Never run: silver/t128" in Page.of(page(client, search="t128")).text
    assert "Never run" not in Page.of(page(client, status="failing")).text


@pytest.mark.parametrize(
    "asked", [{"page": "-1"}, {"page": "9" * 50}, {"sort": "x"}, {"status": "<b>"}, {"search": "<script>"}]
)
def test_nonsense_in_the_address_is_ignored_and_escaped(client: TestClient, asked: dict[str, object]) -> None:
    text = page(client, **asked)
    assert Page.of(text).runs_scripts_of_its_own == []
    assert "<script>" not in text.partition("<main")[2].replace('<script type="application/json"', "")


@given(
    st.builds(
        Listing,
        st.text(max_size=5).map(str.strip),
        st.text(max_size=3),
        st.text(max_size=3),
        st.text(max_size=3),
        st.sampled_from([None, *STATUSES]),
        st.sampled_from(list(SORTS)),
        st.integers(1, 999_999),
    )
)
def test_a_listing_is_what_its_address_says(listing: Listing) -> None:
    assert Listing.of(listing.parameters) == listing


def test_a_page_says_what_is_still_to_be_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = build(tmp_path)
    bad_day(made)
    site = site_of(made)
    monkeypatch.setattr(lake_reader, "_WAITED_FOR", 0)
    with client_of(site) as client:
        first = page(client)
        assert "still being counted for 3 tables" in Page.of(first).text
        # The tables of the page itself are counted: nobody opens a list of zeros.
        rows = first.partition('id="tables"')[2]
        assert "warning" in rows.partition("silver/sales")[0].rpartition("<tr>")[2]
        thread = site.lake._thread
        if thread is not None:
            thread.join()
        assert not site.lake.is_counting
        then = page(client)
        assert "still being counted" not in then
        assert "Open in quarantine 2 " in Page.of(then).text
        assert client.get("/dashboard/pulse").json()["token"] in then


def test_a_server_that_starts_again_counts_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = build(tmp_path)
    bad_day(made)
    tables = ["silver/sales", "silver/shops", "gold/by_shop"]
    first = site_of(made).lake.now(tables)
    counted: list[str] = []

    def noted(lake: Lake, table: str) -> object:
        counted.append(table)
        return count_table(lake, table)

    monkeypatch.setattr(lake_reader, "count_table", noted)
    assert site_of(made).lake.now(tables) == first
    assert counted == []
    bad_day(Workshop(made.root), "c")
    again = site_of(made).lake.now(tables)
    assert counted == ["silver/sales"]
    assert again.quarantines["silver/sales"].open == 4
