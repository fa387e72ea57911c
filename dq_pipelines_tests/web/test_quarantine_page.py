"""The pages of quarantine: their content by role, and in a real browser what a steward corrects, tries, replays and dismisses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dq_pipelines_tests.chromium import DESKTOP, PHONE, apart
from dq_pipelines_tests.web.api.test_quarantine_rows import BETWEEN, USERS
from dq_pipelines_tests.web.api.test_quarantine_workbook import corrected
from dq_pipelines_tests.web.conftest import XSS, build
from dq_pipelines_tests.web.hosting import Hosted, hosting
from dq_pipelines_tests.web.html import Page as Html
from dq_pipelines_tests.web.test_run_page import opened
from dq_pipelines_tests.workshop import Workshop

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

ORDERS = """
source: {type: csv, path: "{landing}/orders/*.csv"}
silver:
  keys: [id]
  columns: {id: int64, amount: int64, day: {type: date, from: Day, format: "%d.%m.%Y"}, paid: boolean, size: string}
  transform: [{derive: {twice: "amount * 2"}}]
  rules:
    - {type: expect_column_values_to_be_between, column: amount, min_value: 0}
    - {type: expect_column_values_to_be_in_set, column: size, value_set: [S, M, L]}
"""
LINES = [
    "id,amount,Day,paid,size",
    "1,10,01.02.2026,true,S",
    "2,-5,02.02.2026,true,M",
    "3,50,03.02.2026,false,XXL",
    "4,7,31.02.2026,true,L",
    "5,-8,05.02.2026,true,S",
    "6,-9,06.02.2026,maybe,S",
]
AT = "/dashboard/quarantine/silver/orders"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    shop = build(tmp_path_factory.mktemp("quarantine_page"))
    shop.table("orders", ORDERS)
    shop.table("new", 'source: {type: csv, path: "{landing}/new/*.csv"}\nsilver: {columns: {id: int64}}', "elsewhere")
    shop.land("orders/a.csv", "\n".join(LINES) + "\n")
    quoted = XSS.replace('"', '""')
    many = "".join(f'{number},-1,north,"{quoted}"\n' for number in range(100, 140))
    shop.land("sales/b.csv", f"id,amount,shop,note\n{many}")
    with shop.instance:
        assert shop.run("orders").success
        assert shop.run("sales").success
    with hosting(Workshop(shop.root), USERS) as made:
        yield made


def seen(here: Hosted, user: str, path: str) -> str:
    answer = here.browser(user).get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def ids(text: str) -> list[str]:
    """The ids of the refused rows on a page."""
    return re.findall(r'data-row="([^"]+)"', text)


def row(page: Page, line: int) -> Any:
    """The row of this line of the file of orders."""
    return page.locator(f'.refused-row[data-row$=":{line}"]')


def test_open_rows_are_counted_by_table_reason_and_age(here: Hosted) -> None:
    text = Html.of(seen(here, "vera", "/dashboard/quarantine")).text
    assert "45 refused rows wait for somebody" in text
    assert re.search(r"silver/sales.*?shop.*?40", text)
    assert re.search(rf"silver/orders\s+amount is at least 0\s+{BETWEEN} of amount\s+3\s+3", text), text
    filtered = seen(here, "vera", "/dashboard/quarantine?table=orders")
    assert "silver/orders" in filtered
    assert "silver/sales" not in filtered
    assert "There is no table or domain order (nearest: " not in seen(here, "vera", "/dashboard/quarantine?table=order")
    assert "There is no table or domain ordrs" in seen(here, "vera", "/dashboard/quarantine?table=ordrs")


def test_links_lead_here_from_the_overview_and_the_table(here: Hosted) -> None:
    for path, link in (
        ("/dashboard/", 'href="/dashboard/quarantine"'),
        ("/dashboard/tables/silver/orders", f'href="{AT}'),
    ):
        text = seen(here, "vera", path)
        assert link in text
        assert "dq quarantine list --table" not in text
    assert f"{AT}?rule={BETWEEN}&amp;column=amount" in seen(here, "vera", "/dashboard/quarantine")


def test_a_row_has_its_reasons_its_line_and_its_cells(here: Hosted) -> None:
    text = seen(here, "vera", f"{AT}?rule=cast&column=day")
    assert len(ids(text)) == 1
    shown = Html.of(text).text
    for told in ("a.csv:5", "day fits its type date as %d.%m.%Y, got 31.02.2026 cast of day", "31.02.2026", "twice"):
        assert told in shown, told
    assert str(here.shop.root) not in shown, "no folder of the server"
    assert "data-act" not in text, "a viewer only looks"
    assert "data-corrects" not in text
    [event] = here.heard("read.quarantine")[:1]
    assert (event.who, event.on, event.more) == ("vera", "silver/orders", {"rows": 1})


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 25), ("?status=all", 25), ("?status=dismissed", 0), ("?rule=cast", 0), ("?status=rubbish&after=[]", 25)],
)
def test_filters(here: Hosted, query: str, count: int) -> None:
    assert len(ids(seen(here, "vera", f"/dashboard/quarantine/silver/sales{query}"))) == count


def test_pages_are_passed_through_and_hostile_texts_stay_texts(here: Hosted) -> None:
    first = seen(here, "stella", "/dashboard/quarantine/silver/sales")
    assert "<script>alert" not in first
    assert "<img src=x" not in first
    (link,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = seen(here, "stella", link.replace("&amp;", "&"))
    assert (len(ids(first)), len(ids(second)), len({*ids(first), *ids(second)})) == (25, 15, 40)
    assert 'rel="next"' not in second


def test_inputs_follow_the_types_of_columns(here: Hosted) -> None:
    text = seen(here, "stella", f"{AT}?rule=cast&column=day")
    assert re.search(r'name="amount"[^>]*type="number" value="7"[^>]*step="1"', text)
    assert re.search(r'name="day"[^>]*aria-invalid="true" type="date" value=""', text)
    assert re.search(r'<select[^>]*name="paid".*?<option value="true" selected>', text)
    assert re.search(r'<select[^>]*name="size".*?<option value="L" selected>', text)
    assert 'name="id"' not in text, "a key that no rule has refused"
    assert 'name="twice"' not in text, "a step makes it"


def test_a_hidden_table_is_not_there_and_the_log_knows(here: Hosted) -> None:
    assert here.browser("flo").get(AT).status_code == 404
    [event] = here.heard("read.quarantine")[:1]
    assert (event.who, event.on, event.result) == ("flo", "silver/orders", "refused")
    text = seen(here, "flo", "/dashboard/quarantine")
    assert "silver/orders" not in text
    assert "No refused row waits" in text
    assert here.browser("vera").get("/dashboard/quarantine/silver/ordrs").status_code == 404


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
def test_they_fit_and_the_browser_complains_of_nothing(
    browser: Browser, address: str, size: dict[str, int], scheme: str
) -> None:
    with closing(browser.new_context(viewport=size, color_scheme=scheme)) as context:  # type: ignore[arg-type]
        page, complaints = opened(context, address, "stella", "/dashboard/quarantine")
        expect(page.get_by_role("link", name="silver/orders").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        page.goto(f"{address}{AT}")
        row(page, 3).get_by_text("Correct", exact=True).click()
        expect(row(page, 3).get_by_label("amount")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert complaints == []


def test_a_wrong_value_is_refused_beside_its_field(here: Hosted, browser: Browser, address: str) -> None:
    before = here.shop.versions()
    with closing(browser.new_context(viewport=DESKTOP)) as context:  # type: ignore[arg-type]
        page, _ = opened(context, address, "stella", AT)
        one = row(page, 6)
        one.get_by_text("Correct", exact=True).click()
        field = one.get_by_label("amount")
        field.fill("8.5")
        field.press("Enter")
        said = one.locator(".field:has([name=amount]) [role=alert]")
        expect(said).to_have_text("wanted int64, got '8.5'")
        expect(one.locator("form [role=status]")).to_have_text("Nothing is saved.")
        expect(field).to_be_focused()
        expect(field).to_have_value("8.5")
    assert here.shop.versions() == before


def test_three_rows_are_mended_and_replayed(here: Hosted, browser: Browser, address: str) -> None:
    with closing(browser.new_context(viewport=DESKTOP)) as context:  # type: ignore[arg-type]
        page, complaints = opened(context, address, "stella", AT)
        for line, column, value in ((3, "amount", "5"), (4, "size", "L"), (5, "day", "2026-02-28")):
            one = row(page, line)
            one.get_by_text("Correct", exact=True).click()
            field = one.get_by_label(column)
            if column == "size":
                field.select_option(value)
            else:
                field.fill(value)
            one.get_by_role("button", name="Save").click()
            expect(row(page, line).get_by_text("corrected", exact=True)).to_be_visible()
        for line in (3, 4, 5):
            row(page, line).locator("[data-tick]").check()
        before = here.shop.versions()
        page.get_by_role("button", name="Try a replay").click()
        said = page.locator(".decide [role=status]")
        expect(said).to_contain_text("3 would be published, 0 refused still", timeout=60_000)
        assert here.shop.versions() == before
        page.get_by_role("button", name="Replay", exact=True).click()
        expect(said).to_contain_text("3 published, 0 refused still", timeout=60_000)
        expect(row(page, 3)).to_have_count(0)
        expect(page.locator(".refused-row")).to_have_count(2)
        assert complaints == []
    assert here.shop.rows("silver/orders", "id", "amount", "size", "twice") == [
        (1, 10, "S", 20), (2, 5, "M", 10), (3, 50, "L", 100), (4, 7, "L", 14),
    ]  # fmt: skip
    [replayed] = [event for event in here.heard("quarantine.replay") if event.more.get("dry_run") is False]
    assert replayed.who == "stella"
    assert apart(lambda: here.heard("quarantine.correct")[0].who) == "stella"


def test_rows_are_dismissed_with_a_note_and_opened_again(browser: Browser, address: str) -> None:
    with closing(browser.new_context(viewport=PHONE)) as context:  # type: ignore[arg-type]
        page, complaints = opened(context, address, "stella", AT)
        row(page, 6).locator("[data-tick]").check()
        page.get_by_role("button", name="Dismiss").click()
        said = page.locator(".decide [role=status]")
        expect(said).to_have_text("Say why first.")
        page.get_by_label("Why the rows are dismissed").fill("a test order")
        page.get_by_role("button", name="Dismiss").click()
        expect(said).to_have_text("1 row is dismissed.")
        expect(row(page, 6)).to_have_count(0)
        page.goto(f"{address}{AT}?status=dismissed")
        expect(row(page, 6)).to_contain_text("a test order")
        expect(row(page, 6)).to_contain_text("dismissed by stella")
        row(page, 6).locator("[data-tick]").check()
        page.get_by_role("button", name="Reopen").click()
        expect(said).to_have_text("1 row is open again.")
        assert complaints == []


def test_what_is_being_typed_survives_new_rows(here: Hosted, browser: Browser, address: str) -> None:
    with closing(browser.new_context(viewport=DESKTOP)) as context:  # type: ignore[arg-type]
        page, complaints = opened(context, address, "stella", AT)
        token = page.evaluate("document.body.dataset.token")
        row(page, 7).get_by_text("Correct", exact=True).click()
        row(page, 7).get_by_label("amount").fill("9")

        def another_run() -> None:
            here.shop.land("orders/b.csv", "id,amount,Day,paid,size\n20,-1,01.03.2026,true,S\n")
            with here.shop.instance:
                assert here.shop.run("orders").success

        apart(another_run)
        page.wait_for_timeout(3000)
        expect(row(page, 7).get_by_label("amount")).to_have_value("9")
        row(page, 7).get_by_role("button", name="Save").click()
        expect(row(page, 2)).to_be_visible(timeout=20_000)
        assert page.evaluate("document.body.dataset.token") != token
        expect(row(page, 7).get_by_text("corrected", exact=True)).to_be_visible()
        assert complaints == []


def test_a_workbook_goes_out_and_comes_back(here: Hosted, browser: Browser, address: str, tmp_path: Path) -> None:
    with closing(browser.new_context(viewport=DESKTOP)) as context:  # type: ignore[arg-type]
        page, complaints = opened(context, address, "stella", "/dashboard/quarantine/silver/sales")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the open rows").click()
        assert download.value.suggested_filename == "sales_refused.xlsx"
        changed = corrected(Path(download.value.path()).read_bytes(), {"100": {"amount": 1}, "101": {"amount": "one"}})
        path = tmp_path / "corrected.xlsx"
        path.write_bytes(changed)
        page.get_by_label("The corrected workbook").set_input_files(path)
        form = page.get_by_role("form", name="Upload the workbook")
        form.get_by_role("button", name="Try the workbook").click()
        expect(form.get_by_role("status")).to_have_text(
            "1 would be published, 0 would be dismissed, 1 refused still.", timeout=60_000
        )
        expect(form.get_by_role("listitem")).to_contain_text("amount: cast, wanted double, got one")
        form.get_by_role("button", name="Publish its corrections").click()
        expect(form.get_by_role("status")).to_have_text("1 published, 0 dismissed, 1 refused still.", timeout=60_000)
        expect(page.get_by_role("link", name="open 39")).to_be_visible(timeout=20_000)
        assert complaints == []
    assert (100, 1.0) in here.shop.rows("silver/sales", "id", "amount")
