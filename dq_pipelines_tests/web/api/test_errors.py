"""Every error is answered as problem details, even an error of the server."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from dq_pipelines_tests.web.conftest import build, client_of, site_of
from dq_pipelines_tests.workshop import Workshop


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A site whose history lost a table while it is served."""
    shop = build(tmp_path_factory.mktemp("broken"))
    with shop.history.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE dq_results"))
    return Workshop(shop.root)


@pytest.mark.parametrize("path", ["/tables", "/tables/silver/sales/verdicts", "/quality/scores", "/metrics/latest"])
def test_a_database_that_breaks_is_503_and_tells_nothing_of_itself(
    broken: Workshop, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(site_of(broken))
    assert client.get("/api/v1/health/live").status_code == 200
    with broken.history.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS dq_results"))
    answer = client.get(f"/api/v1{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json"), answer.text
    assert answer.json()["detail"] == "the gateway's database did not answer: try again"
    assert "dq_results" in caplog.text


@pytest.mark.parametrize(
    "path", ["/nothing", "/jobs/two%0Alines", "/tables/silver/two%0Alines/verdicts", "/quality/metrics/two%0Alines"]
)
def test_not_found_is_answered_as_problem_details(tmp_path: Path, path: str) -> None:
    answer = client_of(site_of(Workshop(tmp_path))).get(f"/api/v1{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("path", "methods"), [("/jobs", "GET, POST"), ("/jobs/sales", "DELETE, GET, PUT"), ("/runs", "GET")]
)
def test_a_wrong_method_gets_all_allowed_ones(tmp_path: Path, path: str, methods: str) -> None:
    answer = client_of(site_of(Workshop(tmp_path))).request("TRACE", f"/api/v1{path}")
    assert (answer.status_code, answer.headers["allow"]) == (405, methods)


@pytest.mark.parametrize("moment", ["0.5", "1893456000", "1e3", "NaN", "-1", "today"])
def test_a_number_is_no_time(tmp_path: Path, moment: str) -> None:
    answer = client_of(site_of(Workshop(tmp_path))).get(
        f"/api/v1/metrics/history?table=silver/sales&metric=row_count&since={moment}"
    )
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("query.since: ")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/tables?limt=5", "query.limt: unknown parameter (nearest: limit)"),
        ("/metrics/latest?tabel=silver/sales", "query.tabel: unknown parameter (nearest: table)"),
        (
            "/metrics/history?table=silver/sales&metric=row_count&until_=x",
            "query.until_: unknown parameter (nearest: until)",
        ),
        ("/alerts?status=open", "query.status: unknown parameter"),
    ],
)
def test_an_unknown_parameter_is_refused(tmp_path: Path, path: str, said: str) -> None:
    answer = client_of(site_of(Workshop(tmp_path))).get(f"/api/v1{path}")
    assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.text
