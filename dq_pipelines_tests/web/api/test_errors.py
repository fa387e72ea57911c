"""Whatever does not go is said in the one shape, also where it is nobody's fault who asks."""

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


def test_an_unknown_route_is_in_the_shape_too(tmp_path: Path) -> None:
    answer = client_of(site_of(Workshop(tmp_path))).get("/api/v1/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
