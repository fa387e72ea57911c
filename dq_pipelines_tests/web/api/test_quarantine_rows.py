"""Refused rows corrected, dismissed, reopened and replayed over REST: by whom, what is refused, and what the audit log says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from dq_pipelines.lake.table_lock import claimed
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines_tests.web.conftest import build
from dq_pipelines_tests.web.hosting import Hosted, hosting
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

USERS = {
    "vera": [Grant(Role.VIEWER)],
    "otto": [Grant(Role.OPERATOR)],
    "stella": [Grant(Role.STEWARD, "domain:shop")],
    "flo": [Grant(Role.STEWARD, "domain:elsewhere")],
    "adam": [Grant(Role.ADMIN)],
}
BETWEEN = "expect_column_values_to_be_between"
AT = "/api/v1/tables/silver/sales/quarantine"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    shop = build(tmp_path_factory.mktemp("quarantine_rows"))
    shop.table("new", 'source: {type: csv, path: "{landing}/new/*.csv"}\nsilver: {columns: {id: int64}}', "elsewhere")
    lines = "".join(f"{number},-{number},north,\n" for number in range(4, 12))
    shop.land("sales/b.csv", f"id,amount,shop,note\n{lines}12,x,north,\n")
    with shop.instance:
        assert shop.run("sales").success
    with hosting(Workshop(shop.root), USERS) as made:
        yield made


@pytest.fixture
def stella(here: Hosted) -> TestClient:
    return here.browser("stella")


def listed(here: Hosted, **wanted: str) -> dict[str, dict[str, Any]]:
    """The refused rows by their column `id`."""
    answer = here.browser("vera").get(AT, params=wanted)
    assert answer.status_code == 200, answer.text
    return {row["cells"]["id"]: row for row in answer.json()["items"]}


@pytest.mark.parametrize("name", ["vera", "otto", "flo"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("corrections", {"rows": {"x": {"amount": "1"}}}),
        ("dismiss", {"rule": BETWEEN, "note": "no"}),
        ("reopen", {"rule": BETWEEN}),
        ("replay", {"ids": ["x"]}),
    ],
)
def test_only_a_steward_of_the_table_may(here: Hosted, name: str, path: str, body: dict[str, Any]) -> None:
    before = here.shop.versions()
    answer = here.browser(name).post(f"{AT}/{path}", json=body)
    assert answer.status_code == (404 if name == "flo" else 403), answer.text
    if name == "flo":
        assert answer.json()["detail"] == "unknown table 'silver/sales' (nearest: silver/new)"
    else:
        assert "be steward or admin" in answer.json()["detail"]
    assert here.shop.versions() == before


def test_rows_are_corrected_and_only_they_are_replayed(here: Hosted, stella: TestClient) -> None:
    rows = listed(here, status="open")
    edits = {rows["4"]["id"]: {"amount": "4"}, rows["12"]["id"]: {"amount": "12"}}
    answer = stella.post(f"{AT}/corrections", json={"rows": edits})
    assert (answer.status_code, answer.json()) == (200, {"rows": 2}), answer.text
    [event] = here.heard("quarantine.correct")
    assert (event.who, event.on, event.more["rows"], event.more["columns"]) == ("stella", "silver/sales", 2, ["amount"])
    assert set(event.more) == {"rows", "columns", "ids"}, "the log has no values"
    published = len(here.shop.rows("silver/sales"))
    dry = stella.post(f"{AT}/replay", json={"ids": [rows["4"]["id"]], "dry_run": True}).json()
    assert here.ended(dry["id"]).status.value == "SUCCESS"
    assert len(here.shop.rows("silver/sales")) == published
    done = stella.post(f"{AT}/replay", json={"ids": [rows["4"]["id"], rows["5"]["id"]]}).json()
    assert here.ended(done["id"]).status.value == "SUCCESS"
    assert (4, 4.0) in here.shop.rows("silver/sales", "id", "amount")
    assert len(here.shop.rows("silver/sales")) == published + 1, "12 was corrected, and not chosen"
    after = listed(here)
    told = {number: (after[number]["status"], after[number]["status_by"]) for number in ("4", "5", "12")}
    assert told == {"4": ("fixed", "stella"), "5": ("open", None), "12": ("open", "stella")}


def test_a_text_of_the_wrong_type_is_refused_and_nothing_is_kept(here: Hosted, stella: TestClient) -> None:
    rows, before = listed(here), here.shop.versions()
    one, other = rows["6"]["id"], rows["7"]["id"]
    answer = stella.post(f"{AT}/corrections", json={"rows": {one: {"amount": "six"}}})
    assert (answer.status_code, answer.json()["detail"]) == (422, "amount: wanted double, got 'six'")
    answer = stella.post(f"{AT}/corrections", json={"rows": {one: {"amount": "6"}, other: {"amont": "7", "id": ""}}})
    assert answer.status_code == 422
    assert answer.json()["detail"].splitlines() == [
        f"{other}: amont: unknown column (nearest: amount)",
        f"{other}: id: wanted int64, got ''",
    ]
    assert here.shop.versions() == before


def test_rows_are_dismissed_with_a_note_and_opened_again(here: Hosted, stella: TestClient) -> None:
    ids = [listed(here)[number]["id"] for number in ("8", "9")]
    answer = stella.post(f"{AT}/dismiss", json={"ids": ids, "note": "test orders"})
    assert (answer.status_code, answer.json()) == (200, {"rows": 2}), answer.text
    row = listed(here, status="dismissed")["8"]
    assert (row["status_by"], row["status_note"]) == ("stella", "test orders")
    [event] = here.heard("quarantine.dismiss")
    assert (event.who, event.on, event.more["rows"], event.more["ids"]) == ("stella", "silver/sales", 2, ids)
    assert stella.post(f"{AT}/reopen", json={"ids": ids}).json() == {"rows": 2}
    assert listed(here)["8"]["status_note"] is None
    assert stella.post(f"{AT}/reopen", json={"ids": ids}).json() == {"rows": 0}


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("dismiss", {"note": "all"}, "wanted ids, a rule, a column or a batch, got none"),
        ("dismiss", {"rule": BETWEEN}, "body.note: field required"),
        ("dismiss", {"rule": BETWEEN, "note": ""}, "body.note"),
        ("reopen", {"ids": []}, "body.ids"),
        ("corrections", {"rows": {}}, "body.rows"),
        ("corrections", {"rows": {"x": {}}}, "body.rows"),
        ("corrections", {"rows": {"x": {"amount": "1"}}}, "x: wanted the id of a refused row"),
    ],
)
def test_a_request_that_says_too_little_is_refused(
    here: Hosted, stella: TestClient, path: str, body: dict[str, Any], said: str
) -> None:
    before = here.shop.versions()
    answer = stella.post(f"{AT}/{path}", json=body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert here.shop.versions() == before


def test_a_computed_table_has_nothing_to_correct(stella: TestClient) -> None:
    for path, body in (("dismiss", {"rule": "x", "note": "y"}), ("corrections", {"rows": {"x": {"amount": "1"}}})):
        answer = stella.post(f"/api/v1/tables/gold/by_shop/quarantine/{path}", json=body)
        assert (answer.status_code, "gold/by_shop is computed" in answer.json()["detail"]) == (422, True)


def test_a_table_that_a_run_works_on_is_said_to_be_busy(
    here: Hosted, stella: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dq_pipelines.web.api.table_work.work_on.__defaults__", (0.0,))
    row = listed(here)["10"]["id"]
    with claimed(here.shop.lake, "sales"):
        answer = stella.post(f"{AT}/dismiss", json={"ids": [row], "note": "busy"})
    assert (answer.status_code, "try again when it has ended" in answer.json()["detail"]) == (409, True)
    assert listed(here)["10"]["status"] == "open"
