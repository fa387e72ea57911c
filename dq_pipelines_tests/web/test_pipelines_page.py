"""The pages of pipelines: who sees and changes which file, and in a real browser create, check, save, compare and restore."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.testclient import TestClient

from dq_pipelines.project.editing import Editing
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines.web.dashboard import pipelines_page
from dq_pipelines_tests.chromium import DESKTOP, PHONE, chromium
from dq_pipelines_tests.web.conftest import SALES, SHOPS, XSS, client_of, site_of
from dq_pipelines_tests.web.hosting import OWN, PASSWORD
from dq_pipelines_tests.web.served import served
from dq_pipelines_tests.workshop import Workshop

USERS = {
    "adam": [Grant(Role.ADMIN)],
    "tess": [Grant(Role.ADMIN, "domain:yard")],
    "vera": [Grant(Role.VIEWER)],
}
_SOURCE = 'source: {type: csv, path: "${DQ_LANDING}/till/*.csv"}\nsilver: {columns: {id: int64}}\n'


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    made.table("sales", f'schedule: "0 4 * * *"{SALES}# {XSS}\n')
    made.table("shops", SHOPS, "yard")
    for name, grants in USERS.items():
        Users(made.state.url).add(name, PASSWORD, grants)
    return made


def entered(shop: Workshop, name: str) -> TestClient:
    client = client_of(site_of(shop))
    client.post("/login", data={"name": name, "password": PASSWORD}, headers=OWN)
    client.headers.update(OWN)
    return client


def file_of(shop: Workshop, name: str, domain: str = "shop") -> Path:
    return shop.root / "assets_config" / domain / f"{name}.yaml"


def test_everybody_sees_the_files_of_their_tables(shop: Workshop) -> None:
    with entered(shop, "vera") as vera, entered(shop, "tess") as tess:
        every = vera.get("/dashboard/pipelines").text
        assert 'href="/dashboard/pipelines/sales"' in every
        assert "schedule 0 4 * * *" in every
        assert "New pipeline" not in every
        own = tess.get("/dashboard/pipelines").text
        assert "pipelines/sales" not in own
        assert "pipelines/shops" in own
        assert "New pipeline" in own
        assert tess.get("/dashboard/pipelines/sales").status_code == 404


def test_the_list_is_found_in_and_comes_in_pages(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines_page, "_ROWS", 1)
    with entered(shop, "adam") as adam:
        first = adam.get("/dashboard/pipelines").text
        assert ("pipelines/sales" in first, 'href="/dashboard/pipelines/shops"' in first) == (True, False)
        assert "?after=sales" in first
        second = adam.get("/dashboard/pipelines?after=sales").text
        assert ('href="/dashboard/pipelines/sales"' in second, "pipelines/shops" in second) == (False, True)
        assert "More pipelines" not in second
        found = adam.get("/dashboard/pipelines?find=YARD").text
        assert ('href="/dashboard/pipelines/sales"' in found, "pipelines/shops" in found) == (False, True)
        assert "no such pipeline" in adam.get(f"/dashboard/pipelines?find={XSS}").text
        assert XSS not in adam.get(f"/dashboard/pipelines?find={XSS}").text


def test_the_text_is_escaped_and_only_editors_change_it(shop: Workshop) -> None:
    with entered(shop, "vera") as vera, entered(shop, "adam") as adam:
        looked = vera.get("/dashboard/pipelines/sales").text
        assert XSS not in looked
        assert "&lt;script&gt;alert(1)" in looked
        assert "You may look at this file" in looked
        assert "data-act" not in looked
        edited = adam.get("/dashboard/pipelines/sales").text
        assert 'data-act="save"' in edited
        assert edited.count(":00,") == 4  # four of the five next ticks, which end with a point
        assert "next ticks: " in edited


def test_who_may_not_create_gets_a_sentence_and_no_form(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("/dashboard/new-pipeline", "/dashboard/new-pipeline?begin=empty"):
        with entered(shop, "vera") as vera:
            told = vera.get(path).text
            assert "You cannot create pipelines: to change tables&#39; YAML" in told
            assert "<textarea" not in told
    monkeypatch.setenv("DQ_CONFIG_READ_ONLY", "1")
    with entered(shop, "adam") as adam:
        told = adam.get("/dashboard/new-pipeline").text
        assert "No pipeline can be created: the configuration is read-only here" in told
        assert "<textarea" not in told


def test_without_a_landing_folder_a_pipeline_begins_without_a_file(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DQ_LANDING", "s3://bucket/landing")
    with entered(shop, "adam") as adam:
        told = adam.get("/dashboard/new-pipeline").text
        assert "uploads want a landing folder on this machine" in told
        assert 'data-act="create"' in told


def test_a_file_with_mistakes_is_listed_and_can_be_mended(shop: Workshop) -> None:
    file_of(shop, "sales").write_text("source: {type: csvv}\n")
    with entered(shop, "adam") as adam:
        assert '<span class="badge error">mistakes</span>' in adam.get("/dashboard/pipelines").text
        assert "csvv" in adam.get("/dashboard/pipelines/sales").text


def test_a_text_is_checked_and_nothing_written(shop: Workshop) -> None:
    before = {path: path.read_bytes() for path in (shop.root / "assets_config").rglob("*.yaml")}
    with entered(shop, "adam") as adam, entered(shop, "tess") as tess, entered(shop, "vera") as vera:
        body = {"name": "till", "domain": "yard", "yaml": _SOURCE}
        assert adam.post("/api/v1/jobs/check", json=body).json() == {"name": "till", "domain": "yard"}
        # A scoped admin reads only what lands for the domain.
        own = body | {"yaml": _SOURCE.replace("/till/", "/yard/till/")}
        assert tess.post("/api/v1/jobs/check", json=own).status_code == 200
        assert vera.post("/api/v1/jobs/check", json=body).status_code == 403
        assert tess.post("/api/v1/jobs/check", json=own | {"domain": "shop"}).status_code == 403
        wrong = adam.post("/api/v1/jobs/check", json=body | {"yaml": _SOURCE.replace("csv,", "csvv,")})
        assert (wrong.status_code, "nearest: csv" in wrong.text) == (422, True), wrong.text
        mended = adam.post("/api/v1/jobs/check", json={"name": "sales", "domain": "shop", "yaml": "silver: {}\n"})
        assert (mended.status_code, "sales.yaml" in mended.text) == (422, True), mended.text
    assert {path: path.read_bytes() for path in (shop.root / "assets_config").rglob("*.yaml")} == before


@pytest.mark.parametrize(
    "reads",
    [
        "{type: expect_column_values_to_exist_in, column: id, table: silver/sales, key: ident}",
        "{type: expect_column_values_to_exist_in, column: id, table: silver/sale, key: id}",
    ],
)
def test_a_check_tells_nothing_of_tables_that_are_not_seen(shop: Workshop, reads: str) -> None:
    yaml = f'source: {{type: csv, path: "${{DQ_LANDING}}/yard/*.csv"}}\nsilver:\n  columns: {{id: int64}}\n  rules: [{reads}]\n'
    with entered(shop, "tess") as tess, entered(shop, "adam") as adam:
        told = tess.post("/api/v1/jobs/check", json={"name": "till", "domain": "yard", "yaml": yaml})
        assert told.status_code == 422
        assert "it names a table that does not exist, or that you may not view" in told.json()["detail"]
        assert "sales" not in told.text
        assert (
            "silver/sales"
            in adam.post("/api/v1/jobs/check", json={"name": "till", "domain": "yard", "yaml": yaml}).text
        )


def test_an_existing_name_in_another_domain_is_no_new_file(shop: Workshop) -> None:
    with entered(shop, "adam") as adam:
        answer = adam.post("/api/v1/jobs/check", json={"name": "sales", "domain": "yard", "yaml": _SOURCE})
        assert (answer.status_code, "wanted a new name" in answer.text) == (409, True), answer.text


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


def opened(browser: Browser, address: str, path: str, size: dict[str, int]) -> tuple[Page, list[str]]:
    page = browser.new_page(viewport=size)  # type: ignore[arg-type]
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{address}/login?next={path}")
    page.fill("[name=name]", "adam")
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button").click()
    expect(page.locator(".live.streaming")).to_be_visible()  # so the scripts are there
    return page, complaints


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.xdist_group("browser")
def test_a_pipeline_is_created_changed_compared_and_restored(shop: Workshop, browser: Browser) -> None:
    with served(shop) as address:
        page, _ = opened(browser, address, "/dashboard/new-pipeline?begin=empty", DESKTOP)
        page.get_by_label("Name").fill("till")
        page.get_by_label("Domain").fill("yard")
        page.locator("textarea").fill(_SOURCE.replace("csv,", "csvv,"))
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_text("nearest: csv")).to_be_visible()
        page.locator("textarea").fill(_SOURCE)
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_text("The whole project is valid with this text.")).to_be_visible()
        expect(page.locator("textarea")).to_have_value(_SOURCE)
        page.get_by_role("button", name="Create").click()
        page.wait_for_url("**/dashboard/pipelines/till?saved=1")
        assert file_of(shop, "till", "yard").read_text() == _SOURCE
        page.locator("textarea").fill(f"description: Tills\n{_SOURCE}")
        page.get_by_role("button", name="Save").click()
        page.get_by_text("replaced by adam").wait_for()
        assert file_of(shop, "till", "yard").read_text() == f"description: Tills\n{_SOURCE}"
        page.locator(".versions a").first.click()
        expect(page.locator(".diff .added", has_text="+description: Tills")).to_be_visible()
        page.get_by_role("button", name="Save").click()
        page.wait_for_url("**/dashboard/pipelines/till?saved=1")
        expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
        assert file_of(shop, "till", "yard").read_text() == _SOURCE
        assert len(Editing(shop.root / "assets_config", "").versions("till")) == 2
        page.close()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.xdist_group("browser")
def test_a_file_that_was_changed_meanwhile_is_not_overwritten(shop: Workshop, browser: Browser) -> None:
    with served(shop) as address:
        page, _ = opened(browser, address, "/dashboard/pipelines/shops", DESKTOP)
        other = f"description: by another\n{file_of(shop, 'shops', 'yard').read_text()}"
        file_of(shop, "shops", "yard").write_text(other)
        page.locator("textarea").fill(f"description: mine\n{_SOURCE}")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("[role=status].said-bad")).to_be_visible()
        assert file_of(shop, "shops", "yard").read_text() == other
        page.close()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", ["/dashboard/pipelines", "/dashboard/pipelines/sales", "/dashboard/new-pipeline"])
def test_pages_fit_and_the_browser_complains_of_nothing(
    shop: Workshop, browser: Browser, path: str, size: dict[str, int]
) -> None:
    with served(shop) as address:
        page, complaints = opened(browser, address, path, size)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert complaints == []
        page.close()
