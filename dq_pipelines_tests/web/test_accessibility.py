"""Every page of the console, as each role, wide and narrow, light and dark: axe-core finds nothing serious, and nothing overflows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import User
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.dagster_client.launching import Launch
from dq_pipelines.web.dashboard.page_server import PageServer
from dq_pipelines.web.dashboard.pages import SECTIONS
from dq_pipelines.web.dashboard.table_page import TABS
from dq_pipelines_tests.chromium import DESKTOP, PHONE, apart
from dq_pipelines_tests.web.conftest import bad_day, build, site_of
from dq_pipelines_tests.web.hosting import Hosted, hosting
from dq_pipelines_tests.web.test_run_page import opened
from dq_pipelines_tests.workshop import Workshop

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

BETWEEN = "amount__between"
USERS = {
    "adam": [Grant(Role.ADMIN)],
    "stella": [Grant(Role.STEWARD)],
    "vera": [Grant(Role.VIEWER)],
    "flo": [Grant(Role.OPERATOR, "domain:shop")],
}
#: By route, the addresses that stand for it; `{run}` is the id of a run. A part of a page has none.
PATHS = {
    "/": ("/", "/?status=failing&sort=score"),
    "/catalog": ("/catalog",),
    "/tables/{layer}/{name}": ("/tables/gold/by_shop", *(f"/tables/silver/sales?tab={tab}" for tab in TABS)),
    "/tables/{layer}/{name}/rules/{check}": (f"/tables/silver/sales/rules/{BETWEEN}",),
    "/runs": ("/runs", "/runs?status=failed"),
    "/runs/{id}": ("/runs/{run}",),
    "/running": (),
    "/partitions/{layer}/{name}": (),  # JSON for a script
    "/quarantine": ("/quarantine",),
    "/quarantine/{layer}/{name}": ("/quarantine/silver/sales",),
    "/alerts": ("/alerts",),
    "/pipelines": ("/pipelines",),
    "/pipelines/{name}": ("/pipelines/sales",),
    "/new-pipeline": ("/new-pipeline",),
    "/admin": ("/admin",),
    "/admin/{tab}": ("/admin/users", "/admin/keys", "/admin/audit", "/admin/maintenance", "/admin/data?table=sales"),
    "/api": ("/api",),
    "/search": ("/search?q=sale", "/search?q=nothing+like+it"),
}
VIEWS = [
    ("adam", DESKTOP, "light"),
    ("adam", DESKTOP, "dark"),
    ("adam", PHONE, "light"),
    ("stella", PHONE, "dark"),
    ("vera", DESKTOP, "light"),
    ("flo", PHONE, "light"),
]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    def made() -> Workshop:
        shop = build(tmp_path_factory.mktemp("accessible"))
        bad_day(shop)
        return Workshop(shop.root)

    with hosting(made(), USERS) as found:
        yield found


@pytest.fixture(scope="module")
def run(here: Hosted) -> str:
    """A run that has ended."""
    caller = Caller(User("adam", frozenset(USERS["adam"])))
    launch = Launch(assets=("bronze/sales", "silver/sales", "quarantine/sales"))

    def ended() -> str:
        run_id = launch.submit(caller, here.host)
        here.ended(run_id)
        return run_id

    return apart(ended)


def test_every_route_is_looked_at(here: Hosted) -> None:
    server = PageServer(site_of(here.shop))
    assert {route.path for section in SECTIONS for route in section(server).routes()} == PATHS.keys()


@pytest.mark.parametrize(("user", "size", "scheme"), VIEWS, ids=[f"{u}-{s['width']}-{c}" for u, s, c in VIEWS])
def test_pages_are_accessible_and_fit(
    browser: Browser, address: str, run: str, user: str, size: dict[str, int], scheme: str
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page, complaints = opened(context, address, user, "/account")
    wrong = []
    for path in ["/account", *(f"/dashboard{path}" for paths in PATHS.values() for path in paths)]:
        page.goto(f"{address}{path.format(run=run)}")
        if "/api" in path:
            page.locator(".opblock-tag").first.wait_for()
        found = Axe().run(page).response["violations"]
        wrong += [
            f"{path}: {one['id']}: {node['html'][:150]}"
            for one in found
            for node in one["nodes"]
            if one["impact"] in ("serious", "critical")
        ]
        if page.evaluate("document.documentElement.scrollWidth") > size["width"]:
            wrong.append(f"{path}: overflows")
    assert wrong == []
    # Pages for admins, as others see them.
    missing = [one for one in complaints if "status of 403" not in one]
    assert missing == []
    context.close()


def test_the_login_page_is_accessible(browser: Browser, address: str) -> None:
    for size in (DESKTOP, PHONE):
        context = browser.new_context(viewport=size)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(f"{address}/login")
        found = Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
        context.close()
