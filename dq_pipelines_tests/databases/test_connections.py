"""Connections: a URL, or its parts, whatever characters they have; no secret in any sentence."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dq_pipelines.databases.connections import Connection, place_of, without_secrets
from dq_pipelines.databases.tunnel import target_of, through
from dq_pipelines.errors import SourceError

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


@given(user=TEXT, password=TEXT, database=TEXT)
def test_parts_may_have_any_characters(user: str, password: str, database: str) -> None:
    made = Connection(host="db.example.org", port="5433", database=database, user=user, password=password)
    read = sa.make_url(made.address("postgresql"))
    assert (read.username, read.password, read.host, read.port) == (user, password, "db.example.org", 5433)
    assert place_of(made.address("postgresql")).startswith("postgresql://db.example.org:5433/")
    secret = f"{made.address('postgresql')} or {password}"
    assert password not in without_secrets(secret, made.address("postgresql")).replace(
        place_of(made.address("postgresql")), ""
    ).replace(" or ", "")


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, "wanted a 'url', or 'host'"),
        ({"url": "postgresql://a", "host": "b"}, "wanted a 'url', or 'host'"),
        ({"url": "postgresql://a", "user": "b"}, "wanted a 'url', or 'host'"),
        ({"host": "a", "port": "x"}, "wanted a number as the port, got 'x'"),
        ({"host": "a", "passwort": "x"}, "unknown key 'passwort' (nearest: password)"),
    ],
)  # fmt: skip
def test_what_is_no_connection_is_one_sentence(said: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError) as told:
        Connection.model_validate(said)
    assert wanted in str(told.value)


def test_its_text_shows_no_secret() -> None:
    assert "planted" not in repr(Connection(url="postgresql://ann:planted@host/db"))
    assert "planted" not in repr(Connection(host="host", user="ann", password="planted"))


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"host": "a", "user": "b"}, "wanted one of 'key' and 'agent', got none"),
        ({"host": "a", "user": "b", "key": "c", "agent": True}, "wanted one of 'key' and 'agent', got both"),
        ({"host": "a", "user": "b", "agent": True, "passphrase": "c"}, "a 'passphrase' is for a 'key', got 'agent'"),
        ({"host": "a", "user": "b", "key": "c", "port": "x"}, "wanted a number as the port, got 'x'"),
        ({"host": "a", "user": "b", "key": "c", "known_host": "x"}, "unknown key 'known_host' (nearest: known_hosts)"),
        ({"host": "a", "key": "c"}, "missing key 'user'"),
    ],
)
def test_what_is_no_tunnel_is_one_sentence(said: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError) as told:
        Connection.model_validate({"host": "db", "tunnel": said})
    assert wanted in str(told.value)


@given(user=TEXT, password=TEXT, database=TEXT, options=st.sampled_from(["", "?sslmode=require"]))
def test_a_url_through_a_tunnel_keeps_all_but_the_port(user: str, password: str, database: str, options: str) -> None:
    made = Connection(host="db.example.org", port="5433", database=database, user=user, password=password)
    url = made.address("postgresql") + options
    assert target_of(url, 5432) == ("db.example.org", 5433)
    changed, before = sa.make_url(through(url, 40001)), sa.make_url(url)
    assert changed == before.set(port=40001).update_query_dict({"hostaddr": "127.0.0.1"})


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("postgresql://db/shop", ("db", 5432)),
        ("postgresql://[::1]:5433/shop", ("::1", 5433)),
        ("postgresql:///shop", None),
        ("postgresql://a,b/shop", None),
        ("postgresql:///shop?host=/tmp", None),
        ("postgresql://db/shop?hostaddr=10.0.0.1", None),
    ],
)
def test_a_tunnel_leads_to_one_host(url: str, target: tuple[str, int] | None) -> None:
    if target is not None:
        assert target_of(url, 5432) == target
        return
    with pytest.raises(SourceError, match="wanted a URL with one host"):
        target_of(url, 5432)
