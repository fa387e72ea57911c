"""Short addresses of the REST API: each answers as the route that it stands for, and hides no page."""

from __future__ import annotations

from statistics import mean, stdev

import pytest
from starlette.testclient import TestClient

from dq_pipelines.web.aliases import ALIASES
from dq_pipelines_tests.workshop import Workshop


@pytest.mark.parametrize(("short", "target"), ALIASES.items())
def test_an_alias_leads_to_its_route_with_query(client: TestClient, short: str, target: str) -> None:
    answer = client.get(f"{short.format(id='a-b_1')}?limit=2&x=%26", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, f"{target.format(id='a-b_1')}?limit=2&x=%26")


def test_an_alias_answers_what_its_route_answers(client: TestClient, shop: Workshop) -> None:
    short = client.get("/metrics/latest?table=silver/sales")
    assert short.status_code == 200
    assert short.json() == client.get("/api/v1/metrics/latest?table=silver/sales").json()
    [line] = short.json()["items"]
    assert line["run_id"] == shop.history.latest("silver/sales").run_id  # type: ignore[union-attr]
    [amount] = [one for one in line["columns"] if one["column"] == "amount"]
    amounts = [-1, -2, 5, 6]  # of the rows that came in with the last batch
    wanted = (mean(amounts), pytest.approx(stdev(amounts)), 0)
    assert (amount["mean"], amount["standard_deviation"], amount["outlier_count"]) == wanted


def test_a_browser_that_asks_for_a_page_gets_no_alias(client: TestClient) -> None:
    assert client.get("/history", headers={"Accept": "text/html"}, follow_redirects=False).status_code == 404


@pytest.mark.parametrize("path", ["/logs/a%20b", "/logs/a.err", "/jobs/..%2f", "/run/a%00"])
def test_what_is_no_id_is_no_alias(client: TestClient, path: str) -> None:
    assert client.get(path, follow_redirects=False).status_code == 404
