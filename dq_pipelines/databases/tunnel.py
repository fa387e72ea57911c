"""SSH tunnels of connections in `project.yaml`: through which server, as whom, and how a URL is changed to go through one."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import Field, model_validator

from dq_pipelines.config.model import Strict, shown
from dq_pipelines.errors import SourceError

_HOST = re.compile(r"(?P<host>\[[^\]]+\]|[^:,/\[\]]+)(?::(?P<port>\d+))?")
#: What a URL of libpq may say of the server in place of its host and port.
_ELSEWHERE = {"host", "hostaddr", "port", "service"}


class Tunnel(Strict):
    """An SSH server that leads to the database. Its host key is checked always."""

    #: where the SSH server listens
    host: Annotated[str, Field(pattern=r"^[^\s@/]+$")]
    #: the port of the SSH server
    port: str | int = 22
    #: who logs in there
    user: Annotated[str, Field(min_length=1)]
    #: a private key by `${NAME}`: the path of its file, or its text
    key: Annotated[str, Field(min_length=1)] | None = Field(default=None, repr=False)
    #: in place of a key: those that the agent at `SSH_AUTH_SOCK` holds
    agent: Literal[True] | None = None
    #: the passphrase of the key, by `${NAME}`
    passphrase: str | None = Field(default=None, repr=False)
    #: the file with the host keys that are trusted, as OpenSSH writes it
    known_hosts: Annotated[str, Field(min_length=1)] = "~/.ssh/known_hosts"

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.key is None) == (self.agent is None):
            raise ValueError(f"wanted one of 'key' and 'agent', got {'none' if self.key is None else 'both'}")
        if self.passphrase and self.key is None:
            raise ValueError("a 'passphrase' is for a 'key', got 'agent'")
        if not str(self.port).isdecimal() or not 0 < int(self.port) < 65536:
            raise ValueError(f"wanted a number as the port, got {shown(self.port)}")
        return self

    @property
    def place(self) -> str:
        """The SSH server, as messages name it."""
        return f"ssh://{self.host}:{self.port}"


def target_of(url: str, port: int) -> tuple[str, int]:
    """The host and port that a tunnel must lead to; `port` is the usual one. Raises SourceError for a URL without one host."""
    parts = urlsplit(url)
    found = _HOST.fullmatch(parts.netloc.rpartition("@")[2])
    if found is None or _ELSEWHERE.intersection(name for name, _ in parse_qsl(parts.query)):
        raise SourceError("a tunnel: wanted a URL with one host, as in postgresql://user@host:5432/database")
    return unquote(found["host"].strip("[]")), int(found["port"] or port)


def through(url: str, port: int) -> str:
    """A URL of libpq that leads to a port of this machine, and keeps the host, by which a server's certificate is checked."""
    parts = urlsplit(url)
    login, at, place = parts.netloc.rpartition("@")
    host = (_HOST.fullmatch(place) or {"host": place})["host"]
    query = f"{parts.query}&hostaddr=127.0.0.1" if parts.query else "hostaddr=127.0.0.1"
    return parts._replace(netloc=f"{login}{at}{host}:{port}", query=query).geturl()
