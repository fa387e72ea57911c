"""A GraphQL query past its deadline: the caller gets one sentence, and its work ends."""

from __future__ import annotations

import threading

import anyio
import pytest
import sqlalchemy as sa
from graphql import GraphQLField, GraphQLInt, GraphQLList, GraphQLObjectType, GraphQLSchema, graphql_sync

from dq_pipelines.errors import ConfigError
from dq_pipelines.web.dagster_client import deadline
from dq_pipelines.web.dagster_client.deadline import (
    DeadlineExceeded,
    deadline_message,
    end_when_late,
    in_time,
    seconds,
    within,
)


def test_the_server_sets_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seconds() == 30
    monkeypatch.setenv("DQ_GRAPHQL_SECONDS", "0.5")
    assert "at most 0.5 seconds (DQ_GRAPHQL_SECONDS)" in deadline_message()
    for text in ("soon", "0", "-1", "nan", "inf"):
        monkeypatch.setenv("DQ_GRAPHQL_SECONDS", text)
        with pytest.raises(ConfigError, match="wanted a number of seconds above 0"):
            seconds()


def test_the_caller_is_answered_while_the_work_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_GRAPHQL_SECONDS", "0.05")
    began, released, seen = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        released.wait()
        if deadline.is_late():
            seen.set()

    async def ask() -> None:
        with pytest.raises(DeadlineExceeded):
            await in_time(work)
        released.set()

    anyio.run(ask)
    # The thread knows that it is late; on a busy machine it has not begun by then, and never does.
    assert not began.is_set() or seen.wait(60)
    monkeypatch.setenv("DQ_GRAPHQL_SECONDS", "600")

    async def again() -> int:
        return await in_time(lambda: 1)

    assert anyio.run(again) == 1


def test_after_the_deadline_no_further_field_is_resolved() -> None:
    worked: list[int] = []

    def items(*_: object) -> list[int]:
        if len(worked) == 3:
            deadline._ends.set(0.0)  # time is over in the midst of it
        worked.append(1)
        return [1, 2]

    node = GraphQLObjectType(
        "Node", lambda: {"items": GraphQLField(GraphQLList(node), resolve=items), "id": GraphQLField(GraphQLInt, resolve=lambda *_: 1)}
    )  # fmt: skip
    schema = GraphQLSchema(GraphQLObjectType("Query", {"items": GraphQLField(GraphQLList(node), resolve=items)}))
    end_when_late(schema)
    query = "{ items { items { items { items { items { id } } } } } }"
    with within(600):
        found = graphql_sync(schema, query)
    assert len(worked) == 4  # of 31
    assert {error.message for error in found.errors or ()} == {deadline_message()}


def test_sqlite_is_interrupted() -> None:
    end_when_late(GraphQLSchema())
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    with sa.create_engine("sqlite://").connect() as connection:
        with within(0.05), pytest.raises(sa.exc.OperationalError, match="interrupted"):
            connection.execute(sa.text(endless))
        assert connection.execute(sa.text("SELECT 1")).scalar() == 1
