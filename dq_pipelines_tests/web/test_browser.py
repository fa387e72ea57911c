"""The dashboard in a real browser: layout, console errors, keyboard, colour schemes and live updates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from dq_pipelines.history.alerts.alert import Alert
from dq_pipelines.history.alerts.alert_book import AlertBook
from dq_pipelines.history.alerts.handling import Handlings
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines_tests.chromium import DESKTOP, PHONE, apart, chromium
from dq_pipelines_tests.seeding import seed
from dq_pipelines_tests.web.conftest import bad_day, build
from dq_pipelines_tests.web.served import served
from dq_pipelines_tests.workshop import Workshop

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

SALES = "/dashboard/tables/silver/sales?column=amount"
RULE = "/dashboard/tables/silver/sales/rules/amount__between"
CATALOG = "/dashboard/catalog"
TABS = [
    f"{SALES}?tab={tab}" for tab in ("rules", "data", "lineage", "batches", "quarantine", "metrics", "yaml", "history")
]
PATHS = ("/dashboard/", CATALOG, SALES, *TABS, RULE, "/dashboard/none")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Two real days, and a month before them."""
    root = tmp_path_factory.mktemp("browser")

    def made() -> Workshop:
        shop = build(root)
        bad_day(shop)
        seed(shop.history, shop.lake, days=30)
        return Workshop(root)

    return apart(made)


@pytest.fixture(scope="module")
def address(shop: Workshop) -> Iterator[str]:
    with served(shop) as found:
        yield found


def opened(context: BrowserContext, address: str) -> tuple[Page, list[str]]:
    """A page that is drawn, and what the browser complained of."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    expect(page.locator(".plot:not(:has(.main-svg))")).to_have_count(0)
    expect(page.locator(".live .dot").and_(page.locator(".live:not(.streaming) .dot"))).to_have_count(0)
    return page, complaints


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", PATHS)
def test_it_fits_and_the_browser_complains_of_nothing(
    browser: Browser, address: str, path: str, size: dict[str, int]
) -> None:
    context = browser.new_context(viewport=size)  # type: ignore[arg-type]
    page, complaints = opened(context, f"{address}{path}")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    wide = """[...document.querySelectorAll('main *')].filter((one) => !one.closest('.scroll, svg, .yaml, .js-plotly-plot')
        && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 200))"""
    assert page.evaluate(wide) == []
    small = """[...document.querySelectorAll('text.legendtext, .xtick text, .ytick text')]
        .filter((one) => parseFloat(getComputedStyle(one).fontSize) < 10).length"""
    assert page.evaluate(small) == 0
    # What was answered with 404 is told by the browser itself.
    assert [said for said in complaints if "404" not in said] == []
    context.close()


def test_keyboard_navigation_has_a_visible_focus(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    page, _ = opened(context, f"{address}/dashboard/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    seen = []
    for _ in range(200):
        page.keyboard.press("Tab")
        told = page.evaluate(
            """() => { const one = document.activeElement, style = getComputedStyle(one);
            return [one.tagName, one.className, one.getAttribute('href') || '', style.outlineStyle, style.outlineWidth]; }"""
        )
        if told[0] == "BODY":
            break
        assert (told[3], told[4]) == ("solid", "3px"), told
        seen.append(told)
    kinds = {(tag, name) for tag, name, *_ in seen}
    assert {("A", ""), ("DIV", "scroll"), ("SUMMARY", "")} <= kinds
    assert RULE in [href for _, _, href, *_ in seen]
    tables = page.evaluate("document.querySelectorAll('.scroll:not(details:not([open]) *)').length")
    assert sum(name == "scroll" for _, name, *_ in seen) == tables >= 3  # failing rules, tables, domains
    context.close()


def test_failing_rows_are_reachable_by_keyboard(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    page, _ = opened(context, f"{address}/dashboard/")
    page.locator(f"#failing a[href='{RULE}']").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{RULE}")
    rows = page.locator("#failing-rows tbody tr")
    assert rows.count() == 2
    assert "b.csv:2" in rows.first.inner_text()
    assert page.evaluate("document.querySelectorAll('main img').length") == 0
    context.close()


def test_tables_in_the_picture_are_reachable_by_keyboard(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    page, _ = opened(context, f"{address}{CATALOG}")
    page.locator("[aria-label='Picture of the lineage']").focus()
    for key in ("silver/sales", "silver/shops", "gold/by_shop"):
        page.keyboard.press("Tab")
        told = page.evaluate(
            """() => { const one = document.activeElement, box = getComputedStyle(one.querySelector('rect'));
            return [one.getAttribute('href'), box.strokeWidth, one.getAttribute('aria-label')]; }"""
        )
        assert told[:2] == [f"/dashboard/tables/{key}", "3px"]
        assert told[2].startswith(key)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{told[0]}")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [CATALOG, *TABS])
def test_texts_of_tabs_have_contrast(
    browser: Browser, address: str, path: str, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport=DESKTOP, color_scheme=scheme)  # type: ignore[arg-type]
    page, _ = opened(context, f"{address}{path}")
    assert page.evaluate(_FAINT) == []
    context.close()


def test_tabs_need_no_script(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{address}{SALES}")
    page.get_by_role("link", name="Rules").click()
    page.wait_for_url("**?tab=rules")
    page.get_by_role("link", name="amount is at least 0").click()
    page.wait_for_url(f"**{RULE}")
    assert page.locator("h1").inner_text().endswith("amount is at least 0")
    context.close()


def test_colours_follow_the_reader(browser: Browser, address: str) -> None:
    """Backgrounds, texts and charts; each text has the contrast that WCAG asks for (4.5 to 1)."""
    seen = {}
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport=DESKTOP, color_scheme=scheme)  # type: ignore[arg-type]
        page, _ = opened(context, f"{address}{SALES}")
        seen[scheme] = page.evaluate(
            """() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,
            document.querySelector('.plot .xtick text').style.fill]"""
        )
        assert page.evaluate(_FAINT) == []
        context.close()
    assert all(light != dark for light, dark in zip(seen["light"], seen["dark"], strict=True))


#: Texts whose contrast with what is behind them is below 4.5.
_FAINT = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (one) => { for (; one; one = one.parentElement) {
    const colour = parse(getComputedStyle(one).backgroundColor); if (colour.length === 3 || colour[3] > 0) return colour; } };
  return [...document.querySelectorAll('main *, header *')].filter((one) => [...one.childNodes].some(
      (node) => node.nodeType === 3 && node.textContent.trim()) && !one.closest('svg, script') && one.offsetParent)
    .map((one) => { const [a, b] = [light(parse(getComputedStyle(one).color)), light(behind(one))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.outerHTML.slice(0, 120)]; })
    .filter(([ratio]) => ratio < 4.5);
}"""


def test_a_new_run_appears_without_disturbing_the_reader(browser: Browser, tmp_path: Path) -> None:
    shop = apart(lambda: build(tmp_path))
    with served(shop) as address:
        context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
        page, complaints = opened(context, f"{address}/dashboard/")
        assert "Every table that has run is healthy" in page.inner_text("#hero")
        page.locator("#figure-layers summary").click()
        page.locator("#tables a", has_text="silver/shops").focus()
        apart(lambda: bad_day(Workshop(shop.root)))
        expect(page.locator("#hero")).to_contain_text("1 of 3 tables need attention", timeout=20_000)
        assert page.evaluate("document.activeElement.textContent") == "silver/shops"
        assert page.evaluate("document.getElementById('numbers-layers').open")
        expect(page.locator("#plot-layers .main-svg").first).to_be_attached()
        assert complaints == []
        context.close()


def test_a_browser_polls_when_the_stream_fails(browser: Browser, tmp_path: Path) -> None:
    shop = apart(lambda: build(tmp_path))
    with served(shop) as address:
        context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
        context.route("**/dashboard/events", lambda route: route.abort())
        page = context.new_page()
        page.goto(f"{address}/dashboard/")
        expect(page.locator(".live.asking")).to_be_attached(timeout=20_000)
        apart(lambda: bad_day(Workshop(shop.root)))
        expect(page.locator("#hero")).to_contain_text("1 of 3 tables need attention", timeout=20_000)
        context.close()


def test_the_report_needs_no_network(browser: Browser, shop: Workshop, tmp_path: Path) -> None:
    from dq_pipelines.web.dashboard.report import report
    from dq_pipelines_tests.web.conftest import site_of

    path = tmp_path / "report.html"
    path.write_text(report(site_of(shop)), encoding="utf-8")
    context = browser.new_context(viewport=PHONE, reduced_motion="reduce")  # type: ignore[arg-type]
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page, complaints = opened(context, path.as_uri())
    assert (asked, complaints) == ([path.as_uri()], [])
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.locator("#tables a", has_text="silver/sales").click()
    assert page.evaluate("location.hash") == "#silver-sales"
    assert page.evaluate("document.getElementById('silver-sales').getBoundingClientRect().top") < PHONE["height"]
    context.close()


def test_an_alert_is_acknowledged_by_one_click(browser: Browser, tmp_path: Path) -> None:
    """Without users nobody may act, so this one logs in."""
    own = apart(lambda: build(tmp_path))
    at = datetime.now(UTC)
    AlertBook(own.history).write(
        [Alert("check_failed", "silver/sales", "amount", None, "critical", 3, "3 rows fail", "", at)], at
    )
    Users(own.state.url).add("stella", "correct horse battery", [Grant(Role.STEWARD)])
    with served(own) as address:
        page = browser.new_page()
        page.goto(f"{address}/login?next=/dashboard/alerts")
        page.fill("[name=name]", "stella")
        page.fill("[name=password]", "correct horse battery")
        page.get_by_role("button").click()
        expect(page.locator(".live.streaming")).to_be_visible()  # so the scripts are there
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.get_by_text("acknowledged by stella")).to_be_visible()
        page.get_by_text("More").click()
        page.get_by_label("Assign to").fill("nobody")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("there is no user 'nobody'")).to_be_visible()
        page.get_by_label("Assign to").fill("stella")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("assigned to stella")).to_be_visible()
        page.close()
    found = Handlings(own.history).by_number()[1]
    assert (found.acknowledged_by, found.assigned_to) == ("stella", "stella")
