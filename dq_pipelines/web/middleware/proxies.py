"""Proxies before this server: what they say of a request (`X-Forwarded-For`, `-Proto`, `-Host`) is taken from them alone."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from dq_pipelines.errors import ConfigError, Problem

_SAID_BY_PROXIES = (
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-real-ip",
    "forwarded",
)
#: A name or an address with or without a port, as a Host header has it.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(:[0-9]{1,5})?\Z")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Proxies:
    """The networks that proxies are in; none by default."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parsed(cls, text: str) -> Proxies:
        """Networks and addresses with commas between, as `10.0.0.0/8,::1`; raises ConfigError."""
        return cls(tuple(_network(part.strip()) for part in text.split(",") if part.strip()))

    def __bool__(self) -> bool:
        return bool(self.networks)

    def include(self, address: str) -> bool:
        """Whether a proxy is at this address."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self.networks)


class Forwarded:
    """Gives a request the address, scheme and host that a proxy says it came by; what others say of that is taken away."""

    def __init__(self, app: ASGIApp, proxies: Proxies) -> None:
        self.proxies = proxies
        self.app = app
        # Who came is the last address of X-Forwarded-For that is no proxy's: those before are whatever the client wrote.
        self.behind: ASGIApp = ProxyHeadersMiddleware(app, [str(network) for network in proxies.networks])  # type: ignore[arg-type, assignment]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = MutableHeaders(scope=scope)
        client = scope.get("client")
        if client is None or not self.proxies.include(str(client[0])):
            for name in _SAID_BY_PROXIES:
                del headers[name]
            await self.app(scope, receive, send)
            return
        host = headers.get("x-forwarded-host", "").rpartition(",")[2].strip()
        if _HOST.match(host):
            headers["host"] = host
        await self.behind(scope, receive, send)


def _network(text: str) -> Network:
    wanted = "dq serve --behind-proxy: wanted addresses or networks of proxies, as 10.0.0.0/8,192.168.1.5"
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise _wrong(f"{wanted}, got '{text}': {error}") from None
    if network.prefixlen == 0:
        raise _wrong(f"{wanted}, got '{text}', which is every address: then anybody could say where they come from")
    return network


def _wrong(said: str) -> ConfigError:
    return ConfigError([Problem("", 0, said)])
