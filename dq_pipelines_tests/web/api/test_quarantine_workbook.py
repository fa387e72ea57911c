"""The workbook of refused rows over REST: out, corrected, tried and back; who may, and what no workbook can do to the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook, load_workbook

from dq_pipelines.errors import SourceError
from dq_pipelines.pipeline.exchange.isolated_reading import read_isolated
from dq_pipelines_tests.web.api.test_quarantine_rows import BETWEEN, USERS
from dq_pipelines_tests.web.conftest import build
from dq_pipelines_tests.web.hosting import Hosted, hosting
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

AT = "/api/v1/tables/silver/sales/quarantine/workbook"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    shop = build(tmp_path_factory.mktemp("quarantine_workbook"))
    shop.land("sales/b.csv", "id,amount,shop,note\n4,-4,north,\n5,-5,north,\n6,x,north,\n7,-7,north,\n")
    with shop.instance:
        assert shop.run("sales").success
    with hosting(Workshop(shop.root), USERS) as made:
        yield made


def downloaded(here: Hosted, query: str = "") -> bytes:
    answer = here.browser("vera").get(f"{AT}{query}")
    assert answer.status_code == 200, answer.text
    return answer.content


def corrected(content: bytes, changes: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The workbook with other cells, by the column `id` of the row."""
    book = load_workbook(BytesIO(content))
    sheet = book.worksheets[0]
    places = {str(cell.value): number for number, cell in enumerate(sheet[1], start=1)}
    rows = {str(sheet.cell(row, places["id"]).value): row for row in range(2, sheet.max_row + 1)}
    for number, cells in changes.items():
        for name, value in cells.items():
            sheet.cell(rows[number], places[name]).value = value
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_viewer_downloads_what_a_viewer_sees_and_the_log_knows(here: Hosted) -> None:
    sheet = load_workbook(BytesIO(downloaded(here))).worksheets[0]
    assert sheet.max_row == 5
    assert load_workbook(BytesIO(downloaded(here, f"?rule={BETWEEN}"))).worksheets[0].max_row == 4
    [event] = here.heard("read.quarantine")[:1]
    assert (event.who, event.on, event.more) == ("vera", "silver/sales", {"rows": 3, "rule": BETWEEN})
    assert here.browser("flo").get(AT).status_code == 404
    assert here.browser("vera").get("/api/v1/tables/silver/new/quarantine/workbook").status_code == 404


@pytest.mark.parametrize(("name", "status"), [("vera", 403), ("otto", 403), ("flo", 404)])
def test_only_a_steward_of_the_table_brings_it_back(here: Hosted, name: str, status: int) -> None:
    content, before = corrected(downloaded(here), {"4": {"amount": 4}}), here.shop.versions()
    assert here.browser(name).post(AT, content=content).status_code == status
    assert here.shop.versions() == before


def test_corrected_rows_are_tried_and_published(here: Hosted) -> None:
    changes: dict[str, dict[str, Any]] = {
        "4": {"amount": 4}, "6": {"amount": "six"}, "7": {"_status": "dismissed"},
    }  # fmt: skip
    content, before = corrected(downloaded(here), changes), here.shop.versions()
    stella = here.browser("stella")
    dry = stella.post(f"{AT}?dry_run=true", content=content)
    assert dry.status_code == 200, dry.text
    told = {name: dry.json()[name] for name in ("published", "dismissed", "refused", "sentence", "notes")}
    assert told == {
        "published": 1,
        "dismissed": 1,
        "refused": 1,
        "sentence": "1 would be published, 1 would be dismissed, 1 refused still",
        "notes": [],
    }
    assert dry.json()["problems"][0].endswith("amount: cast, wanted double, got six")
    assert here.shop.versions() == before
    done = stella.post(AT, content=content).json()
    assert (done["published"], done["sentence"]) == (1, "1 published, 1 dismissed, 1 refused still")
    assert (4, 4.0) in here.shop.rows("silver/sales", "id", "amount")
    statuses = {row["id"]: (row["_status"], row["_status_by"]) for row in here.shop.rows("quarantine/sales")}
    assert statuses == {
        "4": ("fixed", "stella"), "5": ("open", None), "6": ("open", None), "7": ("dismissed", "stella"),
    }  # fmt: skip
    event, tried = here.heard("quarantine.import")
    assert [(one.who, one.more["dry_run"], one.more["published"]) for one in (tried, event)] == [
        ("stella", True, 1),
        ("stella", False, 1),
    ]


def test_another_file_is_refused_in_a_sentence_without_a_path_of_the_server(here: Hosted) -> None:
    stella, before = here.browser("stella"), here.shop.versions()
    out = BytesIO()
    Workbook().save(out)
    for content in (b"", b"no workbook", out.getvalue()):
        answer = stella.post(AT, content=content)
        assert answer.status_code == 422, answer.text
        assert answer.json()["detail"].startswith("workbook.xlsx: wanted")
        assert "dq-workbook-" not in answer.json()["detail"]
    answer = stella.post("/api/v1/tables/silver/shops/quarantine/workbook", content=downloaded(here))
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "workbook.xlsx: is of the table 'sales', wanted 'shops'",
    )
    assert here.shop.versions() == before


def test_only_this_address_takes_more_than_two_mebibytes(here: Hosted) -> None:
    stella = here.browser("stella")
    assert stella.post(AT, content=b"x" * (3 << 20)).status_code == 422
    answer = stella.post(AT, content=b"x" * (9 << 20))
    assert (answer.status_code, answer.json()["detail"]) == (413, "wanted a body of at most 8,388,608 bytes, got more")
    assert stella.post(AT.replace("workbook", "dismiss"), content=b"x" * (3 << 20)).status_code == 413


def test_a_small_file_that_needs_all_memory_is_refused(tmp_path: Path) -> None:
    out = BytesIO()
    book = Workbook()
    book.worksheets[0]["A1"] = "_id"
    book.save(out)
    path = tmp_path / "wide.xlsx"
    with ZipFile(out) as made, ZipFile(path, "w", ZIP_DEFLATED) as bomb:
        for item in made.infolist():
            content = made.read(item)
            if item.filename == "xl/worksheets/sheet1.xml":
                far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
                content = content.replace(b"</sheetData>", far)
            bomb.writestr(item, content)
    with pytest.raises(SourceError, match="got one that needs more"):
        read_isolated(path)
