"""Uploads over REST: who may send a file, what a trial tells, and that a saved file and its pipeline appear together or not at all."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.project import load_project
from dq_pipelines.project.editing import Editing
from dq_pipelines.security.audit import AuditLog, Event
from dq_pipelines.security.keys import Keys
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines.uploads import landing
from dq_pipelines.uploads.open_folder import OpenFolder
from dq_pipelines.uploads.staging import FOLDER
from dq_pipelines.web.app import application
from dq_pipelines_tests.uploads.test_inspection import messy
from dq_pipelines_tests.web.conftest import SALES, SHOPS, client_of, site_of
from dq_pipelines_tests.web.hosting import OWN, PASSWORD
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

API = "/api/v1"
USERS = {
    "adam": [Grant(Role.ADMIN)],
    "tess": [Grant(Role.ADMIN, "domain:yard")],
    "tom": [Grant(Role.ADMIN, "team:yard")],
    "otto": [Grant(Role.OPERATOR)],
}
CSV = b"id,name\n1,a\n2,b\nx,c\n"
YAML = """owners: [team:yard]
source: {type: csv, path: "${DQ_LANDING}/yard/till/*.csv"}
silver:
  columns: {id: int64, name: string}
  rules:
    - {type: expect_column_values_to_be_in_set, column: name, value_set: [a, c]}
"""


class Yard:
    """A project whose users send files."""

    def __init__(self, shop: Workshop, exits: ExitStack) -> None:
        self.shop, self._exits = shop, exits
        self._clients: dict[str, TestClient] = {}

    def by(self, name: str) -> TestClient:
        if name not in self._clients:
            client = self._exits.enter_context(client_of(site_of(self.shop)))
            client.post("/login", data={"name": name, "password": PASSWORD}, headers=OWN)
            client.headers.update(OWN)
            self._clients[name] = client
        return self._clients[name]

    def send(self, who: str, content: bytes = CSV, name: str = "a.csv", domain: str = "yard") -> Any:
        return self.by(who).post(f"{API}/uploads", params={"domain": domain, "file": name}, content=content)

    def id(self, who: str, content: bytes = CSV, name: str = "a.csv") -> str:
        answer = self.send(who, content, name)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def post(self, who: str, path: str, body: Any = None) -> Any:
        return self.by(who).post(f"{API}/uploads/{path}", json=body)

    def landed(self) -> dict[str, bytes]:
        files = self.shop.landing.rglob("*")
        return {
            path.relative_to(self.shop.landing).as_posix(): path.read_bytes()
            for path in files
            if path.is_file() and FOLDER not in path.parts
        }

    def waiting(self) -> list[Path]:
        folder = self.shop.landing / FOLDER
        return list(folder.iterdir()) if folder.exists() else []

    def heard(self, what: str) -> list[Event]:
        return [event for _, event in AuditLog(self.shop.state).events() if event.what == what]


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    shop = Workshop(tmp_path)
    shop.table("sales", SALES)
    shop.table("shops", SHOPS, "yard")
    monkeypatch.setenv("DQ_LANDING", str(shop.landing))
    for name, grants in USERS.items():
        Users(shop.state.url).add(name, PASSWORD, grants)
    with ExitStack() as exits:
        yield Yard(shop, exits)


def test_only_editors_of_the_domain_send_files_into_its_folder(yard: Yard) -> None:
    sent = yard.send("tess")
    assert (sent.status_code, sent.json()["folder"], sent.json()["kind"]) == (201, "yard", "csv")
    assert yard.send("tom").json()["folder"] == "team-yard"
    refused = yard.send("tess", domain="shop")
    assert (refused.status_code, "you may not change tables of the domain shop" in refused.text) == (403, True)
    assert yard.send("otto").status_code == 403
    assert yard.send("adam", domain="../x").status_code == 422
    assert yard.landed() == {}
    assert [(one.who, one.on, one.result) for one in yard.heard("upload")] == [
        ("tess", "a.csv", "done"),
        ("tom", "a.csv", "done"),
        ("tess", "shop", "refused"),
    ]


def test_a_page_of_another_site_sends_nothing(yard: Yard) -> None:
    foreign = {"sec-fetch-site": "cross-site", "origin": "https://elsewhere.example"}
    path, content = f"{API}/uploads?domain=yard&file=a.csv", {"content": CSV, "headers": foreign}
    assert yard.by("tess").post(path, **content).status_code == 403  # type: ignore[arg-type]
    assert yard.waiting() == []


def test_an_upload_is_its_senders_alone(yard: Yard) -> None:
    mine = yard.id("tess")
    for path, body in (
        (f"{mine}/inspection", {}),
        (f"{mine}/trial", {"name": "till", "yaml": YAML}),
        (f"{mine}/save", {"name": "till", "yaml": YAML}),
    ):
        answer = yard.post("adam", path, body)
        assert (answer.status_code, "somebody else's" in answer.text) == (404, True), answer.text
    assert yard.by("adam").delete(f"{API}/uploads/{mine}").status_code == 404
    assert [one["id"] for one in yard.by("tess").get(f"{API}/uploads").json()["items"]] == [mine]
    assert yard.by("adam").get(f"{API}/uploads").json()["items"] == []
    assert yard.by("tess").delete(f"{API}/uploads/{mine}").status_code == 204
    assert yard.waiting() == []


def test_a_key_for_one_domain_reads_no_upload_of_another(yard: Yard) -> None:
    mine = yard.id("adam")
    key = Keys(Users(yard.shop.state.url)).add("adam", grant=Grant(Role.ADMIN, "domain:shop"))
    with client_of(site_of(yard.shop)) as client:
        client.headers["X-API-Key"] = key
        assert client.get(f"{API}/uploads").json()["items"] == []
        answer = client.post(f"{API}/uploads/{mine}/inspection", json={})
        assert (answer.status_code, "preview" in answer.text) == (404, False), answer.text
        assert client.delete(f"{API}/uploads/{mine}").status_code == 404
    assert [one["id"] for one in yard.by("adam").get(f"{API}/uploads").json()["items"]] == [mine]


@pytest.mark.parametrize(
    ("name", "content"),
    [("../x.csv", CSV), ("CON", CSV), ("x.exe", CSV), ("a.xlsx", CSV), ("a.csv", b""), ("x" * 300 + ".csv", CSV)],
)
def test_what_is_no_file_of_a_known_kind_is_refused_and_gone(yard: Yard, name: str, content: bytes) -> None:
    answer = yard.send("tess", content, name)
    assert (answer.status_code, "wanted" in answer.json()["detail"]) == (422, True), answer.text
    assert (yard.waiting(), yard.landed()) == ([], {})


def test_too_large_a_file_is_refused_however_it_comes(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_UPLOAD_LIMIT", "1 MB")
    assert yard.send("tess", b"id\n" + b"1\n" * 600_000).status_code == 413
    pieces = (b"1\n" * 50_000 for _ in range(12))  # of no length that is told
    answer = yard.by("tess").post(f"{API}/uploads", params={"domain": "yard", "file": "a.csv"}, content=pieces)
    assert answer.status_code == 413
    assert yard.waiting() == []
    assert yard.send("tess", b"id\n" + b"1\n" * 400_000).status_code == 201


def test_an_upload_that_is_cut_off_leaves_nothing(yard: Yard) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in yard.by("tess").cookies.items())
    scope = {
        "type": "http", "method": "POST", "path": f"{API}/uploads", "raw_path": f"{API}/uploads".encode(), "root_path": "",
        "scheme": "http", "http_version": "1.1", "query_string": b"domain=yard&file=a.csv", "client": ("127.0.0.1", 1),
        "server": ("localhost", 3001),
        "headers": [(b"host", b"localhost:3001"), (b"cookie", cookie.encode()), (b"sec-fetch-site", b"same-origin")],
    }  # fmt: skip
    messages = iter([{"type": "http.request", "body": CSV[:5], "more_body": True}, {"type": "http.disconnect"}])
    seen: list[int] = []

    async def receive() -> Any:
        message = next(messages)
        seen.append(len(yard.waiting()))
        return message

    async def send(message: Any) -> None:
        assert message.get("status") != 201

    async def ask() -> None:
        await application(site_of(yard.shop))(scope, receive, send)

    with suppress(ClientDisconnect):
        asyncio.run(ask())
    assert seen == [1, 1]
    assert (yard.waiting(), yard.landed()) == ([], {})
    assert [(one.on, one.result, one.more["why"]) for one in yard.heard("upload")] == [
        ("a.csv", "refused", "the connection ended")
    ]


def test_a_file_becomes_a_pipeline_and_its_first_input(yard: Yard) -> None:
    mine = yard.id("tess", messy(yard.shop.root / "m.xlsx").read_bytes(), "stock of May.xlsx")
    found = yard.post(
        "tess", f"{mine}/inspection", {"owner": "team:yard", "starts": "schedule", "schedule": "0 5 * * *"}
    )
    assert found.status_code == 200, found.text
    yaml = found.json()["yaml"]
    assert 'schedule: "0 5 * * *"' in yaml
    assert '"${DQ_LANDING}/yard/stock_of_may/*.xlsx"' in yaml
    tried = yard.post("tess", f"{mine}/trial", {"name": "stock_of_may", "yaml": yaml})
    assert tried.status_code == 200, tried.text
    counts = {key: tried.json()[key] for key in ("rows_in", "published", "refused", "dropped", "blocked")}
    assert counts == {"rows_in": 61, "published": 60, "refused": 1, "dropped": 0, "blocked": None}
    assert tried.json()["refused_rows"][0]["cells"]["Id"] == "Total"
    assert (yard.landed(), Path(yard.shop.lake.root).exists()) == ({}, False), "a trial writes nothing"
    saved = yard.post("tess", f"{mine}/save", {"name": "stock_of_may", "yaml": yaml})
    assert saved.status_code == 201, saved.text
    assert list(yard.landed()) == [saved.json()["landed"]] == ["yard/stock_of_may/stock of May.xlsx"]
    assert (yard.shop.root / "assets_config" / "yard" / "stock_of_may.yaml").read_text() == yaml
    assert yard.waiting() == []
    (event,) = yard.heard("job.create")
    assert (event.who, event.on, event.more["landed"]) == (
        "tess",
        "stock_of_may",
        "yard/stock_of_may/stock of May.xlsx",
    )


def test_who_edits_for_a_team_saves_into_the_teams_folder(yard: Yard) -> None:
    mine = yard.id("tom")
    yaml = yard.post("tom", f"{mine}/inspection", {"name": "till", "owner": "team:yard"}).json()["yaml"]
    without = yaml.replace("owners: [team:yard]\n", "")
    assert yard.post("tom", f"{mine}/save", {"name": "till", "yaml": without}).status_code == 403
    assert yard.landed() == {}
    saved = yard.post("tom", f"{mine}/save", {"name": "till", "yaml": yaml})
    assert (saved.status_code, saved.json().get("landed")) == (201, "team-yard/till/a.csv"), saved.text


def test_a_trial_counts_as_a_run_does(yard: Yard) -> None:
    mine = yard.id("tess")
    tried = yard.post("tess", f"{mine}/trial", {"name": "till", "yaml": YAML}).json()
    assert (tried["rows_in"], tried["published"], tried["refused"], tried["casts"]) == (3, 1, 2, {"id": 1})
    assert sorted((one["rule"], one["column"], one["rows"]) for one in tried["reasons"]) == [
        ("cast", "id", 1),
        ("expect_column_values_to_be_in_set", "name", 1),
    ]
    assert [row["row"] for row in tried["refused_rows"]] == [3, 4]
    assert yard.post("tess", f"{mine}/save", {"name": "till", "yaml": YAML}).status_code == 201
    table = load_project(yard.shop.root / "assets_config").tables["till"]
    outcome = refine(TableRun(table, yard.shop.lake))
    assert outcome is not None
    assert (outcome.counts.rows_in, outcome.counts.published, outcome.counts.refused) == (3, 1, 2)


def test_a_rule_that_cannot_be_judged_says_so(yard: Yard) -> None:
    other = YAML.replace(
        "expect_column_values_to_be_in_set, column: name", "expect_column_values_to_be_in_set, column: nam"
    )
    tried = yard.post("tess", f"{yard.id('tess')}/trial", {"name": "till", "yaml": other}).json()
    (rule,) = (one for one in tried["rules"] if one["column"] == "nam")
    assert "nearest: name" in rule["error"]
    assert (tried["published"], "blocked by" in tried["blocked"]) == (0, True)


def test_a_blocked_trial_would_publish_nothing(yard: Yard) -> None:
    blocking = YAML.replace(
        "expect_column_values_to_be_in_set, column: name, value_set: [a, c]",
        "expect_table_row_count_to_equal, value: 7",
    )
    tried = yard.post("tess", f"{yard.id('tess')}/trial", {"name": "till", "yaml": blocking}).json()
    assert (tried["published"], tried["published_rows"]) == (0, [])
    assert "blocked by expect_table_row_count_to_equal" in tried["blocked"]


def test_a_trial_looks_values_up_in_tables_that_its_author_may_view(yard: Yard) -> None:
    yard.shop.land("shops/a.csv", "shop\na\nb\n")
    with yard.shop.instance:
        yard.shop.run("shops")
    before = {path: path.stat().st_mtime_ns for path in Path(yard.shop.lake.root).rglob("*")}
    looks = YAML.replace(
        "expect_column_values_to_be_in_set, column: name, value_set: [a, c]",
        "expect_column_values_to_exist_in, column: name, table: silver/shops, key: shop",
    )
    mine = yard.id("tess")
    tried = yard.post("tess", f"{mine}/trial", {"name": "till", "yaml": looks}).json()
    assert (tried["published"], tried["refused"]) == (2, 1), tried
    assert {path: path.stat().st_mtime_ns for path in Path(yard.shop.lake.root).rglob("*")} == before
    other = yard.post(
        "tess",
        f"{mine}/trial",
        {"name": "till", "yaml": looks.replace("silver/shops, key: shop", "silver/sales, key: note")},
    )
    assert (other.status_code, "it reads silver/sales" in other.text) == (403, True), other.text
    assert yard.heard("job.check")[-1].result == "refused"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("/yard/till/", "/shop/till/"), "wanted a place below DQ_LANDING, in its folder yard/"),
        (('"${DQ_LANDING}/yard/till/*.csv"', "/etc/passwd"), "wanted a place below DQ_LANDING"),
        (("/yard/till/", "/yard/../shop/"), "wanted a place below DQ_LANDING"),
        (("silver:", "silver:\n  transform: [{python: 'os:getcwd'}]"), "wanted no Python from afar"),
        (("silver:", "silver:\n  transform: [{sql: \"select * from read_csv('/etc/passwd')\"}]"), "wanted"),
        (("type: csv", "type: parquet"), "source.type: wanted csv"),
        (("owners: [team:yard]", "nonsense: 1"), "unknown key 'nonsense'"),
    ],
)
def test_what_may_not_be_saved_is_not_tried_either(yard: Yard, change: tuple[str, str], why: str) -> None:
    mine = yard.id("tess")
    answer = yard.post("tess", f"{mine}/trial", {"name": "till", "yaml": YAML.replace(*change)})
    assert (answer.status_code, why in answer.json()["detail"]) == (422, True), answer.text
    assert str(yard.shop.root) not in answer.text


def test_python_of_an_admin_runs_beside_the_server_and_only_then(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "marking.py"
    module.write_text(
        "import os, pathlib\n\ndef mark(rows):\n"
        f"    with pathlib.Path({str(tmp_path / 'marks')!r}).open('a') as file: file.write(f'{{os.getpid()}}\\n')\n    return rows\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    marked = YAML.replace("silver:", "silver:\n  transform: [{python: 'marking:mark'}]")
    assert yard.post("tess", f"{yard.id('tess')}/trial", {"name": "till", "yaml": marked}).status_code == 422
    assert not (tmp_path / "marks").exists()
    tried = yard.post("adam", f"{yard.id('adam')}/trial", {"name": "till", "yaml": marked})
    assert (tried.status_code, (tried.json().get("rows_in"))) == (200, 3), tried.text
    assert str(os.getpid()) not in (tmp_path / "marks").read_text().split()


def test_a_pipeline_that_does_not_read_the_file_is_not_saved(yard: Yard) -> None:
    mine = yard.id("tess")
    answer = yard.post("tess", f"{mine}/save", {"name": "till", "yaml": YAML.replace("/till/", "/tills/")})
    assert (answer.status_code, "wanted a path that reads yard/till/a.csv" in answer.text) == (422, True)
    assert (yard.landed(), len(yard.waiting())) == ({}, 1)


def test_an_existing_file_is_replaced_only_if_that_is_said(yard: Yard) -> None:
    yard.shop.land("yard/till/a.csv", "id,name\n7,z\n")
    mine = yard.id("tess")
    answer = yard.post("tess", f"{mine}/save", {"name": "till", "yaml": YAML})
    assert (answer.status_code, "which exists" in answer.text) == (409, True)
    assert not (yard.shop.root / "assets_config" / "yard" / "till.yaml").exists()
    assert yard.landed() == {"yard/till/a.csv": b"id,name\n7,z\n"}
    assert yard.post("tess", f"{mine}/save", {"name": "till", "yaml": YAML, "replace": True}).status_code == 201
    assert yard.landed() == {"yard/till/a.csv": CSV}


def test_a_file_that_no_pipeline_reads_does_not_stay(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = yard.id("tess")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Editing, "create", full)
    answer = yard.post("tess", f"{mine}/save", {"name": "till", "yaml": YAML})
    assert (answer.status_code, "No space left" in answer.text) == (503, True)
    assert (yard.landed(), len(yard.waiting())) == ({}, 1)


def test_a_file_that_was_to_be_replaced_stays_if_the_pipeline_cannot_be_written(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard.shop.land("yard/till/a.csv", "id,name\n7,z\n")
    mine = yard.id("tess")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Editing, "create", full)
    answer = yard.post("tess", f"{mine}/save", {"name": "till", "yaml": YAML, "replace": True})
    assert (answer.status_code, "No space left" in answer.text) == (503, True)
    assert (yard.landed(), len(yard.waiting())) == ({"yard/till/a.csv": b"id,name\n7,z\n"}, 1)


@pytest.mark.parametrize("replace", [True, False])
def test_a_pipeline_whose_file_cannot_land_is_taken_back(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    before = {"yard/till/a.csv": b"id,name\n7,z\n"} if replace else {}
    if replace:
        yard.shop.land("yard/till/a.csv", "id,name\n7,z\n")
    mine, config = yard.id("tess"), yard.shop.root / "assets_config" / "yard"
    files, seen = sorted(config.iterdir()), list[bool]()

    def refused(*_: Any) -> None:
        seen.append((config / "till.yaml").exists())
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as during:
        during.setattr(OpenFolder, "rename" if replace else "link", refused)
        if not replace:
            during.setattr(landing, "_linked", lambda *_: None)
            during.setattr(OpenFolder, "creating", refused)
        answer = yard.post("tess", f"{mine}/save", {"name": "till", "yaml": YAML, "replace": replace})
    assert (answer.status_code, "Input/output error" in answer.text) == (503, True), answer.text
    assert seen[-1], "the YAML is written before the file lands"
    assert (yard.landed(), sorted(config.iterdir()), len(yard.waiting())) == (before, files, 1)
    assert [(one.on, one.result) for one in yard.heard("job.create")] == [("till", "refused")]
    again = yard.post("tess", f"{mine}/save", {"name": "till", "yaml": YAML, "replace": replace})
    assert (again.status_code, yard.landed()) == (201, {"yard/till/a.csv": CSV})


def test_what_is_refused_is_in_the_audit_log(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_UPLOAD_LIMIT", "1 MB")
    yard.send("tess", b"id\n" + b"1\n" * 600_000, "large.csv")
    yard.send("tess", CSV, "a.xlsx")
    yard.send("tess", CSV, "x.exe")
    monkeypatch.setenv("DQ_UPLOAD_TOTAL", "1 MB")
    for name in ("b.csv", "c.csv"):
        yard.send("tess", b"id\n" + b"1\n" * 300_000, name)
    said = [(one.on, one.result, str(one.more.get("why", ""))) for one in yard.heard("upload")]
    whys = ("a body of at most 1,000,000 bytes", "an Excel workbook", "a name ending in", "", "of all users together")
    names = ["large.csv", "a.xlsx", "x.exe", "b.csv", "c.csv"]
    assert [(on, result) for on, result, _ in said] == [(n, "done" if n == "b.csv" else "refused") for n in names]
    for (on, _, why), wanted in zip(said, whys, strict=True):
        assert wanted in why, on
    monkeypatch.setenv("DQ_UPLOAD_TOTAL", "9 MB")
    mine = yard.id("tess")
    assert yard.post("tess", f"{mine}/trial", {"name": "till", "yaml": YAML + "nonsense: 1\n"}).status_code == 422
    assert yard.post("tess", f"{mine}/inspection", {"sheet": "x"}).status_code == 422
    tried, looked = yard.heard("upload.trial")[-1], yard.heard("upload.inspect")[-1]
    assert (tried.on, tried.result, tried.more["table"]) == ("a.csv", "refused", "till")
    assert "unknown key 'nonsense'" in str(tried.more["why"])
    assert (looked.on, looked.result) == ("a.csv", "refused")
    assert str(yard.shop.root) not in f"{tried.more}{looked.more}"


def test_of_two_users_with_the_same_name_one_saves_and_the_other_hears_why(yard: Yard) -> None:
    ids = {who: yard.id(who, CSV.replace(b"a", who.encode())) for who in ("tess", "adam")}
    start, answers = threading.Barrier(2), dict[str, Any]()

    def save(who: str) -> None:
        start.wait()
        answers[who] = yard.post(who, f"{ids[who]}/save", {"name": "till", "yaml": YAML})

    threads = [threading.Thread(target=save, args=(who,)) for who in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.status_code for one in answers.values()) == [201, 409]
    (winner,) = (who for who, one in answers.items() if one.status_code == 201)
    assert yard.landed() == {"yard/till/a.csv": CSV.replace(b"a", winner.encode())}
    assert len(yard.waiting()) == 1, "the other's file still waits, and can be saved by another name"


def test_a_changed_text_is_tried_on_the_newest_landed_file(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.shop.land("shops/a.csv", "shop\na\n")
    yard.shop.land("shops/b.csv", "shop\nb\nb\nc\n")
    os.utime(yard.shop.landing / "shops" / "a.csv", (1, 1))
    config = yard.shop.root / "assets_config" / "yard" / "shops.yaml"
    text, before = config.read_text(), yard.landed()
    strict = text.replace(
        "rules: [", "rules: [{type: expect_column_values_to_be_in_set, column: shop, value_set: [b]}, "
    )
    answer = yard.by("adam").post(f"{API}/jobs/shops/trial", json={"yaml": strict})
    assert answer.status_code == 200, answer.text
    tried = answer.json()
    assert (tried["file"], tried["rows_in"], tried["published"], tried["refused"]) == ("b.csv", 3, 0, 3)
    assert {(one["rule"], one["rows"]) for one in tried["reasons"]} == {
        ("expect_column_values_to_be_in_set", 1),
        ("expect_column_values_to_be_unique", 2),
    }
    assert str(yard.shop.root) not in answer.text
    assert (config.read_text(), yard.landed(), Path(yard.shop.lake.root).exists()) == (text, before, False)
    assert yard.by("otto").post(f"{API}/jobs/shops/trial", json={"yaml": text}).status_code == 403
    assert yard.by("tess").post(f"{API}/jobs/sales/trial", json={"yaml": text}).status_code in (403, 404)
    wrong = yard.by("adam").post(f"{API}/jobs/shops/trial", json={"yaml": strict + "nonsense: 1\n"})
    assert (wrong.status_code, "unknown key 'nonsense'" in wrong.text) == (422, True)
    monkeypatch.setenv("DQ_UPLOAD_LIMIT", "1 MB")
    yard.shop.land("shops/c.csv", "shop\n" + "d\n" * 600_000)
    large = yard.by("adam").post(f"{API}/jobs/shops/trial", json={"yaml": text})
    assert (large.status_code, "at most 1,000,000 bytes for a trial" in large.text) == (422, True), large.text
    for name in ("a", "b", "c"):
        (yard.shop.landing / "shops" / f"{name}.csv").unlink()
    none = yard.by("adam").post(f"{API}/jobs/shops/trial", json={"yaml": text})
    assert (none.status_code, str(yard.shop.root) in none.text) == (422, False), none.text
    assert [one.result for one in yard.heard("job.trial")] == ["done", "refused", "refused", "refused"]


def test_who_edits_for_a_domain_tries_no_text_that_reads_elsewhere(yard: Yard) -> None:
    yard.shop.land("shops/a.csv", "shop\nsecret\n")
    mine = yard.id("tess")
    assert yard.post("tess", f"{mine}/save", {"name": "till", "yaml": YAML}).status_code == 201
    elsewhere = (
        YAML.replace("/yard/till/", "/shops/")
        .replace("id: int64, name: string", "shop: string")
        .replace("column: name", "column: shop")
    )
    answer = yard.by("tess").post(f"{API}/jobs/till/trial", json={"yaml": elsewhere})
    assert (answer.status_code, "secret" in answer.text) == (422, False), answer.text
    own = yard.by("tess").post(f"{API}/jobs/till/trial", json={"yaml": YAML})
    assert (own.status_code, own.json().get("published")) == (200, 1), own.text
