"""A caller's rights on tables: everywhere, in a domain, for a team, and without users."""

from __future__ import annotations

import pytest

from dq_pipelines.project import Project, load_project
from dq_pipelines.security.roles import Grant, Permission, Role
from dq_pipelines.security.users import User
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines_tests.workshop import Workshop

LANDED = "{{source: {{type: csv, path: '{{landing}}/{0}/*.csv'}}, owners: ['team:{1}']}}"
LOOK, RUN, HEAL, ADMIN = Permission.LOOK, Permission.RUN, Permission.HEAL, Permission.ADMIN
EVERY = ["silver/sales", "silver/shops", "gold/by_shop", "silver/flights"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    shop = Workshop(tmp_path_factory.mktemp("rights"))
    shop.table("sales", LANDED.format("sales", "tills"), "retail")
    shop.table("shops", LANDED.format("shops", "estate"), "retail")
    shop.table(
        "by_shop", "{gold: {sql: select * from silver.sales}, owners: ['team:board', 'ann@shop.example']}", "sums"
    )
    shop.table("flights", LANDED.format("flights", "travel"), "air")
    return load_project(str(shop.root / "assets_config"))


def rights(project: Project, *grants: Grant) -> Rights:
    return Rights(Caller(User("ann", frozenset(grants))), project)


@pytest.mark.parametrize(
    ("grants", "seen"),
    [
        ([Grant(Role.VIEWER)], EVERY),
        ([Grant(Role.VIEWER, "domain:retail")], ["silver/sales", "silver/shops"]),
        ([Grant(Role.STEWARD, "team:tills")], ["silver/sales"]),
        ([Grant(Role.OPERATOR, "team:board"), Grant(Role.VIEWER, "domain:air")], ["gold/by_shop", "silver/flights"]),
        ([Grant(Role.ADMIN, "domain:nowhere")], []),
        ([Grant(Role.ADMIN, "domain:None")], []),
        ([], []),
    ],
)
def test_visible_tables_are_those_of_the_grants(project: Project, grants: list[Grant], seen: list[str]) -> None:
    assert rights(project, *grants).those(EVERY) == seen


def test_a_table_is_the_same_in_every_layer(project: Project) -> None:
    tills, board = rights(project, Grant(Role.VIEWER, "team:tills")), rights(project, Grant(Role.VIEWER, "team:board"))
    assert all(tills.sees(f"{layer}/sales") for layer in ("bronze", "silver", "quarantine"))
    assert all(board.sees(f"{layer}/by_shop") for layer in ("gold", "quarantine"))


@pytest.mark.parametrize(
    "key", ["gold/sales", "silver/by_shop", "bronze/by_shop", "silver/gone", "sales", "", "/", "x/sales"]
)
def test_unknown_tables_need_the_right_on_all_tables(project: Project, key: str) -> None:
    assert rights(project, Grant(Role.VIEWER)).sees(key)
    every_scope = [Grant(Role.ADMIN, scope) for scope in ("domain:retail", "domain:sums", "team:tills", "team:board")]
    assert not rights(project, *every_scope).sees(key)


def test_each_right_goes_as_far_as_the_role_that_gives_it(project: Project) -> None:
    mixed = rights(project, Grant(Role.VIEWER), Grant(Role.OPERATOR, "domain:retail"))
    assert mixed.those(EVERY) == EVERY
    assert mixed.those(EVERY, RUN) == ["silver/sales", "silver/shops"]
    assert mixed.those(EVERY, HEAL) == []
    assert (mixed.may_everywhere(LOOK), mixed.may_everywhere(RUN)) == (True, False)


def test_a_refusal_says_of_what_and_who_may(project: Project) -> None:
    tills = rights(project, Grant(Role.OPERATOR, "team:tills"), Grant(Role.VIEWER, "domain:air"))
    assert tills.why_not(RUN, "silver/shops") == (
        "to materialize, run checks, backfill, and run again, be operator or admin of silver/shops; "
        "you are operator of team:tills, viewer of domain:air"
    )
    assert "be admin of every table;" in tills.why_not(ADMIN)


def test_without_users_everything_is_viewed_and_nothing_changed(project: Project) -> None:
    nobody = Rights.of({"type": "http"}, project)
    assert nobody.those(EVERY) == EVERY
    assert nobody.sees("silver/gone")
    assert [permission for permission in Permission if nobody.may(permission, "silver/sales")] == [LOOK]
    assert [permission for permission in Permission if nobody.may_everywhere(permission)] == [LOOK]
    assert nobody.why_not(RUN) == (
        "to materialize, run checks, backfill, and run again, log in; if there are no users yet, by the link that "
        "dq serve printed"
    )


def test_the_caller_is_set_by_the_authentication_middleware(project: Project) -> None:
    caller = Caller(User("ann", frozenset([Grant(Role.VIEWER, "domain:air")])))
    assert Rights.of({"type": "http", "state": {"caller": caller}}, project).those(EVERY) == ["silver/flights"]
