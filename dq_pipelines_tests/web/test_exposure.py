"""Where `dq serve` listens: TLS, proxies, and nothing unencrypted beyond this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from dq_pipelines.errors import ConfigError
from dq_pipelines.security.certificate import Certificate
from dq_pipelines.web.auth.origins import network_of
from dq_pipelines.web.auth.rate_limit import MOST, RateLimit
from dq_pipelines.web.middleware.exposure import Exposure
from dq_pipelines.web.middleware.proxies import Forwarded, Proxies
from dq_pipelines_tests.web.certificates import certificate

SAID = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https", "x-forwarded-host": "dq.example"}


def seen(peer: str, headers: dict[str, str], proxies: str = "10.0.0.0/8,::1") -> tuple[str, str, list[str]]:
    """The client and the address that an app is asked by, and what is left of a proxy's headers."""

    async def tell(request: Request) -> JSONResponse:
        assert request.client is not None
        left = [name for name in request.headers if name.startswith("x-forwarded")]
        return JSONResponse([request.client.host, str(request.base_url), left])

    app = Starlette(routes=[Route("/", tell)], middleware=[Middleware(Forwarded, proxies=Proxies.parsed(proxies))])
    client = TestClient(app, base_url="http://localhost:3001", client=(peer, 4000))
    host, address, left = client.get("/", headers=headers).json()
    return host, address, left


@pytest.mark.parametrize(
    ("host", "address", "is_everywhere"),
    [
        ("127.0.0.1", "127.0.0.1", False),
        ("::1", "[::1]", False),
        ("dq.example", "dq.example", False),
        ("0.0.0.0", "127.0.0.1", True),  # noqa: S104 - nothing listens
        ("::", "[::1]", True),
    ],
)
def test_the_address_that_is_printed_can_be_opened(
    host: str, address: str, is_everywhere: bool, tmp_path: Path
) -> None:
    plain = Exposure(host)
    assert plain.address(3001) == f"http://{address}:3001"
    assert plain.breadth == (f"listens on all addresses of this machine, {host}; " if is_everywhere else "")
    sure = Exposure(host, certificate=Certificate.checked(*certificate(tmp_path)))
    assert sure.address(3001) == f"https://{'localhost' if is_everywhere else address}:3001"


@pytest.mark.parametrize("peer", ["10.1.2.3", "::1"])
def test_a_configured_proxy_is_trusted(peer: str) -> None:
    assert seen(peer, SAID)[:2] == ("203.0.113.9", "https://dq.example/")


@pytest.mark.parametrize("peer", ["127.0.0.1", "11.0.0.1", "testclient"])
def test_forwarded_headers_of_other_clients_are_ignored(peer: str) -> None:
    assert seen(peer, SAID) == (peer, "http://localhost:3001/", [])
    assert seen(peer, SAID, proxies="") == (peer, "http://localhost:3001/", [])


def test_a_client_cannot_choose_its_address_through_a_proxy() -> None:
    headers = SAID | {"x-forwarded-for": "127.0.0.1, 192.0.2.1, 203.0.113.9, 10.9.9.9"}
    assert seen("10.1.2.3", headers)[0] == "203.0.113.9"


@pytest.mark.parametrize("host", ["", "a b", "evil.example/x", "x" * 300, "a@b", "[::1", "dq.example:port"])
def test_a_forwarded_host_that_is_none_is_ignored(host: str) -> None:
    assert seen("10.1.2.3", SAID | {"x-forwarded-host": host})[1] == "https://localhost:3001/"


@pytest.mark.parametrize(
    "text", ["*", "0.0.0.0/0", "::/0", "proxy.example", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.1;10.0.0.2"]
)
def test_proxies_are_addresses_or_networks(text: str) -> None:
    with pytest.raises(ConfigError, match="dq serve --behind-proxy: wanted addresses or networks of proxies") as error:
        Proxies.parsed(f"10.0.0.1,{text}")
    assert f"got '{text}'" in str(error.value)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_an_ipv6_address_is_counted_by_its_network(address: str, counted: str) -> None:
    assert network_of(address) == counted


def test_another_address_of_the_same_ipv6_network_gets_no_fresh_tries() -> None:
    tries = RateLimit()
    wrong = [tries.too_many(f"2001:db8::{number:x}") for number in range(1, MOST + 3)]
    assert wrong == [0] * MOST + [1, 2]
    assert tries.too_many("2001:db8:0:1::1") == 0


# --- TLS ---------------------------------------------------------------------------------------------


def test_a_certificate_and_its_key_are_taken(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    assert Certificate.checked(chain, key) == Certificate(chain, key, "localhost")
    assert Certificate.checked(None, None) is None


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("no key", "--tls-key: wanted both a certificate and its key, got one of them"),
        ("no certificate", "--tls-cert: wanted both a certificate and its key, got one of them"),
        ("absent", "--tls-cert: wanted a file that can be read, got {chain}: No such file or directory"),
        ("a folder", "--tls-key: wanted a file that can be read, got {folder}: Is a directory"),
        ("swapped", "--tls-cert: wanted a certificate in PEM, got something else in {key}"),
        ("no PEM", "--tls-key: wanted a private key in PEM, got something else in {key}"),
        ("passphrase", "--tls-key: wanted a key without a passphrase, got one with a passphrase in {key}"),
        ("another's key", "--tls-key: wanted the key of {chain}, got that of another certificate in {other}"),
        ("expired", "--tls-cert: wanted a certificate that is valid now, got one in {chain} that expired at "),
        ("not yet", "--tls-cert: wanted a certificate that is valid now, got one in {chain} that is not before "),
    ],
)
def test_an_unusable_certificate_is_refused_in_one_sentence(tmp_path: Path, fault: str, said: str) -> None:
    days = {"expired": (-3.0, -1.0), "not yet": (1.0, 3.0)}.get(fault, (-1.0, 1.0))
    chain, key = certificate(tmp_path, days=days, passphrase="hidden" if fault == "passphrase" else "")
    _, other = certificate(tmp_path, name="other")
    if fault == "absent":
        chain.unlink()
    if fault == "no PEM":
        key.write_text("no key")
    pairs: dict[str, tuple[Path | None, Path | None]] = {
        "no key": (chain, None), "no certificate": (None, key), "a folder": (chain, tmp_path), "swapped": (key, chain),
        "another's key": (chain, other),
    }  # fmt: skip
    with pytest.raises(ConfigError) as error:
        Certificate.checked(*pairs.get(fault, (chain, key)))
    text = str(error.value)
    assert said.format(chain=chain, key=key, other=other, folder=tmp_path) in text.replace("dq serve ", "")
    assert "\n" not in text
    assert "PRIVATE" not in text


# --- beyond this machine -----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "dq.example"])  # noqa: S104
def test_nothing_is_served_unencrypted_beyond_this_machine(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"wanted TLS \(--tls-cert and --tls-key\) or a proxy with TLS") as error:
        Exposure(host).must_be_safe(has_users=True)
    assert f"got {host} with neither" in str(error.value)
    Exposure(host, proxies=Proxies.parsed("10.0.0.1")).must_be_safe(has_users=True)
    Exposure(host, certificate=Certificate(*certificate(tmp_path))).must_be_safe(has_users=True)
    with pytest.raises(ConfigError, match="there are no users yet"):
        Exposure(host, certificate=Certificate(*certificate(tmp_path))).must_be_safe(has_users=False)


def test_a_proxy_before_a_server_without_users_would_let_everybody_in() -> None:
    with pytest.raises(ConfigError, match="--behind-proxy: wanted users first"):
        Exposure(proxies=Proxies.parsed("127.0.0.1")).must_be_safe(has_users=False)
    Exposure().must_be_safe(has_users=False)
