"""A run's page: its content when loaded, and in a real browser its progress until a user cancels the run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from dq_pipelines_tests.chromium import DESKTOP, PHONE, apart
from dq_pipelines_tests.web.api.test_runs import USERS, build_slow, held_up, launched
from dq_pipelines_tests.web.hosting import PASSWORD, Hosted, hosting
from dq_pipelines_tests.web.html import Page as Page_

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosting(build_slow(tmp_path_factory.mktemp("run_page")), USERS) as made:
        yield made


@pytest.fixture(scope="module")
def done(here: Hosted) -> str:
    """A run in which two rows were refused and a warning was told."""
    here.shop.land("sales/b.csv", "id,amount,shop,note\n4,-1,north,a\n5,-2,north,\n6,5,west,\n7,6,south,\n")
    run = launched(here, "bronze/sales", "silver/sales", "quarantine/sales")
    assert here.ended(run).status.value == "SUCCESS"
    return run


def opened(context: BrowserContext, address: str, user: str, path: str) -> tuple[Page, list[str]]:
    """A page that this user has opened, and what the browser complained of."""
    page = context.new_page()
    page.goto(f"{address}/login?next=/health")
    page.fill("[name=name]", user)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button").click()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}{path}")
    return page, complaints


@contextmanager
def holding(here: Hosted, table: str) -> Iterator[str]:
    """`held_up`, in a thread where Dagster can be asked."""
    held = held_up(here, table)
    run = apart(held.__enter__)
    try:
        yield run
    finally:
        apart(lambda: held.__exit__(None, None, None))


def test_the_page_shows_the_progress_without_scripts(here: Hosted, done: str) -> None:
    page = here.as_user("vera").get(f"/dashboard/runs/{done}").text
    for told in ("succeeded", "silver/sales", "Launched by otto", "2 of 4 rows", "rows_accounted_for", f"/runs/{done}"):
        assert told in page
    between = page[page.index('data-check="amount__between"') :]
    assert '"badge warning"' in between[: between.index("</tr>")], "its rows are refused, the rest is published"
    assert page.count('"badge failing"') == 0
    assert page.count('"badge wait"') == 0
    assert "data-over" in page
    assert 'id="cancel"' not in page


def test_a_run_on_hidden_tables_is_not_found(here: Hosted, done: str) -> None:
    for user, run in (("flo", done), ("vera", "nowhere")):
        answer = here.as_user(user).get(f"/dashboard/runs/{run}")
        assert answer.status_code == 404
        assert f"no record of a run {run}" in answer.text


def test_lists_of_runs_lead_to_their_pages(here: Hosted, done: str) -> None:
    page = here.as_user("vera").get("/dashboard/tables/silver/sales").text
    assert f'href="/dashboard/runs/{done}"' in page


@pytest.mark.usefixtures("done")
def test_the_page_tells_the_run_from_the_table(here: Hosted) -> None:
    """The run's own rules are counted as the list of runs counts them; rows of earlier batches are the table's."""
    here.shop.land("sales/d.csv", "id,amount,shop,note\n20,7,north,a\n")
    run = launched(here, "bronze/sales", "silver/sales", "quarantine/sales")
    assert here.ended(run).status.value == "SUCCESS"
    text = Page_.of(here.browser("vera").get(f"/dashboard/runs/{run}").text).text
    own = re.search(r"rules not met (\d+) of (\d+)", text)
    now = re.search(r"The table now: (\d+) of \d+ rules not met; (\d+) refused rows of all batches wait", text)
    assert own is not None, text
    assert now is not None, text
    assert own[1] == "0"
    assert int(now[1]) >= 1
    assert int(now[2]) >= 2
    listed = here.browser("vera").get("/dashboard/runs").text
    row = listed[listed.index(f'data-run="{run}"') :]
    assert f">{own[1]} of {own[2]}<" in row[: row.index("</tr>")]


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
def test_it_fits_and_the_browser_complains_of_nothing(
    browser: Browser, address: str, done: str, size: dict[str, int], scheme: str
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page, complaints = opened(context, address, "otto", f"/dashboard/runs/{done}")
    expect(page.locator(".live")).to_have_text("the run has ended")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert complaints == []
    context.close()


def test_the_log_is_read_when_it_is_opened(browser: Browser, address: str, done: str) -> None:
    context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    page, complaints = opened(context, address, "vera", f"/dashboard/runs/{done}")
    expect(page.locator("#log li")).to_have_count(0)
    page.locator("#log summary").click()
    expect(page.locator("#log")).to_contain_text(
        re.compile(r"published \d+ of \d+ rows to silver/sales"), timeout=20_000
    )
    assert complaints == []
    context.close()


def test_a_run_is_watched_and_cancelled_from_its_page(here: Hosted, browser: Browser, address: str) -> None:
    with holding(here, "slow") as run:
        context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
        page, complaints = opened(context, address, "otto", f"/dashboard/runs/{run}")
        expect(page.locator(".live")).to_have_text("live")
        expect(page.locator("#status")).to_have_text("running")
        expect(page.locator(".stage")).to_have_text("wait")  # for whoever holds its table
        looking, _ = opened(browser.new_context(), address, "vera", f"/dashboard/runs/{run}")
        expect(looking.locator("#status")).to_have_text("running")
        assert looking.locator("#cancel").count() == 0
        page.get_by_role("button", name="Cancel this run").click()
        for watched in (page, looking):
            expect(watched.locator("#status")).to_have_text("cancelled", timeout=20_000)
        expect(page.locator("#cancel")).to_be_hidden()
        assert complaints == []
        assert apart(lambda: here.ended(run)).status.value == "CANCELED"
        assert [(event.who, event.on, event.result) for event in here.heard("cancel")][:1] == [("otto", run, "done")]
        context.close()


def test_results_of_rules_appear_one_by_one(here: Hosted, browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    here.shop.land("sales/c.csv", "id,amount,shop,note\n8,-1,north,a\n9,3,north,\n")
    with holding(here, "sales") as run:
        page, _ = opened(context, address, "otto", f"/dashboard/runs/{run}")
        expect(page.locator(".badge.wait")).to_have_count(3)
    expect(page.locator("#status")).to_have_text("succeeded", timeout=60_000)
    expect(page.locator(".badge.wait")).to_have_count(0)
    expect(page.locator("[data-check=amount__between] .badge.warning")).to_have_count(1)
    expect(page.locator(".badge.failing")).to_have_count(0)
    expect(page.locator("[data-check=amount__between] .found")).to_have_text("1 of 2 rows")
    expect(page.locator("progress")).to_have_count(0)
    expect(page.locator(".stages li")).to_have_text(
        [re.compile(name) for name in ("wait", "read", "judge", "land", "quarantine", "publish")]
    )
    expect(page.get_by_text("so far")).to_have_count(0)
    followed = page.locator("main").inner_text()
    page.reload()
    expect(page.locator("main")).to_have_text(re.compile("rules not met"))
    assert page.locator("main").inner_text() == followed, (
        "a page that was followed to the end shows what a reload shows"
    )
    context.close()
