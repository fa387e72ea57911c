"""Connections in `project.yaml`, by which sources and tables name a database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Self
from urllib.parse import quote, unquote, urlsplit

from pydantic import Field, model_validator

from dq_pipelines.config.model import Strict, shown
from dq_pipelines.databases.tunnel import Tunnel
from dq_pipelines.errors import SourceError, nearest

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Connection(Strict):
    """A database, by its URL or by the parts of one: `connections: {shop: {url: "${SHOP_URL}"}}`."""

    #: its URL, `postgresql://user@host/database`, with the password by `${NAME}`
    url: Annotated[str, Field(min_length=1)] | None = Field(default=None, repr=False)
    #: in place of a URL: where the server listens
    host: str | None = None
    #: the port of the server; the usual one of its kind without it
    port: str | int | None = None
    #: the name of the database
    database: str | None = None
    #: who logs in
    user: str | None = None
    #: the password, by `${NAME}`
    password: str | None = Field(default=None, repr=False)
    #: the SSH server that leads to the database: `{host: …, user: …, key: "${SSH_KEY}"}`
    tunnel: Tunnel | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        parts = (self.host, self.port, self.database, self.user, self.password)
        if (self.url is None) == (self.host is None) or (
            self.url is not None and any(part is not None for part in parts)
        ):
            raise ValueError("wanted a 'url', or 'host' with 'port', 'database', 'user' and 'password'")
        if self.port is not None and not str(self.port).isdecimal():
            raise ValueError(f"wanted a number as the port, got {shown(self.port)}")
        return self

    def address(self, scheme: str) -> str:
        """The URL; one of parts has this scheme, and its parts may have any characters."""
        if self.url is not None:
            return self.url
        login = quote(self.user or "", safe="") + (f":{quote(self.password, safe='')}" if self.password else "")
        host = f"[{self.host}]" if ":" in (self.host or "") else self.host
        port = f":{self.port}" if self.port is not None else ""
        return f"{scheme}://{f'{login}@' if login else ''}{host}{port}/{quote(self.database or '', safe='')}"


#: Connections by name.
Connections = Mapping[str, Connection]


def is_url(text: str) -> bool:
    """Whether a source's `connection` is a URL, and no name."""
    return _URL.match(text) is not None


def connection_of(text: str, known: Connections) -> Connection:
    """The connection that a source names, or of its URL. Raises SourceError for an unknown name."""
    if is_url(text):
        return Connection(url=text)
    if text not in known:
        raise SourceError(f"unknown connection '{text}': wanted a URL or a name of project.yaml{nearest(text, known)}")
    return known[text]


def place_of(url: str) -> str:
    """A URL without its user, password and options: where the database is, as messages and `_source` say it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme.partition('+')[0]}://{host}{parts.path}"


def without_secrets(text: str, url: str) -> str:
    """A driver's message in one line, without the URL and its password."""
    line = " ".join(text.replace(url, place_of(url)).split())
    password = urlsplit(url).password
    for secret in {password, unquote(password)} if password else ():
        line = line.replace(secret, "***")
    return line
