"""Dagster's routes other than GraphQL, which Dagster does not protect: access by login, role and API key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from dq_pipelines.security.keys import Keys
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines_tests.web.conftest import build
from dq_pipelines_tests.web.hosting import Hosted, hosting

pytestmark = pytest.mark.slow

USERS = {"vera": [Grant(Role.VIEWER)], "otto": [Grant(Role.OPERATOR)], "adam": [Grant(Role.ADMIN)]}
REPORT = "/report_asset_materialization/silver/shops"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosting(build(tmp_path_factory.mktemp("doors")), USERS) as made:
        yield made


@pytest.fixture(scope="module")
def clients(here: Hosted) -> dict[str, TestClient]:
    """A program of each user's, which asks by an API key."""
    keys = Keys(Users(here.shop.state.url))
    made = {}
    for name in USERS:
        made[name] = here.client()
        made[name].headers["x-api-key"] = keys.add(name)
    return made


@pytest.mark.parametrize(
    "path",
    ["/logs/a/b.err", "/notebook", "/dagit/notebook", "/download_debug/x", "/server_info", "/graphql", "/assets"],
)
def test_no_route_of_dagster_is_open(here: Hosted, path: str) -> None:
    assert here.client().get(path).status_code == 401
    assert here.client().post(REPORT, json={}).status_code == 401


@pytest.mark.parametrize(("name", "status"), [("vera", 403), ("otto", 403), ("adam", 200)])
def test_only_admins_read_notebooks_and_report_asset_events(
    here: Hosted, clients: dict[str, TestClient], name: str, status: int
) -> None:
    notebook = {"path": "/etc/passwd", "repoLocName": "dq_pipelines"}
    for path in ("/notebook", "/dagit/notebook"):
        answer = clients[name].get(path, params=notebook)
        assert answer.status_code == status
        assert "root:" not in answer.text
    assert clients[name].post(REPORT, json={}).status_code == status
    line = here.heard("report")[0]
    assert (line.who, line.on) == (name, "materialization/silver/shops")
    assert line.result == ("done" if status == 200 else "refused")


@pytest.mark.parametrize(
    "path",
    [
        "/logs/../../etc/passwd.x", "/logs/..%2f..%2fetc/passwd.x", "/logs/%2e%2e/%2e%2e/dagster.yaml", "/logs/a//b.err",
        "/logs//etc/passwd.x", "/logs/a%5c..%5cb.err", "/logs/a%00b.err", "/logs/./a.err",
    ],
)  # fmt: skip
def test_a_log_path_cannot_leave_the_folder_of_logs(clients: dict[str, TestClient], path: str) -> None:
    answer = clients["adam"].get(path)
    assert (
        answer.status_code in (400, 404) or "initialization-data" in answer.text
    )  # a page, where the client went up itself
    assert "root:" not in answer.text
    if "%" in path or "//" in path or "/./" in path:
        assert (answer.status_code, answer.json()) == (400, {"error": "wanted the path of a log"})


def test_a_missing_log_and_an_existing_run(here: Hosted, clients: dict[str, TestClient]) -> None:
    assert clients["vera"].get("/logs/a/b.err").status_code == 404
    run = here.shop.history.latest("silver/shops")
    assert run is not None
    assert clients["vera"].get("/server_info").json()["dagster_version"] == "1.13.27"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/assets", "/logs/a/b.err", "/server_info", "/nosuch"])
def test_only_few_routes_accept_changes(clients: dict[str, TestClient], method: str, path: str) -> None:
    assert clients["adam"].request(method, path).status_code == 405


def test_pages_have_a_content_security_policy(clients: dict[str, TestClient]) -> None:
    policy = clients["vera"].get("/", headers={"accept": "text/html"}).headers["content-security-policy"]
    assert "'strict-dynamic'" in policy
    assert policy.endswith("frame-ancestors 'self'; form-action 'self'")
    for path in ("/server_info", "/favicon.png"):
        assert clients["vera"].get(path).headers["x-content-type-options"] == "nosniff"
