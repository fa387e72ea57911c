"""Restores, erasures and backups by admins in the browser: tried first, done by a job, in the audit log, and without the person's name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dq_pipelines.backups.copying import put_back
from dq_pipelines.backups.places import Place
from dq_pipelines.errors import ConfigError
from dq_pipelines.pipeline.maintenance.erasure_orders import ErasureOrder, place_order, take_order, withdraw_order
from dq_pipelines_tests.web.api.test_admin import USERS
from dq_pipelines_tests.web.conftest import bad_day, build
from dq_pipelines_tests.web.hosting import LAUNCH, Hosted, hosting
from dq_pipelines_tests.web.html import Page
from dq_pipelines_tests.workshop import Workshop

API = "/api/v1/maintenance"
SECRET = "4711-zoe"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Hosted]:
    shop = build(tmp_path)
    bad_day(shop)
    shop = Workshop(tmp_path)
    shop.land("sales/c.csv", f"id,amount,shop,note\n8,3,north,{SECRET}\n9,4,north,other\n")
    with shop.instance:
        shop.run("sales")
    with hosting(Workshop(tmp_path), USERS) as made:
        yield made


def asked(here: Hosted, path: str, body: Any, who: str = "adam") -> Any:
    return here.browser(who).post(f"{API}/{path}", json=body)


def ended(here: Hosted, answer: Any) -> str:
    assert answer.status_code == 202, answer.text
    return here.ended(answer.json()["run_id"]).status.value


@pytest.mark.slow
def test_a_table_is_restored_as_the_dry_run_says(here: Hosted) -> None:
    before = here.shop.rows("silver/sales", "id")
    page = Page.of(here.browser("adam").get("/dashboard/admin/data?table=sales").text).text
    assert "Restore a table" in page
    now = here.shop.lake.table("silver/sales").snapshot().version
    tried = asked(here, "restore/dry-run", {"table": "sales", "as_of": str(now - 1)}).json()
    assert tried["changes"]
    assert f"silver/sales: version {now} back to {now - 1}" in tried["sentence"]
    assert here.shop.rows("silver/sales", "id") == before, "a dry run changes nothing"
    assert ended(here, asked(here, "restore", {"table": "sales", "as_of": str(now - 1)})) == "SUCCESS"
    assert here.shop.rows("silver/sales", "id") == [one for one in before if one not in (8, 9)]
    for body, status, why in (
        ({"table": "sales", "as_of": "999"}, 422, "wanted a version from"),
        ({"table": "sale", "as_of": "1"}, 422, "nearest: sales"),
        ({"table": "sales", "from_backup": True}, 503, "no backup of it"),
        ({"table": "silver/sales", "from_backup": True}, 422, "without its layer"),
    ):
        for path in ("restore", "restore/dry-run"):
            refused = asked(here, path, body)
            assert (refused.status_code, why in refused.json()["detail"]) == (status, True), refused.text
    assert asked(here, "restore", {"table": "sales"}).status_code == 422
    log = here.heard("maintenance.restore")
    assert [one.result for one in log] == ["refused"] * 8 + ["done"] * 2
    assert (log[8].who, log[8].on, log[8].more["to"]) == ("adam", "sales", str(now - 1))


@pytest.mark.slow
def test_a_persons_rows_are_erased_and_the_condition_is_in_no_record(here: Hosted) -> None:
    where = f"note = '{SECRET}'"
    tried = asked(here, "erasure/dry-run", {"table": "sales", "where": where})
    assert tried.status_code == 200, tried.text
    assert "lake silver/sales: 1 row would go" in tried.json()["sentence"]
    assert SECRET in here.shop.rows("silver/sales", "note")
    wrong = asked(here, "erasure", {"table": "sales", "where": where, "confirm": "sale"})
    assert (wrong.status_code, "the table's name again" in wrong.text) == (422, True)
    assert asked(here, "erasure/dry-run", {"table": "sales", "where": f"nope = '{SECRET}'"}).status_code == 422
    assert asked(here, "erasure/dry-run", {"table": "by_shop", "where": where}).status_code == 422
    assert (
        asked(here, "erasure", {"table": "sales", "where": where, "also": ["x"], "confirm": "sales"}).status_code == 422
    )
    answer = asked(here, "erasure", {"table": "sales", "where": where, "confirm": "sales"})
    assert ended(here, answer) == "SUCCESS"
    assert SECRET not in here.shop.rows("silver/sales", "note")
    [certificate] = (here.shop.root / "lake" / ".erasures").glob("*.json")
    told = json.loads(certificate.read_text())
    assert {one["table"]: one["rows"] for one in told["erased"]}["silver/sales"] == 1
    assert told["by"] == "adam"
    run = here.host.instance.get_run_by_id(answer.json()["run_id"])
    assert run is not None
    events = " ".join(str(one) for one in here.host.instance.all_logs(run.run_id))
    assert "Certificate of erasure" in events
    log = here.heard("maintenance.erase")
    assert SECRET not in f"{run.run_config}{run.tags}{events}{log}{certificate.read_text()}"
    assert [one.result for one in log] == ["done", "refused", "refused", "refused", "refused", "done"]
    assert log[0].more["where"] == "note = ?"
    assert list((here.shop.state.folder / "erasures").glob("*")) == [], "the order is gone"
    again = asked(here, "erasure/dry-run", {"table": "sales", "where": where}).json()
    assert not again["changes"], again


@pytest.mark.slow
def test_the_installation_is_backed_up_and_the_backup_can_be_put_back(
    here: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(here, "backups/dry-run", {}).status_code == 200
    folder = here.shop.state.folder.with_name("state-backups")
    assert not folder.exists(), "a dry run writes nothing"
    assert ended(here, asked(here, "backups", {"name": "before-upgrade"})) == "SUCCESS"
    assert folder.stat().st_mode & 0o077 == 0
    listed = here.browser("adam").get(f"{API}/backups").json()
    assert [one["name"] for one in listed["items"]] == ["before-upgrade"]
    assert "before-upgrade" in here.browser("adam").get("/dashboard/admin/data").text
    again = tmp_path / "again"
    put_back([Place("assets_config", again)], folder / "before-upgrade")
    original = here.shop.root / "assets_config"
    assert {path.relative_to(again): path.read_bytes() for path in again.rglob("*.yaml")} == {
        path.relative_to(original): path.read_bytes() for path in original.rglob("*.yaml")
    }
    for name in ("before-upgrade", "../x", ".x", "a/b", "x.unfinished"):
        refused = asked(here, "backups", {"name": name})
        assert refused.status_code == 422, name
    assert sorted(path.name for path in folder.iterdir()) == ["before-upgrade"]
    monkeypatch.setenv("DQ_INSTALLATION_BACKUPS", f"{here.shop.root}/lake/here")
    refused = asked(here, "backups", {})
    assert (refused.status_code, "apart from the lake" in refused.text) == (422, True)
    assert [one.result for one in here.heard("maintenance.backup")] == ["refused"] * 6 + ["done"]


@pytest.mark.slow
def test_only_admins_of_all_tables_restore_erase_and_back_up(here: Hosted) -> None:
    bodies = {
        "restore": {"table": "sales", "as_of": "0"},
        "erasure": {"table": "sales", "where": "id = 1", "confirm": "sales"},
        "backups": {},
    }
    for who in ("tess", "otto"):
        for path, body in bodies.items():
            assert asked(here, path, body, who).status_code == 403
            tried = {key: value for key, value in body.items() if key != "confirm"}
            assert asked(here, f"{path}/dry-run", tried, who).status_code == 403
        assert here.browser(who).get("/dashboard/admin/data").status_code == 403
    order = place_order(ErasureOrder("sales", "id = 1", (), "adam"), here.shop.state.folder)

    for job in ("restore_table", "erase_rows", "back_up"):
        answer = here.asked("otto", LAUNCH, here.launching(job=job))
        assert "LaunchRunSuccess" not in str(answer), "nor through Dagster's own launchpad"
    withdraw_order(order, here.shop.state.folder)


def test_an_order_is_private_and_taken_once(tmp_path: Path) -> None:
    order = ErasureOrder("sales", "note = 'zoe'", ("old",), "adam")
    id_ = place_order(order, tmp_path)
    [file] = (tmp_path / "erasures").iterdir()
    assert (file.stat().st_mode & 0o077, file.parent.stat().st_mode & 0o077) == (0, 0)
    assert take_order(id_, tmp_path) == order
    for other in (id_, "../../x", ""):
        with pytest.raises(ConfigError, match="wanted the id of an order that waits"):
            take_order(other, tmp_path)
