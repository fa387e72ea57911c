"""Dagster's UI in a real browser behind the login: what each role sees; an operator launches, watches and cancels."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from dq_pipelines.lake.table_lock import claimed
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines_tests.chromium import apart, chromium
from dq_pipelines_tests.web.conftest import SALES, SHOPS, build
from dq_pipelines_tests.web.hosting import AT_ONCE, PASSWORD
from dq_pipelines_tests.web.served import dq, environment, serving
from dq_pipelines_tests.workshop import Workshop

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

#: What stands in a table's description: a picture on another server, as Markdown and as HTML.
PICTURES = "![a picture]({elsewhere}/markdown.png) <img src='{elsewhere}/html.png'>"

USERS = {
    "vera": [Grant(Role.VIEWER)],
    "stella": [Grant(Role.STEWARD)],
    "tina": [Grant(Role.VIEWER), Grant(Role.OPERATOR, "team:sales")],
    "otto": [Grant(Role.OPERATOR)],
    "adam": [Grant(Role.ADMIN)],
}
#: Milliseconds that a page of Dagster's, or a run, may take on a machine that does other things too.
PATIENCE = 40_000
#: The name of an icon stands before it.
_MATERIALIZE = re.compile("Materialize$")
#: What the Apollo client of Dagster's own pages says of itself.
#: What Chromium says of a page that is left before its socket is open.
_LEFT = "WebSocket is closed before the connection is established"
_APOLLO = "https://go.apollo.dev/c/err"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """The address of another server, and what it was asked for."""
    asked: list[str] = []

    class Listening(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Listening) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, elsewhere: tuple[str, list[str]]) -> Workshop:
    root = tmp_path_factory.mktemp("ui")

    def made() -> Workshop:
        shop = build(root)
        shop.table("sales", f"owners: [team:sales]\n{SALES}")
        shop.table("pictures", f'description: "{PICTURES.format(elsewhere=elsewhere[0])}"\n{SHOPS}')
        for name, grants in USERS.items():
            Users(shop.state.url).add(name, PASSWORD, grants)
        (root / ".dagster_home").mkdir()
        (root / ".dagster_home" / "dagster.yaml").write_text(AT_ONCE)
        return Workshop(root)

    return apart(made)


@pytest.fixture(scope="module")
def address(shop: Workshop) -> Iterator[str]:
    with serving(shop, "--no-daemon") as (_, found):
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@contextmanager
def logged_in(browser: Browser, address: str, name: str) -> Iterator[Page]:
    """A browser in which this user has logged in; afterwards it has complained of nothing, and nothing was refused."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def heard(answer: Response) -> None:
        if answer.status >= 400:
            complaints.append(f"{answer.status} {answer.url}")

    page.on("response", heard)
    page.goto(f"{address}/assets/silver/sales")
    page.fill("[name=name]", name)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Log in").click()
    yield page
    assert [
        said
        for said in complaints
        if not said.startswith("An error occurred! For more details") and _APOLLO not in said and _LEFT not in said
    ] == []
    context.close()


def materialize(page: Page) -> Callable[[], None]:
    button = page.get_by_role("button", name=_MATERIALIZE).first
    expect(button).to_be_visible(timeout=PATIENCE)
    return button.click


@pytest.mark.parametrize("name", ["vera", "stella"])
def test_a_user_without_permission_to_materialize_sees_why(browser: Browser, address: str, name: str) -> None:
    with logged_in(browser, address, name) as page:
        button = page.get_by_role("button", name=_MATERIALIZE).first
        expect(button).to_be_disabled(timeout=PATIENCE)
        button.hover(force=True)
        expect(page.get_by_text("You do not have permission to materialize assets")).to_be_visible()


def test_a_team_has_the_buttons_of_its_tables(browser: Browser, address: str) -> None:
    with logged_in(browser, address, "tina") as page:
        expect(page.get_by_role("button", name=_MATERIALIZE).first).to_be_enabled(timeout=PATIENCE)
        page.goto(f"{address}/assets/silver/shops")
        expect(page.get_by_role("button", name=_MATERIALIZE).first).to_be_disabled(timeout=PATIENCE)


def test_an_admin_goes_through_all_pages(browser: Browser, address: str) -> None:
    with logged_in(browser, address, "adam") as page:
        for path in (
            "/overview",
            "/jobs",
            "/runs",
            "/automation",
            "/asset-groups",
            "/deployment/concurrency",
            "/deployment/config",
        ):
            page.goto(f"{address}{path}")
            expect(page.locator("#root a").first).to_be_visible(timeout=PATIENCE)
            page.wait_for_timeout(1000)


def test_an_operator_launches_watches_and_cancels_and_the_log_knows(
    browser: Browser, address: str, shop: Workshop
) -> None:
    with logged_in(browser, address, "otto") as page:
        page.goto(f"{address}/assets/bronze/shops")
        done = _launched(page)
        page.goto(f"{address}/runs/{done}")
        expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=PATIENCE)
        with claimed(shop.lake, "sales", lambda _: None):  # somebody else works on the table, so that the run waits
            page.goto(f"{address}/assets/bronze/sales")
            stopped = _launched(page)
            page.goto(f"{address}/runs/{stopped}")
            page.get_by_role("button", name=re.compile("Terminate")).first.click()
            page.wait_for_timeout(2000)
            page.get_by_role(
                "button", name=re.compile("[Tt]erminat")
            ).last.click()  # of the question whether one is sure
            expect(page.get_by_text(re.compile("^Cancel(l?ed|ing)$")).first).to_be_visible(timeout=PATIENCE)
    ran = subprocess.run(
        dq("audit", "list"), env=environment(shop), capture_output=True, text=True, timeout=120, check=True
    )
    assert re.search(rf"otto\s+launch\s+done\s+bronze/shops\s.*{done}", ran.stdout), ran.stdout
    assert re.search(rf"otto\s+cancel\s+done\s+{stopped}", ran.stdout), ran.stdout


def _launched(page: Page) -> str:
    """Press Materialize; gives the run's id."""
    press = materialize(page)
    with page.expect_response(
        lambda answer: "/graphql" in answer.url and "LaunchRun" in (answer.request.post_data or "")
    ) as answered:
        press()
    found = re.search(r'"(?:runId|id)": ?"([0-9a-f-]{36})"', answered.value.text())
    assert found is not None, answered.value.text()
    return found[1]


def test_an_image_in_a_description_is_not_loaded_from_another_server(
    browser: Browser, address: str, elsewhere: tuple[str, list[str]]
) -> None:
    _, asked = elsewhere
    for without_policy in (False, True):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=without_policy)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(f"{address}/assets/silver/pictures")
        page.fill("[name=name]", "vera")
        page.fill("[name=password]", PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("img[src*='markdown.png']").first).to_be_attached(timeout=PATIENCE)
        page.wait_for_timeout(1500)
        context.close()
        if not without_policy:
            assert asked == []
    assert "/markdown.png" in asked, "else the page would show no picture, and this test nothing"
