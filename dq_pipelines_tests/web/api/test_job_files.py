"""A job's YAML over REST: written with permission and a matching ETag, and reloaded by Dagster; otherwise nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dq_pipelines_tests.web.api.test_jobs import JOBS, got
from dq_pipelines_tests.web.hosting import Hosted

pytestmark = pytest.mark.slow

TILL = "source: {type: csv, path: '${DQ_LANDING}/till/*.csv'}\nowners: [team:till]\nsilver: {columns: {id: int64}}\n"


@pytest.fixture(autouse=True)
def _landing(here: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_LANDING", str(here.shop.landing))


def files(here: Hosted) -> dict[str, bytes]:
    root = here.shop.root / "assets_config"
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.glob("[a-z]*/*"))}


def sent(here: Hosted, who: str, method: str, path: str, body: Any = None, etag: str | None = None) -> Any:
    headers = {"If-Match": etag} if etag is not None else {}
    return here.browser(who).request(method, f"{JOBS}{path}", json=body, headers=headers)


def heard(here: Hosted, what: str) -> tuple[str, str, str]:
    event = here.heard(what)[0]
    return event.who, event.on, event.result


def test_a_job_is_made_changed_gone_back_to_and_deleted(here: Hosted) -> None:
    made = sent(here, "adam", "POST", "", {"name": "till", "domain": "shop", "yaml": TILL})
    assert made.status_code == 201, made.text
    assert (made.headers["location"], made.json()["loaded"]) == (f"{JOBS}/till", "")
    assert (made.headers["etag"], made.json()["yaml"]) == (made.json()["etag"], TILL)
    assert heard(here, "job.create") == ("adam", "till", "done")
    # Dagster knows it at once.
    known = here.host.ask(None, "{ assetNodes { assetKey { path } } }")["assetNodes"]
    assert ["silver", "till"] in [node["assetKey"]["path"] for node in known]
    assert sent(here, "adam", "POST", "", {"name": "till", "domain": "shop", "yaml": TILL}).status_code == 409

    other = TILL.replace("int64", "string")
    assert sent(here, "adam", "PUT", "/till", {"yaml": other}).status_code == 428
    assert sent(here, "adam", "PUT", "/till", {"yaml": other}, '"somebody-else"').status_code == 412
    changed = sent(here, "adam", "PUT", "/till", {"yaml": other}, made.headers["etag"])
    assert (changed.status_code, changed.json()["yaml"]) == (200, other)
    (version,) = got(here.browser("vera"), f"{JOBS}/till/versions")["items"]
    assert version["replaced_by"] == "adam"
    before = got(here.browser("vera"), f"{JOBS}/till/versions/{version['id']}")["yaml"]
    back = sent(here, "adam", "PUT", "/till", {"yaml": before}, changed.headers["etag"])
    assert back.headers["etag"] == made.headers["etag"]

    assert sent(here, "adam", "DELETE", "/till").status_code == 428
    gone = sent(here, "adam", "DELETE", "/till", etag=back.headers["etag"])
    assert (gone.status_code, gone.json()["loaded"]) == (200, "")
    assert "data are kept" in gone.json()["said"]
    assert "shop/till.yaml" not in files(here)
    assert len(got(here.browser("adam"), f"{JOBS}/till/versions")["items"]) == 3
    # Who may not look at its domain does not learn that it was there, and nobody else gets its name and data.
    got(here.browser("olga"), f"{JOBS}/till/versions", 404)
    theirs = sent(here, "yves", "POST", "", {"name": "till", "domain": "yard", "yaml": TILL})
    assert theirs.status_code == 403
    assert "an earlier table till left data" in theirs.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "", {"name": "bad", "domain": "shop", "yaml": "source: {type: cvs}"}, 422, "shop/bad.yaml:1: unknown source 'cvs' (nearest: csv)"),
        ("POST", "", {"name": "bad", "domain": "shop", "definition": {"source": {"type": "csv"}}}, 422, "missing key 'path'"),
        ("POST", "", {"name": "../bad", "domain": "shop", "yaml": TILL}, 422, "body.name"),
        ("POST", "", {"name": "bad", "domain": "../shop", "yaml": TILL}, 422, "body.domain"),
        ("POST", "", {"name": "bad\x00", "domain": "shop", "yaml": TILL}, 422, "body.name"),
        ("POST", "", {"name": "bad", "domain": "shop"}, 422, "wanted one of yaml and definition"),
        ("POST", "", {"name": "bad", "domain": "shop", "yaml": TILL, "definition": {}}, 422, "wanted one of yaml and definition"),
        ("POST", "", {"name": "bad", "domain": "shop", "yaml": "\x00"}, 422, "wanted printable text"),
        ("POST", "", {"name": "sales", "domain": "yard", "yaml": TILL}, 409, "wanted a new name, got 'sales'"),
        ("POST", "", {"name": "bad", "domain": "shop", "yaml": "x" * (2 << 20)}, 413, "at most 2,097,152 bytes"),
        ("POST", "", {"name": "bad", "domain": "shop", "yaml": "source: {type: csv, path: /etc/passwd}"}, 422, "below DQ_LANDING"),
        ("PUT", "/..%2fsales", {"yaml": TILL}, 404, "Not Found"),
        ("PUT", "/..%252fsales", {"yaml": TILL}, 404, "Not Found"),
        ("PUT", "/%00", {"yaml": TILL}, 404, "unknown job"),
        ("DELETE", "/sales", None, 422, "unknown table 'silver.sales'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_is_written(
    here: Hosted, method: str, path: str, body: Any, status: int, said: str
) -> None:
    before = files(here)
    etag = got(here.browser("adam"), f"{JOBS}/sales")["etag"]
    answer = sent(here, "adam", method, path, body, etag)
    assert (answer.status_code, files(here)) == (status, before), answer.text
    assert said in answer.json()["detail"]


def test_every_problem_is_told_at_once(here: Hosted) -> None:
    text = TILL + "onwers: []\nschedule: often\n"
    detail = sent(here, "adam", "POST", "", {"name": "bad", "domain": "shop", "yaml": text}).json()["detail"]
    assert "shop/bad.yaml:4: unknown key 'onwers' (nearest: owners)" in detail
    assert "bad.yaml:5: schedule: wanted a cron schedule" in detail


@pytest.mark.parametrize(
    ("path", "body", "lines"),
    [
        (
            "",
            {"name": "../bad", "domain": 7, "yml": TILL},
            ["body.name: string should match", "body.domain: input should be a valid string", "body.yml: extra inputs", "body: wanted one of yaml and definition"],
        ),
        ("/sales/execute", {"mode": "again", "partition": 1, "x": 2}, ["body.mode: ", "body.partition: ", "body.x: "]),
        ("/by_shop/execute", {"mode": "rerun", "partition": "x"}, ["body.mode: gold/by_shop is computed", "body.partition: gold/by_shop has no partitions"]),
    ],
)  # fmt: skip
def test_every_mistake_of_a_body_is_told_at_once(here: Hosted, path: str, body: Any, lines: list[str]) -> None:
    answer = sent(here, "adam", "POST", path, body)
    told = answer.json()["detail"].splitlines()
    assert (answer.status_code, len(told)) == (422, len(lines)), told
    assert [line for line, begin in zip(told, lines, strict=True) if not line.startswith(begin)] == []


def test_of_a_thousand_mistakes_a_hundred_are_told(here: Hosted) -> None:
    body = {"names": list(range(1000))}
    told = here.browser("adam").post("/api/v1/scheduler/pause", json=body).json()["detail"].splitlines()
    assert (len(told), told[-1]) == (101, "and 900 more")


def test_every_unknown_name_is_listed(here: Hosted) -> None:
    names = ["sale_schedule", "nothing"]
    told = here.browser("adam").post("/api/v1/scheduler/pause", json={"names": names}).json()["detail"].splitlines()
    assert [line.split("'")[1] for line in told] == names


@pytest.mark.parametrize(
    "raw",
    [b"{", b"[" * 100_000, b'{"yaml": "\\ud800"}', b'{"yaml": ' + b"9" * 5000 + b"}", b"\xff\xfe", b"null", b'{"definition": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}", b'{"definition": {"a": NaN}}'],
)  # fmt: skip
def test_a_body_that_is_none_is_the_senders_fault(here: Hosted, raw: bytes) -> None:
    before = files(here)
    etag = got(here.browser("adam"), f"{JOBS}/sales")["etag"]
    headers = {"content-type": "application/json", "if-match": etag}
    answer = here.browser("adam").put(f"{JOBS}/sales", content=raw, headers=headers)
    assert (answer.status_code in (400, 422), files(here)) == (True, before), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_that_does_not_say_how_long_it_is_is_cut_off(here: Hosted) -> None:
    told = iter([b"x" * 70_000] * 40)
    answer = here.browser("adam").post(JOBS, content=told, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["status"]) == (413, 413)


#: yves may edit the domain yard, and look at shop.
MINE = "source: {type: csv, path: '${DQ_LANDING}/yard/mine/*.csv'}\nsilver: {columns: {id: int64}}\n"


@pytest.mark.parametrize(
    ("who", "method", "path", "body", "said"),
    [
        ("vera", "PUT", "/sales", {"yaml": MINE}, "be admin; you are viewer"),
        ("otto", "DELETE", "/sales", None, "be admin; you are operator"),
        ("yves", "PUT", "/sales", {"yaml": MINE}, "be admin of sales; you are admin of domain:yard, viewer of domain:shop"),
        ("yves", "POST", "", {"name": "mine", "domain": "shop", "yaml": MINE}, "you may not edit it with these owners"),
        ("yves", "POST", "", {"name": "mine", "domain": "shop", "yaml": "owners: [team:yard]\n" + MINE}, "with these owners"),
        ("tess", "PUT", "/deliveries", {"yaml": MINE.replace("/yard/", "/team-yard/")}, "you may not edit it with these owners"),
        ("tess", "POST", "", {"name": "mine", "domain": "yard", "yaml": "owners: [team:yard]\ngold: {sql: select id from silver.counted}"}, "it reads silver/counted"),
    ],
)  # fmt: skip
def test_nobody_grants_themself_a_table_and_the_log_has_who_tried(
    here: Hosted, who: str, method: str, path: str, body: Any, said: str
) -> None:
    before = files(here)
    etag = got(here.browser("adam"), f"{JOBS}{path}")["etag"] if path else None
    answer = sent(here, who, method, path, body, etag)
    assert (answer.status_code, files(here)) == (403, before), answer.text
    assert said in answer.json()["detail"]
    assert [
        event for event in here.heard("job.change") + here.heard("job.create") + here.heard("edit") if event.who == who
    ]


def test_only_an_admin_of_everything_may_name_python(here: Hosted) -> None:
    body = {"name": "sums", "domain": "yard", "yaml": "gold: {python: 'os.path:join', inputs: [silver/deliveries]}"}
    answer = sent(here, "yves", "POST", "", body)
    assert (answer.status_code, "wanted no Python from afar" in answer.text) == (422, True)
    assert heard(here, "job.create") == ("yves", "sums", "refused")


def test_an_admin_of_some_tables_runs_nothing_and_reads_nothing_of_the_server(here: Hosted) -> None:
    was_here = here.shop.root / "was_here"
    touch = {"type": "python", "function": "subprocess:getoutput", "arguments": {"cmd": f"touch {was_here}"}}
    (here.shop.landing / "yard").mkdir(exist_ok=True)
    (here.shop.landing / "yard/suite.json").write_text(json.dumps([touch]))
    mine = "source: {type: csv, path: '${DQ_LANDING}/yard/mine/*.csv'}\n"
    for text, said in (
        (mine + "silver: {rules: '${DQ_LANDING}/yard/suite.json'}", "wanted a suite below the table's own folder"),
        (mine + "silver: {rules: '../../landing/yard/suite.json'}", "wanted a suite below the table's own folder"),
        (
            mine + "silver: {rules: [{type: '${DQ_LANDING:-python}', function: 'subprocess:getoutput'}]}",
            "wanted no Python",
        ),
        (mine + "silver: {transform: [{sql: \"select * from self, read_${X:-csv}('/etc/passwd')\"}]}", "got ${X}"),  # noqa: S608
        (mine.replace("yard", "shop"), "in its folder yard/"),
    ):
        before = files(here)
        answer = sent(here, "yves", "POST", "", {"name": "mine", "domain": "yard", "yaml": text})
        assert (answer.status_code, files(here)) == (422, before), answer.text
        assert said in answer.text
    assert not was_here.exists()


def test_what_an_author_may_not_is_refused_by_the_code_server_too(here: Hosted) -> None:
    text = "source: {type: csv, path: '${DQ_LANDING}/yard/mine/*.csv'}\nsilver: {rules: later.json}\n"
    suite = here.shop.root / "assets_config/yard/later.json"
    suite.write_text('[{"type": "expect_column_values_to_not_be_null", "column": "id"}]')
    made = sent(here, "yves", "POST", "", {"name": "mine", "domain": "yard", "yaml": text})
    assert (made.status_code, made.json()["loaded"]) == (201, ""), made.text
    was_here = here.shop.root / "was_here_later"
    touch = {"type": "python", "function": "subprocess:getoutput", "arguments": {"cmd": f"touch {was_here}"}}
    suite.write_text(json.dumps([touch]))
    detail = got(here.browser("yves"), f"{JOBS}/mine")
    assert any("wanted no Python from afar" in one for one in detail["problems"]), detail["problems"]
    answer = sent(here, "adam", "PUT", "/shops", {"yaml": (here.shop.root / "assets_config/shop/shops.yaml").read_text()},
                  got(here.browser("adam"), f"{JOBS}/shops")["etag"])  # fmt: skip
    # The others are loaded, without it.
    assert (answer.status_code, answer.json()["loaded"]) == (200, ""), answer.text
    assert not was_here.exists()
    suite.write_text("[]")
    assert sent(here, "yves", "DELETE", "/mine", etag=detail["etag"]).status_code == 200
    suite.unlink()


def test_of_two_who_saw_the_same_one_changes_it(here: Hosted) -> None:
    etag = got(here.browser("adam"), f"{JOBS}/shops")["etag"]
    text = (here.shop.root / "assets_config/shop/shops.yaml").read_text()
    first = sent(here, "adam", "PUT", "/shops", {"yaml": text + "# first\n"}, etag)
    second = sent(here, "adam", "PUT", "/shops", {"yaml": text + "# second\n"}, etag)
    assert (first.status_code, second.status_code) == (200, 412)
    assert files(here)["shop/shops.yaml"].endswith(b"# first\n")


def test_json_is_written_as_it_is_and_where_the_folder_is_read_only_nothing_is(
    here: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"source": {"type": "csv", "path": "${DQ_LANDING}/yard/j/*.csv"}, "description": "1e3", "tags": {"a": "yes"}}
    body = {"name": "from_json", "domain": "yard", "definition": said}
    monkeypatch.setenv("DQ_CONFIG_READ_ONLY", "1")
    refused = sent(here, "yves", "POST", "", body)
    assert (refused.status_code, "DQ_CONFIG_READ_ONLY" in refused.text) == (403, True)
    monkeypatch.delenv("DQ_CONFIG_READ_ONLY")
    made = sent(here, "yves", "POST", "", body)
    assert (made.status_code, made.json()["loaded"]) == (201, ""), made.text
    assert json.loads(Path(here.shop.root / "assets_config/yard/from_json.yaml").read_text()) == said
    assert made.json()["description"] == "1e3"
    assert sent(here, "yves", "DELETE", "/from_json", etag=made.headers["etag"]).status_code == 200
