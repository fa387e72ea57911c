"""Forms with a dry run: the action is off until a dry run of the same fields says that something would change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from dq_pipelines.web.dashboard.files import content
from dq_pipelines_tests.chromium import chromium

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

FORM = """<form class="dry-run"><input name="where"><input name="confirm" data-no-change>
<button type="button" data-dry-run>Dry run</button><button type="button" data-after-dry-run>Erase</button></form>"""
DONE = "document.querySelector('[data-dry-run]').dispatchEvent(new CustomEvent('dq:done', {bubbles: true, detail: {changes: %s}}))"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page()


def test_an_action_follows_the_dry_run_of_the_same_fields(page: Page) -> None:
    page.set_content(FORM)
    page.add_script_tag(content=content("dry_run.js").decode())
    action = page.locator("[data-after-dry-run]")
    assert action.is_disabled()
    page.evaluate(DONE % "true")
    assert action.is_enabled()
    page.fill("[name=confirm]", "sales")
    assert action.is_enabled(), "the name again changes nothing"
    page.fill("[name=where]", "id = 8")
    assert action.is_disabled(), "other rows were never tried"
    page.evaluate(DONE % "false")
    assert action.is_disabled(), "there is nothing to do"
    page.evaluate("window.tried = 0; document.querySelector('[data-dry-run]').onclick = () => { window.tried += 1; }")
    page.press("[name=where]", "Enter")
    assert (page.evaluate("window.tried"), action.is_disabled()) == (1, True), "Enter tries, and does not act"
