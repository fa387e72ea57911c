"""Takes the pictures of `docs/console.md` from the retail sample, and holds that the page shows each of them.

`make pictures` keeps them (PICTURES names the folder); otherwise they are thrown away.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dq_pipelines.samples import generate
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines_tests.chromium import PHONE, apart
from dq_pipelines_tests.web.hosting import AT_ONCE, Hosted, hosting
from dq_pipelines_tests.web.served import environment
from dq_pipelines_tests.web.test_run_page import opened
from dq_pipelines_tests.workshop import Workshop

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/console.md"
WIDE = {"width": 1280, "height": 800}
#: By picture: the page, the window, and the colour scheme.
PICTURES = {
    "overview": ("/dashboard/", WIDE, "light"),
    "overview_dark_phone": ("/dashboard/", PHONE, "dark"),
    "catalog": ("/dashboard/catalog", WIDE, "light"),
    "table": ("/dashboard/tables/silver/sales", WIDE, "light"),
    "lineage": ("/dashboard/tables/silver/sales?tab=lineage", WIDE, "light"),
    "rule": ("/dashboard/tables/silver/sales/rules/amount__between", WIDE, "light"),
    "runs": ("/dashboard/runs", WIDE, "light"),
    "quarantine": ("/dashboard/quarantine/silver/sales", WIDE, "light"),
    "pipeline": ("/dashboard/pipelines/sales", WIDE, "light"),
    "admin": ("/dashboard/admin/users", WIDE, "light"),
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    shop = Workshop(tmp_path_factory.mktemp("pictures"))
    shutil.copytree(ROOT / "assets_config/retail", shop.root / "assets_config/retail")
    generate("retail", shop.landing, size=0.2)
    home = shop.root / "dagster_home"
    home.mkdir()
    (home / "dagster.yaml").write_text(AT_ONCE)
    places = environment(shop) | {"DQ_LANDING": str(shop.landing), "DAGSTER_HOME": str(home)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DQ_LANDING", str(shop.landing))
        subprocess.run([sys.executable, "-m", "dq_pipelines.run_all"], env=places, check=False, capture_output=True)
        users = {"ann": [Grant(Role.ADMIN)], "rita": [Grant(Role.OPERATOR, "domain:retail")]}
        with hosting(Workshop(shop.root), users) as made:
            yield made


#: Takes a folder out of all texts.
_WITHOUT = """(root) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(root + "/", "");
}"""


def taken(page: Page, address: str, path: str, root: Path, folder: Path, name: str) -> Path:
    """The picture of one page that has been drawn."""
    page.goto(f"{address}{path}")
    expect(page.locator("main h1, main h2").first).to_be_visible()
    expect(page.locator(".plot:not(:has(.main-svg))")).to_have_count(0)
    # A picture shows no folder of the machine that it was taken on.
    page.evaluate(_WITHOUT, str(root))
    file = folder / f"{name}.png"
    page.screenshot(path=file)
    return file


def test_pictures_are_those_of_the_page(here: Hosted, browser: Browser, address: str, tmp_path: Path) -> None:
    assert apart(lambda: here.browser("ann").get("/dashboard/").status_code) == 200
    folder = Path(os.environ.get("PICTURES") or tmp_path)
    folder.mkdir(exist_ok=True)
    for name, (path, size, scheme) in PICTURES.items():
        context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        page, complaints = opened(context, address, "ann", path)
        assert taken(page, address, path, here.shop.root, folder, name).stat().st_size > 10_000
        assert complaints == [], name
        context.close()


def test_the_page_shows_every_picture() -> None:
    shown = re.findall(r"!\[([^\]]{10,})\]\(pictures/(\w+)\.png\)", PAGE.read_text(encoding="utf-8"))
    assert [name for _, name in shown] == list(PICTURES)
    kept = {file.stem for file in (ROOT / "docs/pictures").glob("*.png")}
    assert kept == PICTURES.keys()
