"""Connections: a URL, or its parts, whatever characters they have; no secret in any sentence."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dq_pipelines.databases.connections import Connection, place_of, without_secrets

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
