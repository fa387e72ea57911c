"""The steps of `docs/tutorial.md`, performed in a browser by the names that stand in bold there."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines_tests.chromium import DESKTOP
from dq_pipelines_tests.uploads.test_inspection import messy
from dq_pipelines_tests.web.conftest import SALES
from dq_pipelines_tests.web.hosting import PASSWORD, Hosted, hosting
from dq_pipelines_tests.web.test_new_pipeline_page import PATIENCE, dropped, shown
from dq_pipelines_tests.workshop import Workshop

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("dagster-browser")]

TEXT = (Path(__file__).parents[2] / "docs/tutorial.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    shop = Workshop(tmp_path_factory.mktemp("tutorial"))
    shop.table("sales", SALES)
    shop.landing.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DQ_LANDING", str(shop.landing))
        with hosting(shop, {"ann": [Grant(Role.ADMIN)]}) as made:
            yield made


def steps() -> list[list[str]]:
    """The names in bold of each step."""
    return [re.findall(r"\*\*(.+?)\*\*", step) for step in re.split(r"^\d+\. ", TEXT, flags=re.MULTILINE)[1:]]


def link(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).first.click()


def button(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def log_in(page: Page, name: str, password: str, enter: str) -> None:
    page.get_by_label(name).fill("ann")
    page.get_by_label(password).fill(PASSWORD)
    button(page, enter)
    page.wait_for_url("**/dashboard/")


def new_pipeline(page: Page, pipelines: str, new: str) -> None:
    link(page, pipelines)
    link(page, new)


def drop(page: Page, domain: str, place: str, workbook: Path) -> None:
    page.get_by_label(domain).fill("yard")
    expect(page.locator("#drop")).to_contain_text(place)
    dropped(page, workbook)
    shown(page, "yaml")
    expect(page.get_by_label("Sheet")).to_have_value("Data")


def profile(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator("#profile-said")).to_contain_text("61 rows, 4 columns")


def try_it(page: Page, name: str) -> None:
    button(page, name)
    expect(page.locator("#trial-said")).to_have_text("60 of 61 rows would be published, 1 refused.")


def save_and_run(page: Page, name: str) -> None:
    button(page, name)
    page.wait_for_url("**/dashboard/runs/*")
    expect(page.locator("#status")).to_have_text("succeeded")


def look(page: Page, catalog: str, table: str, data: str) -> None:
    link(page, catalog)
    link(page, table)
    expect(page.locator("main .badge").first).to_contain_text("warning")
    link(page, data)
    expect(page.locator("main")).to_contain_text("bolt")


def dismiss(page: Page, quarantine: str, table: str, every: str, name: str) -> None:
    page.get_by_role("navigation", name="Sections").get_by_role("link", name=quarantine).click()
    link(page, table)
    page.get_by_label(every).check()
    page.get_by_label("Why the rows are dismissed").fill("the line of totals")
    button(page, name)
    expect(page.locator("form.decide [role=status]")).to_contain_text("1 row is dismissed.")


def add_a_rule(page: Page, pipelines: str, table: str, check: str, save: str) -> None:
    page.get_by_role("navigation", name="Sections").get_by_role("link", name=pipelines).click()
    link(page, table)
    found = re.search(r"```yaml\n(.+?)```", TEXT, re.DOTALL)
    assert found is not None
    rule = textwrap.dedent(found[1]).strip()
    area = page.locator("#yaml")
    area.fill(area.input_value().replace("  rules:\n", f"  rules:\n    {rule}\n"))
    button(page, check)
    expect(page.get_by_text("The whole project is valid with this text.").first).to_be_visible()
    button(page, save)
    expect(page.locator(".note.done")).to_have_text("Saved.")


def run_the_rules(page: Page, run: str, catalog: str) -> None:
    button(page, run)
    page.wait_for_url("**/dashboard/runs/*")
    expect(page.locator("#status")).to_have_text("succeeded")
    link(page, catalog)
    row = page.locator("tr", has_text="silver/stock_of_may")
    expect(row).to_contain_text("healthy")
    expect(row).to_contain_text(re.compile(r"20\d\d-\d\d-\d\d 02:00"))


PERFORMED: list[Callable[..., None]] = [
    log_in, new_pipeline, drop, profile, try_it, save_and_run, look, dismiss, add_a_rule, run_the_rules,
]  # fmt: skip


def test_the_tutorial_works_as_written(here: Hosted, browser: Browser, address: str, tmp_path: Path) -> None:
    workbook = messy(tmp_path / "Stock of May.xlsx")
    page = browser.new_page(viewport=DESKTOP)  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    try:
        page.goto(f"{address}/login")
        for perform, names in zip(PERFORMED, steps(), strict=True):
            perform(page, *names, *([workbook] if perform is drop else []))
    finally:
        expect.set_options(timeout=5_000)
        page.close()
    assert here.shop.lake.table("silver/stock_of_may").rows() == 60
