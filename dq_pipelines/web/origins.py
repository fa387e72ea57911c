"""Names of machines in headers: the site that a request is sent to, the one that a page is of, and this machine's own."""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers


def host_of(header: str) -> str:
    """The name in a Host header, without its port."""
    return header[1:].partition("]")[0] if header.startswith("[") else header.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_of_this_site(origin: str, headers: Headers) -> bool:
    """Whether an Origin header names the site that this request is sent to."""
    host = headers.get("host")
    return bool(host) and origin.partition("://")[2] == host
