"""Functions on hosts, origins and client addresses."""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers


def host_of(header: str) -> str:
    """The name in a Host header, without its port."""
    return header[1:].partition("]")[0] if header.startswith("[") else header.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach this host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_of_this_site(origin: str, headers: Headers) -> bool:
    """Whether an Origin header names the site of this request's Host header."""
    host = headers.get("host")
    return bool(host) and origin.partition("://")[2] == host


def is_sent_by_this_site(headers: Headers) -> bool:
    """Whether a form comes from a page of this site, as far as the client says: by Fetch Metadata, else by its Origin.

    A program sends neither, and carries no session that another site could use.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or is_of_this_site(origin, headers)


def network_of(address: str) -> str:
    """The key for counting attempts: an IPv4 address, or the /64 of an IPv6 address, which one household or server owns whole."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    return str(ip.ipv4_mapped or ipaddress.ip_network((int(ip), 64), strict=False))
