"""Connections in `project.yaml`, by which sources and tables name a database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import Field

from dq_pipelines.config.model import Strict
from dq_pipelines.errors import SourceError, nearest

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Connection(Strict):
    """A database: `connections: {shop: {url: "${SHOP_URL}"}}`."""

    #: its URL, `postgresql://user@host/database`, with the password by `${NAME}`
    url: Annotated[str, Field(min_length=1, repr=False)]


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
