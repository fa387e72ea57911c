"""From a messy workbook to a running, scheduled pipeline, in a browser and without a file touched by hand; and what the page says on the way."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines_tests.chromium import DESKTOP, PHONE
from dq_pipelines_tests.uploads.test_inspection import messy
from dq_pipelines_tests.web.conftest import SALES, SHOPS
from dq_pipelines_tests.web.hosting import PASSWORD, Hosted, hosting
from dq_pipelines_tests.workshop import Workshop

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("dagster-browser")]

USERS = {
    "adam": [Grant(Role.ADMIN)],
    "tess": [Grant(Role.ADMIN, "domain:yard")],
    "vera": [Grant(Role.VIEWER)],
}
#: Milliseconds in which a file is looked at, or a run ends, on a busy machine.
PATIENCE = 120_000


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    shop = Workshop(tmp_path_factory.mktemp("new"))
    shop.table("sales", SALES)
    shop.table("shops", SHOPS, "yard")
    shop.landing.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DQ_LANDING", str(shop.landing))
        with hosting(shop, USERS) as made:
            yield made


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return messy(tmp_path_factory.mktemp("book") / "Stock of May.xlsx")


def opened(browser: Browser, address: str, name: str, size: dict[str, int] = DESKTOP) -> Page:
    page = browser.new_page(viewport=size)  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}/login?next=/dashboard/new-pipeline")
    page.fill("[name=name]", name)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button").click()
    page.wait_for_url("**/dashboard/new-pipeline")
    return page


def dropped(page: Page, path: Path) -> None:
    """Drop a file on the page, as a person drags it there."""
    transfer = page.evaluate_handle(
        """([name, bytes]) => { const made = new DataTransfer();
        made.items.add(new File([Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0))], name)); return made; }""",
        [path.name, _base64(path)],
    )
    page.dispatch_event("#drop", "dragover", {"dataTransfer": transfer})
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def shown(page: Page, step: str) -> Any:
    return expect(page.locator(f"#step-{step}")).to_be_visible(timeout=PATIENCE)


def test_a_messy_workbook_becomes_a_running_scheduled_pipeline(
    here: Hosted, browser: Browser, address: str, workbook: Path
) -> None:
    page, began = opened(browser, address, "tess"), time.monotonic()
    dropped(page, workbook)  # the only domain of this user is filled in
    shown(page, "yaml")
    expect(page.get_by_label("Sheet")).to_have_value("Data")
    expect(page.get_by_label("Row 4 has the names")).to_be_checked()
    expect(page.locator("#profile-said")).to_contain_text("61 rows, 4 columns")
    expect(page.get_by_label("Name", exact=True)).to_have_value("stock_of_may")
    expect(page.locator(".yaml-said")).to_have_text("The whole project is valid with this text.", timeout=PATIENCE)
    page.get_by_role("button", name="Try it on the file").click()
    expect(page.locator("#trial-said")).to_have_text("60 of 61 rows would be published, 1 refused.", timeout=PATIENCE)
    expect(page.get_by_role("region", name="Refused rows")).to_contain_text("cast of Id: Total")
    page.get_by_role("button", name="Save and run").click()
    page.wait_for_url("**/dashboard/runs/*", timeout=PATIENCE)
    run_id = page.url.rpartition("/")[2]
    assert here.ended(run_id, PATIENCE / 1000).status.value == "SUCCESS"
    assert time.monotonic() - began < 300, "a person has five minutes"
    page.goto(f"{address}/dashboard/pipelines/stock_of_may")
    expect(page.locator("#starts")).to_contain_text("stock_of_may_schedule")
    expect(page.locator("#starts .badge").first).to_have_text("on")
    expect(page.locator("#starts")).to_contain_text("next ticks: ")
    assert here.shop.lake.table("silver/stock_of_may").rows() == 60
    assert here.shop.lake.table("quarantine/stock_of_may").rows() == 1
    schedules = here.browser("adam").get("/api/v1/scheduler").json()["schedules"]
    (clock,) = (one for one in schedules if one["name"] == "stock_of_may_schedule")
    assert (clock["running"], clock["cron"], clock["next_tick"] is not None) == (True, "0 2 * * *", True)
    page.get_by_role("button", name="Turn off").click()
    expect(page.locator("#starts .badge").first).to_have_text("off", timeout=PATIENCE)
    page.goto(f"{address}/dashboard/pipelines")
    expect(page.locator("tr", has_text="stock_of_may")).to_contain_text("off")
    page.close()


def test_the_sheet_and_the_header_are_chosen_by_hand(browser: Browser, address: str, workbook: Path) -> None:
    page = opened(browser, address, "adam")
    page.get_by_label("Domain").fill("yard")
    page.locator("#file").set_input_files(workbook)
    shown(page, "yaml")
    page.get_by_label("Row 5 has the names").check()
    expect(page.locator("#profile")).to_contain_text("nut", timeout=PATIENCE)
    expect(page.locator("#yaml")).to_have_value(_containing("header_row: 5"), timeout=PATIENCE)
    page.get_by_label("Runs start").select_option("arrival")
    expect(page.locator("#yaml")).to_have_value(_containing("on_arrival: true"), timeout=PATIENCE)
    page.get_by_label("Sheet").select_option("Cover")
    expect(page.locator("#table-said")).to_contain_text("wanted a table", timeout=PATIENCE)
    page.close()


def _containing(text: str) -> Any:
    return re.compile(re.escape(text))


def test_a_typed_text_stays_and_its_mistakes_are_marked(browser: Browser, address: str, workbook: Path) -> None:
    page = opened(browser, address, "adam")
    page.get_by_label("Domain").fill("yard")
    page.locator("#file").set_input_files(workbook)
    shown(page, "yaml")
    area = page.locator("#yaml")
    area.fill("# mine\nnonsense: 1\nsource: {type: csvv}\n")
    marked = page.locator(".gutter .bad")
    expect(marked).to_have_text(["2", "3"], timeout=PATIENCE)
    expect(page.locator(".mistakes")).to_contain_text("nearest: csv")
    page.get_by_role("button", name="Line 2").click()
    assert page.evaluate("document.activeElement.id") == "yaml"
    assert area.evaluate("(one) => one.value.slice(one.selectionStart, one.selectionEnd)") == "nonsense: 1"
    page.get_by_label("Owner").fill("team:yard")
    page.get_by_label("Owner").press("Tab")
    expect(page.get_by_role("button", name="Replace my text")).to_be_visible(timeout=PATIENCE)
    expect(area).to_have_value(_containing("# mine"))
    page.get_by_role("button", name="Replace my text").click()
    expect(area).to_have_value(_containing("owners: [team:yard]"))
    expect(marked).to_have_count(0, timeout=PATIENCE)
    page.close()


def test_completions_are_listed_and_taken_by_the_keyboard(browser: Browser, address: str, workbook: Path) -> None:
    page = opened(browser, address, "adam")
    page.get_by_label("Domain").fill("yard")
    page.locator("#file").set_input_files(workbook)
    shown(page, "yaml")
    area, words = page.locator("#yaml"), page.locator("[role=option]")
    area.fill("silver:\n  rules:\n    - {type: ")
    area.press("End")
    page.keyboard.type("expect_column_values_to_be_b")
    expect(words.first).to_contain_text("expect_column_values_to_be_between", timeout=PATIENCE)
    assert area.get_attribute("aria-activedescendant") == words.first.get_attribute("id")
    page.keyboard.press("Enter")
    page.keyboard.type(", column: ")
    expect(words).to_contain_text(["Id", "Item", "Count", "Price"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type(", min")
    expect(words.first).to_contain_text("min_value")
    page.keyboard.press("Escape")
    expect(words.first).to_be_hidden()
    assert area.input_value().endswith("- {type: expect_column_values_to_be_between, column: Count, min")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") != "yaml", "without a list, Tab goes on"
    page.close()


def test_what_is_saved_runs_by_a_click_on_its_page(
    here: Hosted, browser: Browser, address: str, tmp_path: Path
) -> None:
    (tmp_path / "tills.csv").write_text("id,name\n" + "".join(f"{number},n{number % 3}\n" for number in range(30)))
    page = opened(browser, address, "tess")
    page.locator("#file").set_input_files(tmp_path / "tills.csv")
    shown(page, "yaml")
    page.get_by_label("Runs start").select_option("arrival")
    expect(page.locator("#yaml")).to_have_value(_containing("on_arrival: true"), timeout=PATIENCE)
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/dashboard/pipelines/tills?saved=new", timeout=PATIENCE)
    expect(page.get_by_text("The pipeline is created")).to_be_visible()
    expect(page.locator("#starts")).to_contain_text("Sensor tills_arrivals")
    page.get_by_role("button", name="Run it now").click()
    page.wait_for_url("**/dashboard/runs/*", timeout=PATIENCE)
    assert here.ended(page.url.rpartition("/")[2], PATIENCE / 1000).status.value == "SUCCESS"
    assert here.shop.lake.table("silver/tills").rows() == 30
    page.close()


def test_markup_in_a_file_is_shown_as_text(browser: Browser, address: str, tmp_path: Path) -> None:
    marked = "<img src=x onerror=alert(1)>"
    (tmp_path / "marked.csv").write_text(f"id,{marked}\n" + "".join(f"{number},{marked}\n" for number in range(9)))
    page, requested = opened(browser, address, "tess"), list[str]()
    page.on("request", lambda request: requested.append(request.url))
    page.locator("#file").set_input_files(tmp_path / "marked.csv")
    shown(page, "yaml")
    page.get_by_role("button", name="Try it on the file").click()
    expect(page.locator("#trial-said")).to_contain_text("would be published", timeout=PATIENCE)
    for place in ("#first-rows", "#profile", "#trial"):
        expect(page.locator(place)).to_contain_text(marked)
    assert page.locator("main img").count() == 0
    assert [url for url in requested if url.endswith("/x")] == []
    page.close()


def test_a_file_that_is_none_of_ours_is_refused_in_a_sentence(browser: Browser, address: str, tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_text("id,name\n1,a\n")
    page = opened(browser, address, "tess")
    page.locator("#file").set_input_files(tmp_path / "x.xlsx")
    expect(page.locator("#file-said")).to_have_text(
        "x.xlsx: wanted an Excel workbook, as its name says, got other text"
    )
    expect(page.locator("#step-table")).to_be_hidden()
    page.close()


def test_a_file_that_waits_goes_on_after_the_page_was_closed(browser: Browser, address: str, workbook: Path) -> None:
    page = opened(browser, address, "tess")
    page.locator("#file").set_input_files(workbook)
    shown(page, "yaml")
    page.reload()
    page.locator("#waiting li").filter(has_text=workbook.name).first.get_by_role("button", name="Go on").click()
    shown(page, "yaml")
    page.reload()
    waiting = page.locator("#waiting li")
    expect(waiting.first).to_be_visible()
    for left in range(waiting.count(), 0, -1):
        waiting.first.get_by_role("button", name="Remove").click()
        expect(waiting).to_have_count(left - 1)
    page.close()


def test_who_may_not_create_reads_one_sentence(browser: Browser, address: str) -> None:
    page = opened(browser, address, "vera")
    expect(page.locator("main")).to_contain_text("You cannot create pipelines: to change tables' YAML")
    assert page.locator("main form, main textarea, main input").count() == 0
    page.close()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_fits_and_its_targets_are_large_enough(
    browser: Browser, address: str, workbook: Path, size: dict[str, int]
) -> None:
    page = opened(browser, address, "adam", size)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.get_by_label("Domain").fill("yard")
    page.locator("#file").set_input_files(workbook)
    shown(page, "yaml")
    page.get_by_label("Name", exact=True).fill("other")
    page.get_by_label("Name", exact=True).press("Tab")
    expect(page.locator("#yaml")).to_have_value(_containing("/yard/other/*.xlsx"), timeout=PATIENCE)
    page.get_by_role("button", name="Try it on the file").click()
    expect(page.locator("#trial-said")).to_contain_text("would be published", timeout=PATIENCE)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    small = "[...document.querySelectorAll('main button, main select, main input:not([type=radio])')].filter((one) => one.offsetParent && one.getBoundingClientRect().height < 24).length"
    assert page.evaluate(small) == 0
    assert complaints == []
    page.close()
