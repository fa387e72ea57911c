"""Alerts over REST and on their page: who sees and handles which, and what a handled alert does to messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from dq_pipelines.history.alerts.alert import BY_HAND, Alert, Notification
from dq_pipelines.history.alerts.alert_book import AlertBook
from dq_pipelines.history.alerts.handling import Handling, Handlings
from dq_pipelines.monitoring.alerts.due import Subscription
from dq_pipelines.monitoring.alerts.settings import Rhythm, Route
from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines_tests.web.api.conftest import YARD
from dq_pipelines_tests.web.conftest import build, client_of, site_of
from dq_pipelines_tests.web.hosting import OWN, PASSWORD
from dq_pipelines_tests.workshop import Workshop

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
#: Numbers 1 to 4: of a table, of another domain's table, of a job, and a closed one.
ALERTS = [
    Alert("check_failed", "silver/sales", "amount", None, "critical", 3, "3 rows fail", "r1", NOW),
    Alert("run_failed", "silver/deliveries", "", "monday", "warning", 0, "no <b>file</b>", "r2", NOW),
    Alert("run_failed", "upkeep", "", None, "critical", 0, "the disk is full", "r3", NOW),
    Alert("check_failed", "silver/sales", "shop", None, "info", 1, "1 row", "r1", NOW, NOW, "r4"),
]
USERS = {
    "vera": [Grant(Role.VIEWER)],
    "stella": [Grant(Role.STEWARD)],
    "yves": [Grant(Role.OPERATOR, "domain:yard")],
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = build(tmp_path_factory.mktemp("alerts"))
    made.table("deliveries", YARD, "yard")
    for name, grants in USERS.items():
        Users(made.state.url).add(name, PASSWORD, grants)
    return made


@pytest.fixture(autouse=True)
def book(shop: Workshop) -> AlertBook:
    """The four alerts, as if nobody had done anything yet."""
    found = AlertBook(shop.history)
    found.forget(datetime.max.replace(tzinfo=UTC))
    with shop.history.engine.begin() as connection:
        for name in ("dq_alerts_handled", "dq_alerts"):
            connection.exec_driver_sql(f"DELETE FROM {name}")  # noqa: S608 - one of these two
    found.write(ALERTS, NOW)
    found.tell("team", [1], [], NOW)
    return found


@pytest.fixture(scope="module")
def clients(shop: Workshop) -> Iterator[dict[str, TestClient]]:
    made = {name: client_of(site_of(shop)) for name in USERS}
    for name, client in made.items():
        client.post("/login", data={"name": name, "password": PASSWORD}, headers=OWN)
        client.headers.update(OWN)
    yield made
    for client in made.values():
        client.close()


def numbers(client: TestClient, query: str = "") -> list[int]:
    return [one["number"] for one in client.get(f"/api/v1/alerts{query}").json()["items"]]


def test_everybody_sees_the_alerts_of_their_tables(clients: dict[str, TestClient]) -> None:
    assert numbers(clients["vera"]) == [3, 2, 1]
    assert numbers(clients["yves"]) == [2]
    assert numbers(clients["vera"], "?state=all") == [4, 3, 2, 1]
    assert numbers(clients["vera"], "?state=closed") == [4]
    assert numbers(clients["vera"], "?state=all&about=silver/sales") == [4, 1]
    first = clients["vera"].get("/api/v1/alerts/1").json()
    assert (first["message"], first["sent_to"], first["acknowledged_by"]) == ("3 rows fail", ["team"], "")
    assert clients["yves"].get("/api/v1/alerts/1").status_code == 404
    assert clients["vera"].get("/api/v1/alerts/99").status_code == 404


def test_a_list_is_read_in_pages(clients: dict[str, TestClient]) -> None:
    first = clients["vera"].get("/api/v1/alerts?limit=2").json()
    second = clients["vera"].get(f"/api/v1/alerts?limit=2&cursor={first['next']}").json()
    assert [one["number"] for one in (*first["items"], *second["items"])] == [3, 2, 1]
    assert second["next"] is None


def test_a_viewer_changes_nothing_and_the_log_knows(shop: Workshop, clients: dict[str, TestClient]) -> None:
    answer = clients["vera"].patch("/api/v1/alerts/1", json={"acknowledged": True})
    assert (answer.status_code, "be steward or operator or admin of silver/" in answer.text) == (403, True)
    assert clients["yves"].patch("/api/v1/alerts/3", json={"resolved": True}).status_code == 404
    last = [event for _, event in AuditLog(shop.state).events() if event.what == "alert"][-1]
    assert (last.who, last.on, last.result) == ("vera", "1 about silver/sales", "refused")


def test_members_that_are_left_out_stay(clients: dict[str, TestClient]) -> None:
    until = "2026-05-05T03:02:01Z"
    change = clients["stella"].patch
    assert change("/api/v1/alerts/1", json={"assigned_to": "vera", "note": "looking"}).status_code == 200
    assert change("/api/v1/alerts/1", json={"muted_until": until}).status_code == 200
    found = change("/api/v1/alerts/1", json={"acknowledged": True}).json()
    told = {name: found[name] for name in ("assigned_to", "note", "muted_until", "acknowledged_by")}
    assert told == {"assigned_to": "vera", "note": "looking", "muted_until": until, "acknowledged_by": "stella"}
    found = change("/api/v1/alerts/1", json={"acknowledged": False, "muted_until": None, "assigned_to": ""}).json()
    told = {name: found[name] for name in ("assigned_to", "note", "muted_until", "acknowledged_by", "acknowledged_at")}
    assert told == {
        "assigned_to": "",
        "note": "looking",
        "muted_until": None,
        "acknowledged_by": "",
        "acknowledged_at": None,
    }


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"assigned_to": "nobody"}, "body.assigned_to: there is no user 'nobody'"),
        ({"muted_until": "soon"}, "body.muted_until"),
        ({"resolved": False}, "body.resolved"),
        ({"closed": True}, "body.closed"),
        ({"note": "a\x00b"}, "body.note"),
    ],
)
def test_a_wrong_change_is_said_and_changes_nothing(
    clients: dict[str, TestClient], body: dict[str, object], said: str
) -> None:
    before = clients["stella"].get("/api/v1/alerts/1").json()
    answer = clients["stella"].patch("/api/v1/alerts/1", json=body)
    assert (answer.status_code, said in answer.text) == (422, True), answer.text
    assert clients["stella"].get("/api/v1/alerts/1").json() == before


def test_a_resolved_alert_is_closed_by_hand_once(clients: dict[str, TestClient], book: AlertBook) -> None:
    answer = clients["yves"].patch("/api/v1/alerts/2", json={"resolved": True, "note": "the file came"})
    assert (answer.status_code, answer.json()["closed_by"]) == (200, BY_HAND)
    assert [alert.number for alert in book.open()] == [1, 3]
    assert clients["yves"].patch("/api/v1/alerts/2", json={"resolved": True}).status_code == 409


def test_the_page_groups_open_alerts_by_cause(clients: dict[str, TestClient]) -> None:
    text = clients["vera"].get("/dashboard/alerts").text
    # The worst first: of two critical ones the order is that of their age, which is the same.
    assert max(text.index("silver/sales"), text.index("upkeep")) < text.index("silver/deliveries")
    assert "no &lt;b&gt;file&lt;/b&gt;" in text
    assert "owned by team:yard" in text
    assert "data-act" not in text
    scoped = clients["yves"].get("/dashboard/alerts").text
    assert "silver/sales" not in scoped
    assert 'data-act="acknowledge"' in scoped


def test_the_page_shows_what_is_mine(clients: dict[str, TestClient]) -> None:
    assert "No open alert is assigned to you." in clients["vera"].get("/dashboard/alerts?mine=1").text
    clients["stella"].patch("/api/v1/alerts/1", json={"assigned_to": "vera"})
    mine = clients["vera"].get("/dashboard/alerts?mine=1").text
    assert 'data-alert="1"' in mine
    assert 'data-alert="3"' not in mine


def due(handling: Handling | None, *, told: bool, later: timedelta) -> list[str]:
    """The news that a channel gets about an open alert after a while."""
    open_one = replace(ALERTS[0], number=1)
    rhythm = Rhythm(timedelta(hours=1), timedelta(0), 20)
    route = Route(to=("team",), on=("check_failed", "recovered"))
    notified = {1: Notification(NOW)} if told else {}
    team = Subscription("team", lambda _: [route], notified, rhythm, {1: handling} if handling else {})
    return [item.news for message in team.due([open_one], NOW + later) for item in message.items]


@pytest.mark.parametrize(
    ("handling", "told", "hours", "news"),
    [
        (None, True, 2, ["again"]),
        (Handling(1, "ann", NOW), True, 2, []),
        (Handling(1, muted_until=NOW + timedelta(hours=3)), True, 2, []),
        (Handling(1, muted_until=NOW + timedelta(hours=3)), True, 3, ["again"]),
        (Handling(1, muted_until=NOW + timedelta(hours=3)), False, 2, []),
        (Handling(1, muted_until=NOW + timedelta(hours=3)), False, 3, ["new"]),
        (Handling(1, assigned_to="ann"), True, 2, ["again"]),
    ],
)
def test_an_acknowledged_alert_is_not_repeated_and_a_muted_one_not_told(
    handling: Handling | None, told: bool, hours: int, news: list[str]
) -> None:
    assert due(handling, told=told, later=timedelta(hours=hours)) == news


def test_the_handling_of_a_forgotten_alert_goes_with_it(book: AlertBook) -> None:
    store = Handlings(book.history)
    store.write(Handling(4, "ann", NOW))
    store.write(Handling(1, "ann", NOW))
    book.forget(NOW + timedelta(days=1))
    assert list(store.by_number()) == [1]
