"""The audit log has each read of rows, shown or refused, by REST and on Dagster's pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.audit_verify import verify
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines_tests.web.conftest import bad_day, build
from dq_pipelines_tests.web.hosting import Hosted, hosting
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

USERS = {"vera": [Grant(Role.VIEWER)], "sam": [Grant(Role.VIEWER, "domain:elsewhere")]}

CHECKS = """
{ assetNodeOrError(assetKey: {path: ["silver", "sales"]}) { ... on AssetNode {
    assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { evaluation { METADATA } } } } }
    assetMaterializations(limit: 1) { METADATA }
} } }
""".replace("METADATA", "metadataEntries { label ... on TableMetadataEntry { table { records } } }")
COUNTS = "{ runsOrError { ... on Runs { count } } }"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    import dagster as dg

    root = tmp_path_factory.mktemp("reads")
    home = root / "dagster_home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\nnux: {enabled: false}\n")
    build(root)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        bad_day(Workshop(root, instance))
    with hosting(Workshop(root), USERS) as made:
        yield made


def reads(here: Hosted) -> list[tuple[str, str, str, str, object]]:
    """Who, what, on, result, rows; without logins."""
    found = [event for _, event in AuditLog(here.shop.state).events() if event.what.startswith("read.")]
    return [(event.who, event.what, event.on, event.result, event.more.get("rows")) for event in found]


def test_refused_rows_by_rest(here: Hosted) -> None:
    before = len(reads(here))
    answer = here.browser("vera").get("/api/v1/tables/silver/sales/quarantine?limit=1")
    assert (answer.status_code, len(answer.json()["items"])) == (200, 1)
    assert here.browser("vera").get("/api/v1/tables/silver/shops/quarantine").json()["items"] == []
    assert here.browser("sam").get("/api/v1/tables/silver/sales/quarantine").status_code == 404
    assert here.browser("sam").get("/api/v1/tables/silver/none/quarantine").status_code == 404
    assert reads(here)[before:] == [
        ("vera", "read.quarantine", "silver/sales", "done", 1),
        ("vera", "read.quarantine", "silver/shops", "done", 0),
        ("sam", "read.quarantine", "silver/sales", "refused", None),
    ]


def test_samples_and_previews_on_dagsters_pages(here: Hosted) -> None:
    before = len(reads(here))
    told = here.asked("vera", COUNTS)
    assert "errors" not in told
    assert reads(here)[before:] == [], "no rows, no line"
    told = here.asked("vera", CHECKS)
    assert "errors" not in told, told
    found = reads(here)[before:]
    samples = {
        on: rows for who, what, on, result, rows in found if (who, what, result) == ("vera", "read.samples", "done")
    }
    checks = told["data"]["assetNodeOrError"]["assetChecksOrError"]["checks"]
    shown = {
        f"silver/sales:{check['name']}": len(entry["table"]["records"])
        for check in checks
        if check["executionForLatestMaterialization"]
        for entry in check["executionForLatestMaterialization"]["evaluation"]["metadataEntries"]
        if "table" in entry
    }
    assert samples == shown
    assert sum(shown.values()) >= 3
    (previews,) = [one for one in found if one[1] == "read.preview"]
    assert previews[:4] == ("vera", "read.preview", "silver/sales", "done")
    assert isinstance(previews[4], int)
    assert previews[4] > 0
    assert len(found) == len(samples) + 1, "a line for each, however often a request asks"
    assert verify(AuditLog(here.shop.state)) == []


def test_downloads_and_what_is_refused(here: Hosted) -> None:
    run = here.host.instance.get_run_records(limit=1)[0].dagster_run.run_id
    before = len(reads(here))
    assert here.browser("vera").get(f"/download_debug/{run}").status_code == 200
    assert here.browser("vera").get("/notebook?path=/x.ipynb&repoLocName=dq_pipelines").status_code == 403
    assert here.browser("sam").get(f"/download_debug/{run}").status_code == 403
    assert here.browser("sam").post("/graphql", json={"query": CHECKS}).status_code == 403
    assert reads(here)[before:] == [
        ("vera", "read.run", run, "done", None),
        ("vera", "read.notebook", "", "refused", None),
        ("sam", "read.run", run, "refused", None),
        ("sam", "read.graphql", "", "refused", None),
    ]


def test_rows_that_cannot_be_logged_are_not_shown(here: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    def full(*_: object) -> int:
        raise OperationalError("insert", {}, Exception("disk full"))

    client = here.browser("vera")
    monkeypatch.setattr(AuditLog, "add", full)
    with pytest.raises(OperationalError):
        client.post("/graphql", json={"query": CHECKS})
    answer = client.get("/api/v1/tables/silver/sales/quarantine")
    assert (answer.status_code, "items" in answer.json()) == (503, False)
