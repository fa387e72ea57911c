"""The event stream of a run on a real server: WebSocket, server-sent events, interrupted and resumed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import httpx
import polars as pl
import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from dq_pipelines.security.keys import Keys
from dq_pipelines.security.users import Users
from dq_pipelines.web.api import live
from dq_pipelines.web.app import application
from dq_pipelines.web.streaming import run_stream
from dq_pipelines_tests.web.api.test_runs import USERS, launched
from dq_pipelines_tests.web.conftest import build, site_of
from dq_pipelines_tests.web.hosting import Hosted, hosting, listening

pytestmark = pytest.mark.slow

#: Judged for some seconds.
WIDE = """
source: {type: csv, path: "{landing}/wide.csv"}
silver:
  columns: {id: int64, text: string}
  rules:
    - {type: expect_column_values_to_be_between, column: id, max_value: 900000, severity: warning}
""" + "\n".join(
    f'    - {{type: expect_column_values_to_not_match_regex, column: text, regex: "(a|b+)([0-9]x?){{{n}}}$"}}'
    for n in range(1, 25)
)
KEYS = ["bronze/wide", "silver/wide", "quarantine/wide"]

Words = list[dict[str, Any]]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    shop = build(tmp_path_factory.mktemp("live"))
    shop.table("wide", WIDE, "wide")
    rows = pl.select(id=pl.int_range(1_500_000)).lazy().with_columns(text="text-" + pl.col("id").cast(pl.String))
    rows.sink_csv(shop.landing / "wide.csv")
    with hosting(shop, USERS) as made:
        yield made


@pytest.fixture(scope="module")
def address(here: Hosted) -> Iterator[str]:
    with listening(here) as address:
        yield address


@pytest.fixture(scope="module")
def key(here: Hosted) -> str:
    """An API key of somebody who may look at everything."""
    return key_of(here, "vera")


def key_of(here: Hosted, name: str) -> str:
    return Keys(Users(here.shop.state.url)).add(name)


def socket_of(address: str, run: str, key: str | None, after: int = 0) -> ClientConnection:
    place = f"{address.replace('http', 'ws', 1)}/api/v1/runs/{run}/events?after={after}"
    return connect(place, additional_headers={"X-API-Key": key} if key else {}, open_timeout=20)


def heard(socket: ClientConnection, most: int = 10_000, seconds: float = 90) -> Words:
    """What a socket says until it is closed, or so many words."""
    words: Words = []
    until = time.monotonic() + seconds
    while len(words) < most:
        try:
            words.append(json.loads(socket.recv(timeout=until - time.monotonic())))
        except ConnectionClosed:
            break
    return [word for word in words if word["type"] != "alive"]


def streamed(address: str, run: str, key: str, most: int = 10_000, last: int | None = None) -> Words:
    """What server-sent events say until the stream ends, or so many of them; then it is broken off."""
    words: Words = []
    headers = {"X-API-Key": key, "Accept": "text/event-stream"}
    headers |= {"Last-Event-ID": str(last)} if last is not None else {}
    with httpx.stream(
        "GET", f"{address}/api/v1/runs/{run}/events",
        headers=headers, timeout=90,
    ) as answer:  # fmt: skip
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        told: dict[str, str] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if line and name:
                told[name] = value
            elif "data" in told:
                word = json.loads(told["data"])
                assert word["type"] == told["event"]
                assert str(word.get("id", told.get("id"))) == str(told.get("id"))
                words.append(word)
                told = {}
                if len(words) == most:
                    break
    return words


def code_of(socket: ClientConnection) -> int:
    """With which code the server has closed it, when it has."""
    with pytest.raises(ConnectionClosed) as closed:
        heard_raw(socket)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def heard_raw(socket: ClientConnection) -> None:
    while True:
        socket.recv(timeout=30)


def without_end(words: Words) -> list[int]:
    return [word["id"] for word in words if word["type"] != "end"]


def test_events_of_a_run_are_streamed(here: Hosted, address: str, key: str) -> None:
    run = launched(here, *KEYS)
    words: Words = []
    came: dict[str, float] = {}
    with socket_of(address, run, key) as socket:
        while not words or words[-1]["type"] != "end":
            words += heard(socket, 1)
            came.setdefault(words[-1]["type"], time.monotonic())
        assert code_of(socket) == 1000
    over = time.monotonic()
    assert here.ended(run).status.value == "SUCCESS"
    assert [word["status"] for word in words if word["type"] == "status"] == ["STARTING", "STARTED", "SUCCESS"]
    assert words[-1] == {"type": "end"}
    # What is told early was heard early, and not with the rest at the end.
    assert came["status"] < over - 2
    assert came["progress"] < over - 1
    judging = [word for word in words if word["type"] == "progress" and word["stage"] == "judge" and word.get("rows")]
    assert judging, "the run was too short to tell"
    assert all(0 < word["percent"] < 100 and word["rows_per_second"] > 0 for word in judging)
    checks = {word["check"]: word for word in words if word["type"] == "check"}
    # rows_accounted_for, schema_drift, inputs_readable, inputs_unassigned, encoding_guessed
    assert len(checks) == 25 + 5
    between = checks["id__between"]
    assert (between["passed"], between["unexpected_count"], between["severity"]) == (False, 599_999, "warning")
    assert {word["table"] for word in words if word["type"] == "materialized"} == set(KEYS)
    ids = without_end(words)
    assert ids == sorted(set(ids))


def test_both_kinds_of_stream_have_the_same_events(address: str, key: str, done: str) -> None:
    with socket_of(address, done, key) as socket:
        assert heard(socket) == streamed(address, done, key)


@pytest.fixture(scope="module")
def done(here: Hosted) -> str:
    here.shop.land("shops/b.csv", "shop\neast\nwest\n")
    run = launched(here, "bronze/shops", "silver/shops", "quarantine/shops")
    assert here.ended(run).status.value == "SUCCESS"
    return run


def test_an_interrupted_stream_resumes_without_gap_or_duplicate(address: str, key: str, done: str) -> None:
    whole = streamed(address, done, key)
    ids = without_end(whole)
    for first in (1, 4, len(ids) - 1):
        begun = streamed(address, done, key, first)
        rest = streamed(address, done, key, last=begun[-1]["id"])
        assert begun + rest == whole
        with socket_of(address, done, key) as socket:
            begun = heard(socket, first)
        with socket_of(address, done, key, begun[-1]["id"]) as socket:
            assert begun + heard(socket) == whole


def test_the_stream_of_a_running_run_resumes_too(here: Hosted, address: str, key: str) -> None:
    (here.shop.landing / "shops" / "c.csv").write_text("shop\nup\n")
    run = launched(here, "bronze/shops", "silver/shops")
    words: Words = []
    until = time.monotonic() + 90
    while not words or words[-1]["type"] != "end":  # a connection for each word
        assert time.monotonic() < until
        with socket_of(address, run, key, words[-1]["id"] if words else 0) as socket:
            words += heard(socket, 1)
    ids = without_end(words)
    assert all(a < b for a, b in pairwise(ids))
    assert ids == without_end(streamed(address, run, key))


def test_a_browser_with_all_events_is_told_to_stop_reconnecting(address: str, key: str, done: str) -> None:
    last = max(without_end(streamed(address, done, key)))
    headers = {"X-API-Key": key, "Last-Event-ID": str(last), "Accept": "text/event-stream"}
    assert httpx.get(f"{address}/api/v1/runs/{done}/events", headers=headers).status_code == 204


def test_one_reader_serves_all_watchers(here: Hosted, address: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    look = run_stream.RunStream._look

    def counted(self: run_stream.RunStream, is_quiet: bool) -> bool:
        looks.append(self.run_id)
        return look(self, is_quiet)

    monkeypatch.setattr(run_stream.RunStream, "_look", counted)
    (here.shop.landing / "shops" / "d.csv").write_text("shop\ndown\n")
    run = launched(here, "bronze/shops", "silver/shops")
    began = time.monotonic()
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket_of(address, run, key)) for _ in range(30)]
        told = [heard(socket) for socket in sockets]
    assert all(words == told[0] for words in told)
    assert told[0][-1] == {"type": "end"}
    assert len(looks) < (time.monotonic() - began) / run_stream.LOOK + 20, "not one reader for all"


def test_a_caller_without_permission_gets_no_stream(here: Hosted, address: str, done: str) -> None:
    flo = key_of(here, "flo")  # of another domain
    headers = {"X-API-Key": flo, "Accept": "text/event-stream"}
    assert httpx.get(f"{address}/api/v1/runs/{done}/events", headers=headers).status_code == 404
    with socket_of(address, done, flo) as socket:
        assert code_of(socket) == 4404


def test_a_websocket_without_a_login_is_refused_at_the_handshake(address: str, done: str) -> None:
    for key in (None, "dq_nobody_knows_it"):
        with pytest.raises(InvalidStatus) as refused:
            socket_of(address, done, key)
        assert refused.value.response.status_code == 403


def test_an_unknown_run_is_not_found(address: str, key: str) -> None:
    url = f"{address}/api/v1/runs/nowhere/events"
    answer = httpx.get(url, headers={"X-API-Key": key})
    assert (answer.status_code, answer.json()["detail"]) == (404, "unknown run nowhere")
    with socket_of(address, "nowhere", key) as socket:
        assert code_of(socket) == 4404
    assert httpx.get(url, headers={"X-API-Key": key, "Accept": "application/json"}).status_code == 406
    assert httpx.get(f"{url}?after=-1", headers={"X-API-Key": key}).status_code == 422


def test_a_client_that_reads_nothing_is_disconnected(
    here: Hosted, key: str, done: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PATIENCE", 0.3)
    app = application(site_of(here.shop), here.host)
    path = f"/api/v1/runs/{done}/events"
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"x-api-key", key.encode()), (b"host", b"localhost")], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80), "scheme": "http", "http_version": "1.1", "asgi": {"version": "3.0"},
    }  # fmt: skip
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 4:  # its buffers are full, and it reads no more
            await asyncio.sleep(3600)

    async def receive() -> Any:
        await asyncio.sleep(3600)

    async def stuck() -> None:
        await asyncio.wait_for(app(scope, receive, send), 20)
        for _ in range(100):
            if not live.streams_of(HTTPConnection({"type": "http", "app": rest_of(app)})).watchers:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("its feed goes on")

    asyncio.run(stuck())
    assert len(sent) == 4


def rest_of(app: Starlette) -> Any:
    """The REST API's own app, within the whole."""
    return next(route.app for route in app.routes if getattr(route, "path", "") == "/api")  # type: ignore[attr-defined]


def test_streams_end_with_the_server(here: Hosted, key: str) -> None:
    (here.shop.landing / "shops" / "e.csv").write_text("shop\nleft\n")
    with ExitStack() as open_sockets:
        with listening(here) as address:
            run = launched(here, "bronze/shops", "silver/shops")
            socket = open_sockets.enter_context(socket_of(address, run, key))
            heard(socket, 1)
        assert code_of(socket) in (1001, 1012)
    here.ended(run)
