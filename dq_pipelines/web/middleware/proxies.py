"""Takes `X-Forwarded-For`, `-Proto` and `-Host` from trusted proxies, and removes them from all other requests."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from dq_pipelines.errors import ConfigError, Problem

_PROXY_HEADERS = (
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
    """The networks of the trusted proxies; none by default."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parsed(cls, text: str) -> Proxies:
        """Parse networks and addresses separated by commas, as `10.0.0.0/8,::1`. Raises ConfigError."""
        return cls(tuple(_network(part.strip()) for part in text.split(",") if part.strip()))

    def __bool__(self) -> bool:
        return bool(self.networks)

    def include(self, address: str) -> bool:
        """Whether this is the address of a trusted proxy."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self.networks)


class Forwarded:
    """Sets a request's client address, scheme and host from a trusted proxy's headers; removes those headers otherwise."""

    def __init__(self, app: ASGIApp, proxies: Proxies) -> None:
        self.proxies = proxies
        self.app = app
        # The client is the last address of X-Forwarded-For that is no proxy: the client itself may write the ones before.
        self.behind: ASGIApp = ProxyHeadersMiddleware(app, [str(network) for network in proxies.networks])  # type: ignore[arg-type, assignment]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = MutableHeaders(scope=scope)
        client = scope.get("client")
        if client is None or not self.proxies.include(str(client[0])):
            for name in _PROXY_HEADERS:
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
        raise _wrong(f"{wanted}, got '{text}', which is every address: then every client could forge its address")
    return network


def _wrong(message: str) -> ConfigError:
    return ConfigError([Problem("", 0, message)])
