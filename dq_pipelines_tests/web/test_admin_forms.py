"""Forms of the admin pages in a browser: what is refused is said in the words of the form, and a secret can be copied."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines_tests.chromium import DESKTOP
from dq_pipelines_tests.web.conftest import build
from dq_pipelines_tests.web.hosting import Hosted, hosting
from dq_pipelines_tests.web.test_run_page import opened

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosting(build(tmp_path_factory.mktemp("admin_forms")), {"adam": [Grant(Role.ADMIN)]}) as made:
        yield made


def test_a_first_password_is_copied_and_a_refusal_names_the_field(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=DESKTOP, permissions=["clipboard-read", "clipboard-write"])  # type: ignore[arg-type]
    page, _ = opened(context, address, "adam", "/dashboard/admin/users")
    form = page.locator("form", has=page.locator("[name=user]"))
    form.locator("[name=user]").fill("neo")
    form.locator("[name=grants]").fill("king")
    form.get_by_role("button", name="Add").click()
    expect(form.locator("[role=status]")).to_contain_text("Roles: wanted a role of viewer")
    form.locator("[name=grants]").fill("viewer")
    form.get_by_role("button", name="Add").click()
    expect(form.locator("[role=status]")).to_contain_text("First password, shown only now: ")
    form.get_by_role("button", name="Copy").click()
    expect(form.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert len(copied) > 12
    assert copied in form.locator("[role=status]").inner_text()
    context.close()
