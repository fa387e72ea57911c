"""Names and addresses of machines: the site that a request is sent to, the one that a page is of, this machine's own, and whose an
address is.
"""

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


def network_of(address: str) -> str:
    """What tries are counted by: an IPv4 address, or the /64 of an IPv6 address, since one household or server has all of those."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    return str(found.ipv4_mapped or ipaddress.ip_network((int(found), 64), strict=False))
