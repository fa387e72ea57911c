"""Jobs over REST: what the list has for whom, and which values are never shown."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from dq_pipelines_tests.web.hosting import Hosted

pytestmark = pytest.mark.slow

JOBS = "/api/v1/jobs"


def got(client: TestClient, path: str, status: int = 200) -> Any:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_every_table_is_a_job_with_its_source_sink_last_run_and_next_tick(here: Hosted) -> None:
    items = {job["name"]: job for job in got(here.browser("vera"), JOBS)["items"]}
    assert list(items) == ["by_shop", "counted", "deliveries", "sales", "shops"]
    sales, gold, yard = items["sales"], items["by_shop"], items["deliveries"]
    assert sales["source"] == {"type": "csv", "place": f"{here.shop.landing}/sales/*.csv"}
    assert sales["sink"] == {"layer": "silver", "table": "silver/sales", "write": "append"}
    assert (gold["source"], gold["sink"]["write"], gold["modes"]) == (None, "overwrite", [])
    assert (yard["domain"], yard["owners"], yard["sink"]["write"]) == ("yard", ["team:yard"], "merge")
    assert yard["partitions"] == "dynamic"
    assert (yard["next"]["name"], yard["next"]["kind"], yard["next"]["running"]) == (
        "deliveries_schedule",
        "schedule",
        True,
    )
    assert yard["next"]["at"].endswith("T04:00:00Z")
    assert items["counted"]["next"]["kind"] == "sensor"
    assert sales["next"] is None


def test_a_page_goes_on_where_the_one_before_ended(here: Hosted) -> None:
    client = here.browser("vera")
    page = got(client, f"{JOBS}?limit=2")
    found = [job["name"] for job in page["items"]]
    while page["next"]:
        page = got(client, f"{JOBS}?limit=2&cursor={page['next']}")
        found += [job["name"] for job in page["items"]]
    assert found == ["by_shop", "counted", "deliveries", "sales", "shops"]


def test_who_has_a_domain_sees_its_jobs_and_is_told_of_no_other(here: Hosted) -> None:
    olga = here.browser("olga")
    assert [job["name"] for job in got(olga, JOBS)["items"]] == ["counted", "deliveries"]
    assert got(olga, f"{JOBS}/sales", 404)["detail"] == "unknown job 'sales'"
    assert got(olga, f"{JOBS}/deliverie", 404)["detail"] == "unknown job 'deliverie' (nearest: deliveries)"


def test_one_job_has_its_yaml_and_the_mark_of_it(here: Hosted) -> None:
    answer = here.browser("vera").get(f"{JOBS}/sales")
    job = answer.json()
    assert job["yaml"] == (here.shop.root / "assets_config/shop/sales.yaml").read_text()
    assert (job["file"], job["problems"], answer.headers["etag"]) == ("shop/sales.yaml", [], job["etag"])


def test_a_value_of_the_environment_and_a_password_are_not_shown(here: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELF_SECRET", "hunter2-of-the-shelf")
    path = here.shop.root / "assets_config/shop/shelf.yaml"
    path.write_text(
        "description: ${SHELF_SECRET}\nsource: {type: csv, path: 's3://ann:hunter3@bucket/${SHELF_SECRET}/*.csv'}"
    )
    try:
        text = here.browser("vera").get(f"{JOBS}/shelf").text
        listed = got(here.browser("vera"), JOBS)["items"]
    finally:
        path.unlink()
    assert "hunter2" not in text
    source = next(job["source"] for job in listed if job["name"] == "shelf")
    assert source == {"type": "csv", "place": "s3://ann:…@bucket/${SHELF_SECRET}/*.csv"}


def test_a_file_that_is_not_sound_is_listed_and_says_what_is_wrong(here: Hosted) -> None:
    path = here.shop.root / "assets_config/shop/broken.yaml"
    path.write_text("source: {type: cvs}")
    try:
        broken = got(here.browser("vera"), f"{JOBS}/broken")
    finally:
        path.unlink()
    assert broken["sink"] is None
    assert "unknown source 'cvs' (nearest: csv)" in broken["problems"][0]
