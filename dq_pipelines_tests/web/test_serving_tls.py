"""`dq serve` as a process with TLS or behind a proxy, and unsafe settings that it refuses."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.store import WRONG_TRIES
from dq_pipelines.security.throttling import FREE_TRIES
from dq_pipelines.security.users import Users
from dq_pipelines_tests.web.certificates import certificate
from dq_pipelines_tests.web.hosting import OWN, PASSWORD
from dq_pipelines_tests.web.served import dq, environment
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    Users(made.state.url).add("ann", PASSWORD, [Grant(Role.ADMIN)])
    return made


@contextmanager
def listening(shop: Workshop, *options: str, more: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a server of this project that was started with these options."""
    command = dq("serve", "--port", "0", "--no-dagster", *options)
    env = environment(shop) | dict(more or {})
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            yield serving.stdout.readline().removeprefix("dashboard at ").partition("/dashboard/")[0]
        finally:
            serving.terminate()
            assert serving.wait(20) in (0, -15)


def log_in(
    address: str, headers: Mapping[str, str] | None = None, trusted: Path | None = None, password: str = PASSWORD
) -> httpx.Response:
    form = {"name": "ann", "password": password, "next": "/metrics"}
    context = ssl.create_default_context(cafile=trusted) if trusted else False
    with httpx.Client(verify=context, timeout=60) as client:
        return client.post(f"{address}/login", data=form, headers=OWN | dict(headers or {}))


def test_it_serves_https(shop: Workshop, tmp_path: Path) -> None:
    chain, key = certificate(tmp_path / "tls")
    with listening(shop, f"--tls-cert={chain}", f"--tls-key={key}") as address:
        assert address.startswith("https://127.0.0.1:")
        answer = log_in(address, trusted=chain)
        assert answer.status_code == 303
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert "__Host-dq_session=" in answer.headers["set-cookie"]
        with pytest.raises(httpx.HTTPError):
            httpx.get(address.replace("https:", "http:"), timeout=60)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="deprecated"):
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        host, _, port = address.removeprefix("https://").partition(":")
        with (
            socket.create_connection((host, int(port)), timeout=60) as plain,
            pytest.raises(OSError, match=r"SSL|alert|EOF"),
        ):
            old.wrap_socket(plain).close()


@pytest.mark.parametrize("options", [[], ["--behind-proxy=10.0.0.0/8"]], ids=str)
def test_forged_headers_of_proxies_change_nothing_although_uvicorn_would_believe_them(
    shop: Workshop, options: list[str]
) -> None:
    headers = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https", "x-forwarded-host": "evil.example"}
    with listening(shop, *options, more={"FORWARDED_ALLOW_IPS": "*"}) as address:
        answer = log_in(address, headers)
        given = answer.headers["set-cookie"]
        assert "__Host-" not in given
        assert "secure" not in given.lower()
        assert "strict-transport-security" not in answer.headers
        for number in range(FREE_TRIES):
            assert log_in(address, {"x-forwarded-for": f"203.0.113.{number}"}, password="wrong").status_code == 401
    with Users(shop.state.url).engine.connect() as connection:
        counted = connection.execute(sa.select(WRONG_TRIES.c.failures)).scalars().all()
    assert counted == [FREE_TRIES] * 2, "by one address, and by the name: another one in a header is none"
    assert {event.source for _, event in AuditLog(shop.state).events()} == {"127.0.0.1"}


def test_a_proxy_on_this_machine_is_believed_when_it_is_configured(shop: Workshop) -> None:
    headers = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https", "x-forwarded-host": "dq.example"}
    with listening(shop, more={"DQ_BEHIND_PROXY": "127.0.0.1/32"}) as address:
        answer = log_in(address, headers)
    assert "__Host-dq_session=" in answer.headers["set-cookie"]
    assert "strict-transport-security" in answer.headers
    assert {event.source for _, event in AuditLog(shop.state).events()} == {"203.0.113.9"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host=0.0.0.0"], "dq serve --host: wanted TLS"),
        (["--tls-cert=/nowhere.pem"], "dq serve --tls-key: wanted both"),
        (["--tls-cert=/nowhere.pem", "--tls-key=/nowhere.key"], "dq serve --tls-cert: wanted a file that can be read"),
        (["--behind-proxy=*"], "dq serve --behind-proxy: wanted addresses or networks"),
    ],
)
def test_unsafe_settings_are_refused_in_one_sentence(shop: Workshop, options: list[str], said: str) -> None:
    ran = subprocess.run(
        dq("serve", "--port", "0", "--no-dagster", *options), env=environment(shop), capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(said)
    assert ran.stderr.count("\n") == 1
