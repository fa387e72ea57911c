"""The environment of a run of `dq serve`: the secrets of its tables, and none of the gateway's own."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import httpx
import pytest

from dq_pipelines.config import withheld
from dq_pipelines.project.gateway_secrets import withhold
from dq_pipelines.security.keys import Keys
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines_tests.web.served import serving
from dq_pipelines_tests.workshop import Workshop

SECRETS = {
    "DQ_TOKEN_KEY": "token-key-of-the-gateway-0123456789",
    "DQ_AUDIT_KEY": "audit-key-of-the-gateway-0123456789",
    "SSO_SECRET": "secret-of-the-login-0123456789",
    "OPS_PASSWORD": "password-of-the-operators-0123456789",
}
PROJECT = """
oidc: {issuer: "http://127.0.0.1:9", client_id: dq, client_secret: "${SSO_SECRET}", everyone: [viewer]}
"""
TABLE = """
description: "Needs ${SHOP_PASSWORD:-nothing}"
source: {type: csv, path: "{landing}/sales/*.csv"}
silver: {columns: {id: int64}, transform: [{python: "dumping:dump"}]}
"""
#: A step that writes down all that it can read of environments: its own, and those of the processes above it.
DUMPING = """
import json, os, pathlib, psutil

def dump(rows):
    found = {os.getpid(): dict(os.environ)}
    for process in psutil.Process().parents():
        try:
            found[process.pid] = process.environ()
        except psutil.Error:
            pass
    path = pathlib.Path(__file__).with_name("dumped.json")
    path.with_suffix(".new").write_text(json.dumps(found))
    path.with_suffix(".new").rename(path)
    return rows
"""


def project(root: Path) -> Workshop:
    shop = Workshop(root)
    shop.table("sales", TABLE)
    (shop.root / "assets_config" / "project.yaml").write_text(PROJECT)
    return shop


@pytest.mark.slow
def test_a_run_reads_no_key_of_the_gateway_in_any_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = project(tmp_path)
    (tmp_path / "dumping.py").write_text(DUMPING)
    shop.land("sales/a.csv", "id\n1\n")
    users = Users(shop.state.url)
    users.add("ann", "correct horse battery", [Grant(Role.ADMIN)])
    key = Keys(users).add("ann")
    for name, value in SECRETS.items() | {("SHOP_PASSWORD", "for-the-run"), ("DQ_WITHHELD", "OTHER, OPS_PASSWORD")}:
        monkeypatch.setenv(name, value)
    with serving(shop) as (process, address):
        headers = {"x-api-key": key, "idempotency-key": "once"}
        asked = httpx.post(f"{address}/api/v1/jobs/sales/execute", json={}, headers=headers, timeout=60)
        assert asked.status_code == 202, asked.text
        dumped = tmp_path / "dumped.json"
        until = time.monotonic() + 600
        while not dumped.exists() and time.monotonic() < until:
            time.sleep(0.2)
        found = dict(json.loads(dumped.read_text()))
        run = f"{address}/api/v1/runs/{asked.json()['run_id']}"
        while (
            httpx.get(run, headers=headers).json()["status"] not in ("SUCCESS", "FAILURE", "CANCELED")
            and time.monotonic() < until
        ):
            time.sleep(0.2)  # a code server waits for its runs before it ends
    own, *above = found.items()
    assert own[1]["SHOP_PASSWORD"] == "for-the-run"
    # Above the gateway is this test, which was given the secrets.
    pids = [pid for pid, _ in above]
    below = [own, *above[: pids.index(str(process.pid)) + 1]]
    assert len(below) >= 3, "the run, its code server and the gateway"
    assert all("DQ_CONFIG" in environment for _, environment in below)
    for name, value in SECRETS.items():
        assert [pid for pid, environment in below if value in json.dumps(environment)] == [], name


@pytest.fixture
def no_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withheld, "_kept", {})


@pytest.mark.usefixtures("no_kept")
def test_the_gateway_still_knows_what_it_withholds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dq_pipelines.project import load_project

    project(tmp_path)
    config = tmp_path / "assets_config"
    monkeypatch.setenv("DQ_CONFIG", str(config))
    monkeypatch.setenv("DQ_DATABASE_URL", "postgresql+psycopg2://db/all")
    monkeypatch.setenv("DQ_HISTORY_URL", "")  # so that it is put back, whatever becomes of it
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    withhold()
    assert os.environ["DQ_HISTORY_URL"] == "postgresql+psycopg2://db/all"
    assert not {"DQ_TOKEN_KEY", "DQ_AUDIT_KEY", "DQ_DATABASE_URL"} & set(os.environ)
    assert os.environ["SSO_SECRET"] == withheld.PLACEHOLDER
    assert os.environ["OPS_PASSWORD"] == SECRETS["OPS_PASSWORD"], "nobody said that it is to be withheld"
    oidc = load_project(config).settings.oidc
    assert oidc is not None
    assert oidc.client_secret is not None
    assert oidc.client_secret.get_secret_value() == SECRETS["SSO_SECRET"]
    assert withheld.environment()["DQ_TOKEN_KEY"] == SECRETS["DQ_TOKEN_KEY"]


@pytest.mark.usefixtures("no_kept")
def test_what_a_table_needs_too_is_not_withheld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = project(tmp_path)
    shop.table("sales", TABLE.replace("SHOP_PASSWORD", "SSO_SECRET"))
    monkeypatch.setenv("DQ_CONFIG", str(tmp_path / "assets_config"))
    monkeypatch.setenv("SSO_SECRET", SECRETS["SSO_SECRET"])
    withhold()
    assert os.environ["SSO_SECRET"] == SECRETS["SSO_SECRET"]
