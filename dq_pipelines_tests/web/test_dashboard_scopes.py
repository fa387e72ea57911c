"""Users with a scope see nothing of other tables on any page: real users, keys, sessions and runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from dq_pipelines.history.store.records import VerdictRecord
from dq_pipelines.security.keys import Keys
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import User, Users
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.dashboard.live import ChangeWatcher
from dq_pipelines_tests.web.conftest import client_of, site_of
from dq_pipelines_tests.web.hosting import PASSWORD
from dq_pipelines_tests.web.html import Page
from dq_pipelines_tests.workshop import Workshop

LANDED = """
owners: [{owner}]
source: {{type: csv, path: "{{landing}}/{name}/*.csv"}}
silver:
  columns: {{id: int64, amount: double}}
  rules: [{{type: expect_column_values_to_be_between, column: amount, min_value: 0}}]
"""
BETWEEN = "amount__between"
GRANTS = {
    "ann": [Grant(Role.VIEWER)],
    "rita": [Grant(Role.VIEWER, "domain:retail")],
    "tom": [Grant(Role.OPERATOR, "team:tills")],
    "both": [Grant(Role.STEWARD, "team:tills"), Grant(Role.VIEWER, "domain:air")],
    "ned": [Grant(Role.VIEWER, "domain:nowhere")],
}
TABLES = {"sales": 3, "refunds": 2, "flights": 4}
SEEN = {
    "ann": ["sales", "refunds", "flights"],
    "rita": ["sales", "refunds"],
    "tom": ["sales"],
    "both": ["sales", "flights"],
    "ned": [],
}


def write(shop: Workshop) -> None:
    for name, domain, team in (
        ("sales", "retail", "tills"),
        ("refunds", "retail", "desk"),
        ("flights", "air", "pilots"),
    ):
        shop.table(name, LANDED.format(name=name, owner=f"team:{team}"), domain)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Three tables of two domains and three teams, each with one refused row, and a user for every kind of scope."""
    made = Workshop(tmp_path_factory.mktemp("scopes"))
    write(made)
    for name, rows in TABLES.items():
        made.land(f"{name}/1.csv", "id,amount\n0,-1\n" + "".join(f"{at},{at}\n" for at in range(1, rows)))
    with made.instance:
        assert made.run().success
    users = Users(made.state.url)
    for name, grants in GRANTS.items():
        users.add(name, PASSWORD, grants)
    return Workshop(made.root)


@pytest.fixture(scope="module")
def keys(shop: Workshop) -> dict[str, dict[str, str]]:
    return {name: {"x-api-key": Keys(Users(shop.state.url)).add(name)} for name in GRANTS}


@pytest.fixture
def client(shop: Workshop) -> Iterator[TestClient]:
    write(shop)
    with client_of(site_of(shop)) as made:
        yield made


def text(client: TestClient, path: str, headers: dict[str, str]) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize("who", GRANTS)
def test_the_overview_is_of_the_tables_that_are_seen(
    client: TestClient, keys: dict[str, dict[str, str]], who: str
) -> None:
    found = text(client, "/dashboard/?days=all", keys[who])
    for name in TABLES:
        assert (name in found) == (name in SEEN[who]), name  # in rows, charts, runs, quarantine and links alike
    if SEEN[who]:
        count = len(SEEN[who])
        said = Page.of(found).text
        assert f"{count} of {count} tables need attention" in said
        assert f"Rows judged {sum(TABLES[name] for name in SEEN[who])} " in said.replace(", all days", "").replace(
            ", all", ""
        )
        assert f"Open in quarantine {count} " in said
    else:
        assert "There is no table that you may view." in found


@pytest.mark.parametrize("who", GRANTS)
@pytest.mark.parametrize("path", ["", f"/rules/{BETWEEN}"])
def test_a_tables_page_is_visible_in_its_scope(
    client: TestClient, keys: dict[str, dict[str, str]], who: str, path: str
) -> None:
    for name in TABLES:
        answer = client.get(f"/dashboard/tables/silver/{name}{path}", headers=keys[who])
        assert answer.status_code == (200 if name in SEEN[who] else 404), name


def test_a_hidden_table_looks_like_a_missing_one(client: TestClient, keys: dict[str, dict[str, str]]) -> None:
    """So that nobody finds out by trying what others have."""

    def said(name: str) -> str:
        answer = client.get(f"/dashboard/tables/silver/{name}", headers=keys["tom"])
        return Page.of(answer.text).text.rpartition("Not found ")[2].partition(" Back to the overview")[0]

    assert said("flights") == "There is no table silver/flights that you may view (nearest: silver/sales)."
    assert said("flights").replace("flights", "flighty") == said("flighty")


def test_events_of_hidden_tables_are_not_streamed(
    client: TestClient, shop: Workshop, keys: dict[str, dict[str, str]]
) -> None:
    def pulses() -> dict[str, str]:
        watch = site_of(shop)
        with client_of(watch) as fresh:
            return {who: fresh.get("/dashboard/pulse", headers=keys[who]).json()["token"] for who in GRANTS}

    def ends(who: str) -> str:
        (body,) = Page.of(text(client, "/dashboard/", keys[who])).all("body")
        return body["data-token"] or ""

    before = pulses()
    assert {who: ends(who) for who in GRANTS} == before
    assert before["ned"] == ""
    latest = shop.history.latest("silver/refunds")
    assert latest is not None
    shop.history.record(replace(latest, run_id="r-refunds", started_at=datetime.now(UTC)))
    after = pulses()
    assert {who for who in GRANTS if before[who] != after[who]} == {"ann", "rita"}
    assert {who: ends(who) for who in GRANTS} == after


def test_a_stream_is_limited_to_its_readers_tables(shop: Workshop) -> None:
    site = site_of(shop)

    async def first(grants: list[Grant]) -> str:
        caller = Caller(User("ann", frozenset(grants)))
        scope = {"type": "http", "method": "GET", "headers": [], "state": {"caller": caller}}
        events = (await ChangeWatcher(site).stream(Request(scope))).body_iterator
        said = [await anext(aiter_) for aiter_ in [events.__aiter__()] for _ in range(2)]
        return str(said[1])

    ned, tom, ann = (asyncio.run(first(GRANTS[who])) for who in ("ned", "tom", "ann"))
    assert ned == "event: pulse\ndata: \n\n"
    assert len({ned, tom, ann}) == 3
    # A verdict on a table that tom does not see changes nothing for tom.
    for name, sees in (("flights", (False, False, True)), ("sales", (False, True, True))):
        before = [asyncio.run(first(GRANTS[who])) for who in ("ned", "tom", "ann")]
        (last,) = shop.history.of_table(f"silver/{name}", 1)
        shop.history.record(last)
        after = [asyncio.run(first(GRANTS[who])) for who in ("ned", "tom", "ann")]
        assert tuple(one != other for one, other in zip(before, after, strict=True)) == sees, name


def test_dagsters_ui_needs_the_right_to_view_all_tables(client: TestClient, keys: dict[str, dict[str, str]]) -> None:
    runs = {who: [link for link in Page.of(text(client, "/dashboard/", keys[who])).links if "/runs/" in link]
            for who in ("ann", "rita")}  # fmt: skip
    assert runs["ann"]
    assert runs["rita"] == []


@pytest.mark.parametrize("who", GRANTS)
def test_metrics_need_the_right_to_view_all_tables(
    client: TestClient, keys: dict[str, dict[str, str]], who: str
) -> None:
    answer = client.get("/metrics", headers=keys[who])
    assert answer.status_code == (200 if who == "ann" else 403)
    if who == "tom":
        assert answer.json() == {
            "error": "to look at tables, runs, verdicts and quarantine, be viewer or steward or operator or admin of "
            "every table; you are operator of team:tills"
        }


def test_a_table_that_moves_to_another_domain_is_seen_there_alone(
    client: TestClient, shop: Workshop, keys: dict[str, dict[str, str]]
) -> None:
    folder = shop.root / "assets_config"
    try:
        (folder / "retail/refunds.yaml").rename(folder / "air/refunds.yaml")
        assert "refunds" not in text(client, "/dashboard/", keys["rita"])
        assert "refunds" in text(client, "/dashboard/", keys["both"])
        (folder / "air/refunds.yaml").unlink()
        assert "refunds" not in text(client, "/dashboard/", keys["both"])
        assert "refunds" in text(client, "/dashboard/", keys["ann"])  # in history, of no domain
    finally:
        (folder / "air/refunds.yaml").unlink(missing_ok=True)
        write(shop)


def test_a_fault_in_the_yaml_takes_no_table_away_and_tells_no_name(
    client: TestClient, shop: Workshop, keys: dict[str, dict[str, str]]
) -> None:
    text(client, "/dashboard/", keys["tom"])
    faulty = shop.root / "assets_config/air/flights.yaml"
    faulty.write_text(faulty.read_text("utf-8").replace("source", "surce"), encoding="utf-8")
    try:
        tom, ann = (text(client, "/dashboard/", keys[who]) for who in ("tom", "ann"))
    finally:
        write(shop)
    assert "sales" in tom
    assert "flights" not in tom
    assert "Some YAML files have mistakes; their tables are left out." in tom
    assert "Left out:" in ann
    assert "flights.yaml:" in ann


def test_the_header_has_name_roles_and_logout(shop: Workshop, keys: dict[str, dict[str, str]]) -> None:
    with client_of(site_of(shop)) as client:
        client.post("/login", data={"name": "both", "password": PASSWORD}, headers={"sec-fetch-site": "same-origin"})
        for path in ("/dashboard/", "/dashboard/tables/silver/sales", "/dashboard/none"):
            found = Page.of(client.get(path).text)
            assert "both Log out" in found.text
            assert "steward of team:tills, viewer of domain:air" in [one.get("title") for one in found.all("a")]
            (form,) = (form for form in found.all("form") if form.get("method") == "post")
        assert form["action"] == "/logout"
        out = client.post("/logout", headers={"sec-fetch-site": "same-origin"}, follow_redirects=False)
        assert (out.status_code, out.headers["location"]) == (303, "/login")
        assert client.get("/dashboard/").status_code == 401
        program = client.get("/dashboard/", headers=keys["tom"]).text
    assert "operator of team:tills" in program
    assert "Log out" not in program


def test_where_nobody_logs_in_nobody_is_named(tmp_path: Path) -> None:
    with client_of(site_of(Workshop(tmp_path))) as client:
        found = client.get("/dashboard/").text
    assert 'class="reader"' not in found


def test_a_table_without_a_verdict_is_named_to_whom_sees_it(
    client: TestClient, shop: Workshop, keys: dict[str, dict[str, str]]
) -> None:
    shop.table("new", LANDED.format(name="new_ones", owner="team:desk"), "retail")
    try:
        told = {who: "silver/new" in text(client, "/dashboard/", keys[who]) for who in GRANTS}
    finally:
        (shop.root / "assets_config/retail/new.yaml").unlink()
    assert [who for who, named in told.items() if named] == ["ann", "rita"]


def test_the_last_runs_are_of_what_is_seen_however_many_others_there_were(
    client: TestClient, shop: Workshop, keys: dict[str, dict[str, str]]
) -> None:
    last = shop.history.latest("silver/sales")
    assert last is not None
    for number in range(60):
        shop.history.record(
            VerdictRecord("silver/gone", f"b-{number}", f"r-{number}", datetime.now(UTC), 1, 1, 1, 0, 0, False)
        )
    runs = re.search(r'id="runs".*', text(client, "/dashboard/tables/silver/sales?tab=batches", keys["tom"]), re.DOTALL)
    assert runs is not None
    assert last.run_id[:8] in runs[0]


@pytest.mark.parametrize("path", ["/dashboard/pipelines", "/dashboard/pipelines/sales", "/api/v1/jobs/sales"])
def test_mistakes_in_files_of_hidden_tables_are_not_told(
    client: TestClient, shop: Workshop, keys: dict[str, dict[str, str]], path: str
) -> None:
    shop.table("salaries", LANDED.format(name="salaries", owner="team:pilots") + "bonus_2027: 1\n", "air")
    try:
        told = {who: text(client, path, keys[who]) for who in ("ann", "rita")}
    finally:
        (shop.root / "assets_config" / "air" / "salaries.yaml").unlink()
    assert "bonus_2027" in told["ann"]
    assert "bonus_2027" not in told["rita"]
    assert "salaries" not in told["rita"]
    assert "Some YAML files have mistakes; their tables are left out." in told["rita"]
