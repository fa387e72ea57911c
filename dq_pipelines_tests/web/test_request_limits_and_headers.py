"""Middleware: limits on request bodies, and security headers on every answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message

from dq_pipelines.web.middleware.security_headers import Bounds, SecurityHeaders
from dq_pipelines_tests.web.conftest import client_of, site_of
from dq_pipelines_tests.workshop import Workshop


async def _length(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def _slow(_: Request) -> Response:
    async def parts() -> object:
        for part in (b"a", b"b"):
            await asyncio.sleep(0.3)
            yield part

    return StreamingResponse(parts())  # type: ignore[arg-type]


APP = Starlette(routes=[Route("/", _length, methods=["POST"]), Route("/slow", _slow)])


@pytest.fixture
def client() -> TestClient:
    return TestClient(SecurityHeaders(Bounds(APP, most=1000, seconds=0.2)))


@pytest.mark.parametrize(("size", "status"), [(0, 200), (1000, 200), (1001, 413), (100_000, 413)])
def test_the_body_limit_holds_with_and_without_content_length(client: TestClient, size: int, status: int) -> None:
    def chunks() -> Iterator[bytes]:
        for start in range(0, size, 100):
            yield b"x" * min(100, size - start)

    for content in (b"x" * size, chunks()):
        answer = client.post("/", content=content)
        assert answer.status_code == status
        assert (
            answer.text == str(size)
            if status == 200
            else answer.json()["detail"] == "wanted a body of at most 1,000 bytes, got more"
        )
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("length", ["-1", "1e9", "99999999999999999999", "0x10"])
def test_an_invalid_content_length_is_ignored(client: TestClient, length: str) -> None:
    answer = client.post("/", content=b"x" * 5000, headers={"content-length": length})
    assert answer.status_code == 413


def test_a_slow_body_is_refused() -> None:
    sent: list[Message] = []

    async def never() -> Message:
        await asyncio.sleep(60)
        raise AssertionError("not waited for")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
    asyncio.run(asyncio.wait_for(Bounds(APP, seconds=0.2)(scope, never, send), 5))
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["detail"] == "wanted the body within 0.2 seconds"
    assert len(sent) == 2


def test_an_answer_may_take_its_time(client: TestClient) -> None:
    assert client.get("/slow").text == "ab"


@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("/dashboard/", "default-src 'none'; script-src 'self'"),
        ("/api", "default-src 'none'; frame-ancestors 'none'"),
        ("/login", "default-src 'none'; style-src 'self'"),
        ("/metrics", "object-src 'none'; base-uri 'none'; frame-ancestors 'self'"),
        ("/nowhere", "object-src 'none'; base-uri 'none'; frame-ancestors 'self'"),
    ],
)
def test_every_answer_has_the_headers(good: Workshop, path: str, policy: str) -> None:
    headers = client_of(site_of(good)).get(path).headers
    assert headers["content-security-policy"].startswith(policy)
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")
    assert (headers["x-frame-options"], headers["cross-origin-opener-policy"]) == ("SAMEORIGIN", "same-origin")


def test_refusals_have_security_headers_and_hsts(good: Workshop) -> None:
    headers = client_of(site_of(good)).get("/", headers={"host": "evil.example"}).headers
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "strict-transport-security" not in headers
    client = TestClient(SecurityHeaders(APP), base_url="https://dq.example")
    assert client.post("/", content=b"").headers["strict-transport-security"] == "max-age=31536000"
