"""The page of runs: its content by role, and in a real browser what an operator starts, watches and cancels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import pytest
from playwright.sync_api import Browser, expect

from dq_pipelines.project import load_project
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.dagster_client.run_list import may_view_run
from dq_pipelines.web.dashboard.links import Served
from dq_pipelines.web.dashboard.templating import environment
from dq_pipelines_tests.chromium import DESKTOP, PHONE, apart
from dq_pipelines_tests.web.api.test_runs import USERS, build_slow, caller, launched
from dq_pipelines_tests.web.hosting import Hosted, hosting
from dq_pipelines_tests.web.html import Page
from dq_pipelines_tests.web.test_run_page import holding, opened

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosting(build_slow(tmp_path_factory.mktemp("runs_page")), USERS) as made:
        yield made


@pytest.fixture(scope="module")
def done(here: Hosted) -> str:
    """A run that refused two rows and failed one rule."""
    here.shop.land("sales/b.csv", "id,amount,shop,note\n4,-1,north,a\n5,-2,north,\n6,5,west,\n7,6,south,\n")
    run = launched(here, "bronze/sales", "silver/sales", "quarantine/sales")
    assert here.ended(run).status.value == "SUCCESS"
    return run


def rows(text: str) -> list[str]:
    """The ids of the runs on the page."""
    return re.findall(r'data-run="([^"]+)"', text)


def test_the_list_says_what_each_run_did(here: Hosted, done: str) -> None:
    text = here.browser("vera").get("/dashboard/runs").text
    assert rows(text)[0] == done
    row = Page.of(text[text.index(f'data-run="{done}"') : text.index("</tr>", text.index(f'data-run="{done}"'))]).text
    for told in ("succeeded", done[:8], "silver/sales", "otto"):
        assert told in row
    assert re.search(r"\b4\b.*\b2\b.*\b\d+ of \d+\b", row), row
    assert "Start a run" not in text
    assert "data-act" not in text


@pytest.mark.parametrize(
    ("query", "shows"),
    [
        ("status=succeeded", True),
        ("status=failed", False),
        ("status=succeeded&table=silver/sales&user=otto", True),
        ("table=sales", True),
        ("table=silver/shops", False),
        ("user=nobody", False),
        ("status=rubbish&after=rubbish", True),
    ],
)
def test_filters(here: Hosted, done: str, query: str, shows: bool) -> None:
    answer = here.browser("vera").get(f"/dashboard/runs?{query}")
    assert answer.status_code == 200
    assert (done in rows(answer.text)) == shows


def test_an_unknown_table_is_said_with_the_nearest(here: Hosted, done: str) -> None:
    text = here.browser("vera").get("/dashboard/runs?table=silver/sale").text
    assert "There is no table silver/sale (nearest: silver/sales)" in text
    assert done in rows(text)


def test_a_scoped_user_sees_and_starts_only_the_own_tables(here: Hosted, done: str) -> None:
    text = here.browser("flo").get("/dashboard/runs").text
    assert done not in rows(text)
    assert 'value="silver/slow"' in text
    assert "silver/sales" not in text
    assert ">Dagster</a>" not in text


def test_pages_are_passed_through(here: Hosted, done: str, monkeypatch: pytest.MonkeyPatch) -> None:
    another = launched(here, "bronze/sales", "silver/sales", "quarantine/sales")
    here.ended(another)
    monkeypatch.setattr("dq_pipelines.web.dashboard.runs_page._LIMIT", 1)
    client = here.browser("vera")
    first = client.get("/dashboard/runs")
    (link,) = re.findall(r'href="([^"]+)" rel="next"', first.text)
    second = client.get(link.replace("&amp;", "&"))
    assert rows(first.text) == [another]
    assert rows(second.text) == [done]


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
def test_it_fits_and_the_browser_complains_of_nothing(
    browser: Browser, address: str, done: str, size: dict[str, int], scheme: str
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page, complaints = opened(context, address, "otto", "/dashboard/runs")
    expect(page.locator(f'[data-run="{done}"]')).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert complaints == []
    context.close()


def test_a_run_is_cancelled_from_the_list_by_one_click(here: Hosted, browser: Browser, address: str) -> None:
    with holding(here, "slow") as run:
        context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
        page, complaints = opened(context, address, "otto", "/dashboard/runs?status=running")
        row = page.locator(f'[data-run="{run}"]')
        expect(row.locator("progress")).to_be_visible()
        page.get_by_role("button", name=f"Cancel run {run[:8]}").click()
        assert apart(lambda: here.ended(run)).status.value == "CANCELED"
        expect(page.get_by_text("There is no such run")).to_be_visible(timeout=20_000)
        assert [(event.who, event.on, event.result) for event in here.heard("cancel")][:1] == [("otto", run, "done")]
        assert complaints == []
        context.close()


def test_rules_are_run_from_a_table_in_two_clicks_and_watched(
    here: Hosted, browser: Browser, address: str, done: str
) -> None:
    context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    page, complaints = opened(context, address, "otto", "/dashboard/")
    page.get_by_role("link", name="silver/sales").first.click()
    page.get_by_role("button", name="Run the rules").click()
    page.wait_for_url("**/dashboard/runs/*")
    expect(page.locator("#status")).to_have_text("succeeded", timeout=60_000)
    run = page.url.rpartition("/")[2]
    assert run != done
    assert apart(lambda: here.ended(run)).job_name == "checks__sales"
    assert complaints == []
    context.close()


def test_a_refusal_is_said_beside_the_button(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    page, _ = opened(context, address, "otto", "/dashboard/runs")
    page.locator("select[name=table]").select_option("gold/by_shop")
    page.get_by_role("button", name="Judge all rows again").click()
    expect(page.locator("#start [role=status]")).to_contain_text("gold/by_shop is computed again by each run")
    assert page.url.endswith("/dashboard/runs")
    expect(page.get_by_role("button", name="Judge all rows again")).to_be_enabled()
    context.close()


def test_the_beginning_of_a_runs_id_leads_to_the_run(here: Hosted, done: str) -> None:
    def found(name: str, text: str) -> bool:
        answer = here.browser(name).get("/dashboard/search", params={"q": text})
        return f"/dashboard/runs/{done}" in Page.of(answer.text).links

    assert found("vera", done[:8])
    assert found("vera", done.upper())
    assert not found("vera", done[:3])
    assert not found("flo", done)


def test_a_key_leads_to_the_search(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    page, complaints = opened(context, address, "vera", "/dashboard/runs")
    page.keyboard.press("/")
    page.keyboard.type("sales/")  # within the search, the key is a letter as any other
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/dashboard/(search|tables)"))
    assert complaints == []
    context.close()


def test_the_overview_shows_what_runs_now_and_cancels_it_by_one_click(
    here: Hosted, browser: Browser, address: str
) -> None:
    with holding(here, "slow") as run:
        seen = {name: here.browser(name).get("/dashboard/running").text for name in USERS}
        assert {name for name, text in seen.items() if run in text} == set(USERS)
        assert {name for name, text in seen.items() if "Cancel" in text} == {"otto", "flo"}
        context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
        page, complaints = opened(context, address, "otto", "/dashboard/")
        row = page.locator(f'#running [data-run="{run}"]')
        expect(row).to_contain_text("silver/slow")
        row.get_by_role("button", name="Cancel").click()
        assert apart(lambda: here.ended(run)).status.value == "CANCELED"
        expect(row).to_have_count(0, timeout=30_000)
        assert complaints == []
        context.close()


def test_several_tables_are_started_at_once_from_the_catalog(here: Hosted, browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    page, complaints = opened(context, address, "otto", "/dashboard/catalog")
    before = set(rows(here.browser("otto").get("/dashboard/runs").text))
    for key in ("silver/sales", "silver/shops"):
        page.get_by_label(f"Tick {key}").check()
    page.get_by_role("button", name="Run the rules of the ticked tables").click()
    expect(page.locator("p.acts [role=status]")).to_have_text(
        "Started: the runs are on the page of runs.", timeout=30_000
    )
    new = [run for run in rows(here.browser("otto").get("/dashboard/runs").text) if run not in before]
    ended = [apart(lambda run=run: here.ended(run)) for run in new]  # type: ignore[misc]
    assert sorted(run.job_name for run in ended) == ["checks__sales", "checks__shops"]
    assert complaints == []
    context.close()


def test_who_may_start_nothing_ticks_nothing(here: Hosted) -> None:
    assert "data-tick" not in here.browser("vera").get("/dashboard/catalog").text
    assert "Tick silver/sales" not in here.browser("flo").get("/dashboard/catalog").text


def test_a_run_that_a_reader_may_not_view_is_no_link(here: Hosted, done: str) -> None:
    project = load_project(here.shop.root / "assets_config")
    link = "{% import 'parts.html.j2' as parts with context %}{{ parts.run_link(links, run) }}"

    def shown(name: str) -> str:
        rights = Rights(caller(name), project)
        links = Served("/dashboard", "", True, partial(may_view_run, here.host.instance, rights))
        return environment().from_string(link).render(links=links, run=done)

    assert f'href="/dashboard/runs/{done}"' in shown("vera")
    assert done[:8] in shown("flo")
    assert "href" not in shown("flo")
