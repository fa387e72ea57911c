"""The console's bar over Dagster's own pages, and the addresses that are nobody's page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import dagster_webserver
import pytest
from playwright.sync_api import Browser, expect

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.web.dagster_client.page_bar import PAGES, UnknownPage, is_page, with_bar
from dq_pipelines.web.navigation import Bar
from dq_pipelines_tests.chromium import DESKTOP, PHONE
from dq_pipelines_tests.web.conftest import build
from dq_pipelines_tests.web.hosting import Hosted, hosting
from dq_pipelines_tests.web.test_run_page import opened

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

USERS = {"vera": [Grant(Role.VIEWER)], "flo": [Grant(Role.OPERATOR, "domain:shop")]}
WEBAPP = Path(dagster_webserver.__file__).parent / "webapp" / "build"
#: Milliseconds that a page of Dagster's may take on a machine that does other things too.
PATIENCE = 40_000


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosting(build(tmp_path_factory.mktemp("page_bar")), USERS) as made:
        yield made


def test_dagsters_page_has_the_places_of_the_bar() -> None:
    page = (WEBAPP / "index.html").read_text(encoding="utf-8")
    bar = Bar.of("/dashboard", None, lambda _: True, dagster="", hosts_dagster=True)
    made = with_bar(page, bar, "/dashboard/files/bar.css")
    assert (
        made.index("/dashboard/files/bar.css")
        < made.index("</head>")
        < made.index('class="dq-bar"')
        < made.index('id="root"')
    )


def test_another_page_is_refused_and_not_spoiled() -> None:
    bar = Bar.of("/dashboard", None, lambda _: True, dagster="", hosts_dagster=True)
    with pytest.raises(UnknownPage):
        with_bar("<html><head></head><body></body></html>", bar, "/x.css")


def test_every_address_in_dagsters_scripts_is_a_page() -> None:
    scripts = (file.read_text(encoding="utf-8") for file in (WEBAPP / "_next/static/chunks").rglob("*.js"))
    found = {one for text in scripts for one in re.findall(r'path:"/([a-z-]+)', text)} - {"_next"}
    assert len(found) > 10
    assert found <= PAGES, "Dagster has new pages: name them in page_bar.PAGES"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("/", True), ("/runs/abc", True), ("/overview/activity", True), ("/nowhere", False), ("/run", False)],
)
def test_other_addresses_are_not_found(here: Hosted, path: str, wanted: bool) -> None:
    assert is_page(path) == wanted
    answer = here.browser("vera").get(path)
    assert answer.status_code == (200 if wanted else 404)
    assert 'class="dq-bar"' in answer.text


def test_the_bar_is_escaped_and_says_who_is_logged_in(here: Hosted) -> None:
    text = here.browser("vera").get("/overview").text
    assert re.search(r'href="/account" title="viewer">vera</a>', text)
    assert '<a href="/" aria-current="page">Dagster</a>' in text
    assert '<a href="/dashboard/runs">Runs</a>' in text


def test_the_console_and_the_reference_have_short_addresses(here: Hosted) -> None:
    for path, target in (("/dashboard", "/dashboard/"), ("/api/docs", "/dashboard/api")):
        answer = here.browser("flo").get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, target)
        assert here.browser("flo").get(path).status_code == 200


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_dagsters_pages_fit_below_the_bar(browser: Browser, address: str, size: dict[str, int]) -> None:
    context = browser.new_context(viewport=size)  # type: ignore[arg-type]
    page, complaints = opened(context, address, "vera", "/assets")
    expect(page.get_by_text("by_shop").first).to_be_visible(timeout=PATIENCE)
    bar, root = page.locator(".dq-bar").bounding_box(), page.locator("#root").bounding_box()
    assert bar is not None
    assert root is not None
    assert (bar["y"], round(bar["height"])) == (0, 37)
    assert (round(root["y"]), round(root["y"] + root["height"])) == (37, size["height"])
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert [one for one in complaints if "apollo" not in one] == []
    page.locator(".dq-bar").get_by_role("link", name="Runs").click()
    expect(page.get_by_role("heading", name="All runs")).to_be_visible()
    context.close()


def test_the_reference_shows_every_route_and_the_browser_complains_of_nothing(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    page, complaints = opened(context, address, "flo", "/api/docs")
    expect(page.locator(".opblock-tag-section")).not_to_have_count(0, timeout=PATIENCE)
    page.locator(".opblock-tag", has_text="runs").click()
    expect(page.locator(".opblock-summary-path", has_text="/api/v1/runs/{id}/cancel")).to_be_visible(timeout=PATIENCE)
    assert complaints == []
    context.close()
