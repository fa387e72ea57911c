"""Dagster hosted in the gateway: each caller has their own permissions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines_tests.web.conftest import build
from dq_pipelines_tests.web.hosting import LAUNCH, Hosted, hosting

pytestmark = pytest.mark.slow

USERS = {
    "vera": [Grant(Role.VIEWER)],
    "otto": [Grant(Role.OPERATOR)],
    "adam": [Grant(Role.ADMIN)],
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosting(build(tmp_path_factory.mktemp("hosted")), USERS) as made:
        yield made


def post(here: Hosted, name: str, query: str, variables: dict[str, object] | None = None) -> dict[str, Any]:
    answer = here.as_user(name).post("/graphql", json={"query": query, "variables": variables})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


@pytest.mark.parametrize(("name", "many"), [("vera", 0), ("otto", 12), ("adam", 21)])
def test_each_role_has_its_permissions_and_a_refusal_says_why(here: Hosted, name: str, many: int) -> None:
    found = post(here, name, "{ permissions { permission value disabledReason } }")["permissions"]
    assert isinstance(found, list)
    assert sum(one["value"] for one in found) == many
    assert all((one["disabledReason"] is None) == one["value"] for one in found)


def test_a_viewer_launches_nothing_and_an_operator_does(here: Hosted) -> None:
    assert (
        post(here, "vera", LAUNCH, here.launching("silver/shops", "bronze/shops"))["launchRun"]["__typename"]
        == "UnauthorizedError"
    )
    launched = post(here, "otto", LAUNCH, here.launching("silver/shops", "bronze/shops"))["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    assert here.ended(launched["run"]["runId"]).status.value == "SUCCESS"
