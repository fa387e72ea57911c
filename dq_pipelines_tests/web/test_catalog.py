"""The catalog: every table once with what is promised of it, and their lineage as a picture and as a list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from dq_pipelines.rules.core import clock
from dq_pipelines.web.dashboard.lineage_picture import LineagePicture
from dq_pipelines.web.dashboard.links import Served
from dq_pipelines.web.dashboard.table_graph import MOST, TableGraph
from dq_pipelines_tests.web.conftest import GOLD, SALES, SHOPS, client_of, site_of
from dq_pipelines_tests.web.html import Page
from dq_pipelines_tests.workshop import Workshop

KEYS = ["gold/by_shop", "gold/total", "silver/new", "silver/sales", "silver/shops"]
TOTAL = "owners: [team:board]\nautomation: eager\ngold: {sql: select sum(amount) as amount from gold.by_shop}"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Two landed tables, two gold ones of which one reads the other, and a table that never ran."""
    made = Workshop(tmp_path_factory.mktemp("catalog"))
    reference = (
        "{type: expect_column_values_to_exist_in, column: shop, table: silver/shops, key: shop, severity: warning}"
    )
    promise = 'owners: [team:tills]\nfreshness: {within: 2h}\nschedule: "30 4 * * *"\n'
    made.table("sales", promise + SALES.strip() + f"\n    - {reference}\n")
    made.table("shops", "on_arrival: true\n" + SHOPS.strip())
    made.table("new", 'source: {type: csv, path: "{landing}/none/*.csv"}\nsilver: {columns: {x: int64}}', "later")
    made.table("by_shop", GOLD)
    made.table("total", TOTAL)
    made.land("sales/a.csv", "id,amount,shop,note\n1,10,north,a\n2,20,south,b\n3,-30,north,c\n")
    made.land("shops/a.csv", "shop\nnorth\nsouth\n")
    with made.instance:
        made.run("sales", "shops", "by_shop", "total")
    return Workshop(made.root)


@pytest.fixture(scope="module")
def client(shop: Workshop) -> Iterator[TestClient]:
    with client_of(site_of(shop)) as made:
        yield made


def rows(text: str) -> dict[str, str]:
    """By table, what its row says."""
    body = text.partition("<tbody>")[2].partition("</tbody>")[0]
    found = {}
    for row in body.split("<tr>")[1:]:
        key = re.search(r'href="/dashboard/tables/([^"]+)"', row)
        assert key is not None
        found[key[1]] = Page.of(row).text
    return found


def picture(text: str) -> ET.Element:
    drawn = re.search(r"<svg class=\"lineage\".*?</svg>", text, re.DOTALL)
    assert drawn is not None
    return ET.fromstring(drawn[0])  # noqa: S314 - our own page


def links(drawn: ET.Element) -> list[str]:
    return [
        str(node.get("href")).removeprefix("/dashboard/tables/") for node in drawn.iter("{http://www.w3.org/2000/svg}a")
    ]


def test_every_table_is_in_it_even_one_that_never_ran(client: TestClient) -> None:
    text = client.get("/dashboard/catalog").text
    found = rows(text)
    assert sorted(found) == KEYS
    assert "5 tables" in Page.of(text).text
    assert found["silver/sales"].startswith("! warning")
    for said in ("team:tills", "in time", "promised within 2h", "04:30", "What was sold"):
        assert said in found["silver/sales"], said
    assert "on arrival" in found["silver/shops"]
    assert "after its inputs" in found["gold/total"]
    assert found["silver/new"].startswith("○ never run")
    assert "by hand" in found["silver/new"]


def test_a_promise_that_is_not_kept_is_late(client: TestClient) -> None:
    with clock.at(datetime.now(UTC) + timedelta(hours=3)):
        found = rows(client.get("/dashboard/catalog").text)
    assert "late" in found["silver/sales"]
    assert "late" not in found["silver/shops"]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("search=tills", ["silver/sales"]),
        ("search=gold/", ["gold/by_shop", "gold/total"]),
        ("domain=later", ["silver/new"]),
        ("owner=team:board", ["gold/total"]),
        ("status=never_run", ["silver/new"]),
        ("status=warning", ["silver/sales"]),
        ("search=nothing+like+it", []),
        ("page=99&sort=rubbish&status=rubbish", KEYS),
    ],
)
def test_filters(client: TestClient, query: str, wanted: list[str]) -> None:
    answer = client.get(f"/dashboard/catalog?{query}")
    assert answer.status_code == 200
    assert sorted(rows(answer.text)) == wanted
    if wanted:
        assert sorted(links(picture(answer.text))) == wanted, "the picture is of what is listed"


def test_the_picture_and_the_list_beside_it_say_the_same(client: TestClient) -> None:
    text = client.get("/dashboard/catalog").text
    assert sorted(links(picture(text))) == KEYS
    said = Page.of(text.partition('id="lineage-list"')[2]).text
    assert "gold/total is computed from gold/by_shop" in said
    assert "gold/by_shop is computed from silver/sales ; read by gold/total" in said
    assert "silver/sales looks into silver/shops ; read by gold/by_shop" in said
    paths = [node.get("class") for node in picture(text).iter("{http://www.w3.org/2000/svg}path")]
    assert sorted(map(str, paths)) == ["edge"] * 5 + ["edge reference"]
    assert "style=" not in ET.tostring(picture(text), "unicode"), "the policy allows no inline styles"


def test_a_table_in_the_picture_is_a_link_that_says_its_status(client: TestClient) -> None:
    drawn = picture(client.get("/dashboard/catalog").text)
    labels = [node.get("aria-label") for node in drawn.iter("{http://www.w3.org/2000/svg}a")]
    assert "silver/sales, warning" in labels
    assert "silver/new, never run" in labels


def project_of(root: Workshop, reads: list[list[int]]) -> TableGraph:
    root.table("s0", "source: {type: csv, path: x.csv}")
    for number, some in enumerate(reads, start=1):
        tables = [("silver.s0" if one == 0 else f"gold.g{one}") for one in some]
        sql = " union all ".join(f"select 1 as x from {table}" for table in tables)  # noqa: S608 - names of this test
        root.table(f"g{number}", f"gold: {{sql: {sql}}}")
    return TableGraph.of(root.project)


@given(st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=3, unique=True), min_size=1, max_size=8))
def test_tables_never_lie_on_one_another_and_stand_right_of_their_inputs(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[list[int]]
) -> None:
    reads = [sorted({one % number for one in some}) for number, some in enumerate(wanted, start=1)]
    graph = project_of(Workshop(tmp_path_factory.mktemp("graph")), reads)
    place = {key: (column, graph.rows[key]) for column, keys in enumerate(graph.columns) for key in keys}
    assert place.keys() == graph.tables.keys()
    for key, some in graph.inputs.items():
        assert all(place[one][0] < place[key][0] for one in some)
    for column in graph.columns:
        heights = sorted(graph.rows[key] for key in column)
        assert all(below - above > 0.999 for above, below in pairwise(heights))
    drawn = LineagePicture(graph, {})
    assert {one.key for one in drawn.tables} == graph.tables.keys()
    assert str(drawn.svg(Served("/dashboard"))).count("<a ") == len(graph.tables)


def test_the_surroundings_of_a_table_are_two_steps_wide_and_have_an_end(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    chain = project_of(Workshop(tmp_path_factory.mktemp("chain")), [[one] for one in range(8)])
    assert list(chain.around("gold/g4").tables) == [f"gold/g{one}" for one in (2, 3, 4, 5, 6)]
    star = project_of(Workshop(tmp_path_factory.mktemp("star")), [[0]] * (MOST + 10))
    around = star.around("silver/s0").tables
    assert len(around) == MOST
    assert "silver/s0" in around
    assert not star.around("silver/unknown").tables
