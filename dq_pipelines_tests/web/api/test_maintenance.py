"""What admins do to tend an installation: storage, examination, repair, channels, the signing key, and jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.users import Users
from dq_pipelines_tests.orchestration.listening import Hook, hook
from dq_pipelines_tests.web.api.test_admin import USERS, entered
from dq_pipelines_tests.web.conftest import build
from dq_pipelines_tests.web.hosting import PASSWORD, Hosted, hosting
from dq_pipelines_tests.web.html import Page
from dq_pipelines_tests.workshop import Workshop


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = build(tmp_path)
    for name, grants in USERS.items():
        Users(made.state.url).add(name, PASSWORD, grants)
    return made


@pytest.fixture
def adam(shop: Workshop) -> Iterator[TestClient]:
    with entered(shop, "adam") as client:
        yield client


@pytest.fixture
def service() -> Iterator[Hook]:
    with hook() as made:
        yield made


def test_storage_says_where_data_is_and_how_much(shop: Workshop, adam: TestClient) -> None:
    found = {one["name"]: one for one in adam.get("/api/v1/maintenance/storage").json()["items"]}
    lake = Path(shop.stores.lake.root)
    sizes = [file.stat().st_size for file in lake.rglob("*") if file.is_file()]
    assert found["lake"]["bytes"] == sum(sizes) > 0
    assert found["lake"]["where"] == str(lake.absolute())
    assert 0 < found["lake"]["free"] < found["lake"]["total"]
    assert found["history"]["bytes"] > 0
    assert found["users and audit log"]["where"] == str(shop.state.folder)
    said = Page.of(adam.get("/dashboard/admin/maintenance").text).text
    assert str(lake.absolute()) in said
    assert "Examine now" in said


def test_an_examination_tells_and_a_repair_mends(shop: Workshop, adam: TestClient) -> None:
    left = Path(shop.stores.lake.root) / "silver/sales/b-dead/1/0.parquet"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"PAR1PAR1")
    before = adam.post("/api/v1/maintenance/examine").json()
    [stray] = [one for one in before["findings"] if "b-dead/1/0.parquet" in one["said"]]
    assert (stray["severity"], stray["repairable"], stray["repaired"]) == ("warning", True, "")
    page = Page.of(adam.get("/dashboard/admin/maintenance?examine=1").text).text
    assert f"{len(before['examinations'])} examinations, {len(before['findings'])} finding" in page
    assert stray["remedy"][1:] in page
    assert left.exists()
    after = adam.post("/api/v1/maintenance/examine", json={"repair": True}).json()
    assert [one["repaired"] != "" for one in after["findings"] if "b-dead" in one["said"]] == [True]
    assert not left.exists()
    told = [(event.what, event.who) for _, event in AuditLog(shop.state).events() if event.what.startswith("maint")]
    assert told == [("maintenance.examine", "adam"), ("maintenance.repair", "adam")]


def test_a_channel_is_tested_and_its_address_is_nowhere(shop: Workshop, adam: TestClient, service: Hook) -> None:
    (shop.root / "assets_config/project.yaml").write_text(
        f"name: demo\nalerts: {{to: {{team: 'json://bob:geheim-4711@127.0.0.1:{service.port}'}}}}\n"
    )
    assert adam.get("/api/v1/alert-channels").json() == {"items": ["team"]}
    answer = adam.post("/api/v1/alert-channels/team/test")
    assert (answer.status_code, answer.json()) == (200, {"sentence": "team took the message"})
    assert service.titles == ["demo: a test"]
    service.status = 500
    refused = adam.post("/api/v1/alert-channels/team/test")
    assert (refused.status_code, "channel team: wanted to send a message" in refused.json()["detail"]) == (502, True)
    unknown = adam.post("/api/v1/alert-channels/teem/test")
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "There is no channel teem (nearest: team).")
    seen = refused.text + unknown.text + adam.get("/dashboard/admin/maintenance").text
    assert "geheim" not in seen + str([event for _, event in AuditLog(shop.state).events()])


def test_a_rotated_key_refuses_earlier_tokens_at_once_if_asked(adam: TestClient) -> None:
    def token() -> str:
        asked = {"username": "otto", "password": PASSWORD}
        return str(adam.post("/api/v1/auth/token", json=asked, headers={"Cookie": ""}).json()["access_token"])

    def accepted(text: str) -> bool:
        headers = {"Authorization": f"Bearer {text}", "Cookie": ""}
        return adam.get("/api/v1/tables", headers=headers).status_code == 200

    first = token()
    assert adam.post("/api/v1/keys/rotate").status_code == 204
    assert accepted(first)
    assert adam.post("/api/v1/keys/rotate", json={"at_once": True}).status_code == 204
    assert not accepted(first)
    assert accepted(token())


def test_jobs_need_dagster_and_dry_runs_are_of_one_job(adam: TestClient) -> None:
    assert adam.post("/api/v1/maintenance/run", json={"job": "upkeep"}).status_code == 503
    assert adam.post("/api/v1/maintenance/run", json={"job": "rm"}).status_code in (422, 503)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosting(build(tmp_path_factory.mktemp("maintenance")), USERS) as made:
        yield made


@pytest.mark.slow
def test_jobs_run(here: Hosted) -> None:
    adam = here.browser("adam")
    for body in ({"job": "upkeep"}, {"job": "purge_runs", "dry_run": True}):
        answer = adam.post("/api/v1/maintenance/run", json=body)
        assert answer.status_code == 202, answer.text
        assert here.ended(answer.json()["run_id"]).status.value == "SUCCESS"
    refused = adam.post("/api/v1/maintenance/run", json={"job": "upkeep", "dry_run": True})
    assert (refused.status_code, "purge_runs alone" in refused.json()["detail"]) == (422, True)
    missing = adam.post("/api/v1/maintenance/run", json={"job": "retention"})
    assert (missing.status_code, "has the job retention" in missing.json()["detail"]) == (409, True)
    assert here.browser("otto").post("/api/v1/maintenance/run", json={"job": "upkeep"}).status_code == 403
    log = [event for _, event in AuditLog(here.shop.state).events() if event.what == "maintenance.run"]
    assert [(one.on, one.result) for one in log] == [
        ("upkeep", "done"),
        ("purge_runs", "done"),
        ("upkeep", "refused"),
        ("retention", "refused"),
    ]
    assert "has the job retention" in str(log[-1].more["why"])
