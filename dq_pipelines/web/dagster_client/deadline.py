"""Limits the time of a GraphQL query: the caller gets an answer in time, and the query's thread ends.

A thread cannot be stopped from outside. So after the deadline, every field of the query raises an error, and SQLite is
interrupted. A PostgreSQL server has its own `statement_timeout`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from graphql import GraphQLError, GraphQLObjectType, GraphQLSchema, default_field_resolver
from sqlalchemy import event
from sqlalchemy.pool import Pool

from dq_pipelines.config.seconds import seconds_from_environment

_VARIABLE = "DQ_GRAPHQL_SECONDS"
_SECONDS = 30.0
#: Instructions of SQLite's virtual machine between two looks at the clock: some tenths of a millisecond.
_STEPS = 50_000

Answer = TypeVar("Answer")

_ends: ContextVar[float | None] = ContextVar("ends", default=None)


class DeadlineExceeded(Exception):
    """The query took longer than the limit."""


def seconds() -> float:
    """The limit in seconds: `DQ_GRAPHQL_SECONDS`, by default 30. Raises ConfigError for an invalid value."""
    return seconds_from_environment(_VARIABLE, _SECONDS)


def deadline_message() -> str:
    """The error message of a query that exceeds the limit."""
    return (
        f"wanted a query that takes at most {seconds():g} seconds ({_VARIABLE}), got a longer one: query less at once"
    )


@contextmanager
def within(limit: float) -> Iterator[None]:
    """Set the deadline of this thread's query to `limit` seconds from now, until the block ends."""
    token = _ends.set(time.monotonic() + limit)
    try:
        yield
    finally:
        _ends.reset(token)


def is_late() -> bool:
    """Whether this thread's query has passed its deadline."""
    ends = _ends.get()
    return ends is not None and time.monotonic() >= ends


async def in_time(work: Callable[[], Answer]) -> Answer:
    """Run `work` in a thread, and return its result. Raises DeadlineExceeded after `seconds()`."""
    limit = seconds()
    ends = time.monotonic() + limit  # counted from now, not from when a thread is free

    def timed() -> Answer:
        with within(ends - time.monotonic()):
            return work()

    with anyio.move_on_after(limit):
        return await anyio.to_thread.run_sync(timed, abandon_on_cancel=True)
    raise DeadlineExceeded


def end_when_late(schema: GraphQLSchema) -> None:
    """Make every field of the schema raise an error after the query's deadline, and interrupt SQLite."""
    _interrupt_sqlite()
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for field in kind.fields.values():
                field.resolve = _timed(field.resolve or default_field_resolver)


def _timed(resolve: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(resolve)
    def timed(*args: Any, **kwargs: Any) -> Any:
        if is_late():
            raise GraphQLError(deadline_message())
        return resolve(*args, **kwargs)

    return timed


@cache
def _interrupt_sqlite() -> None:
    """Make new connections to SQLite check the deadline while they work."""

    def look(connection: Any, _: Any) -> None:
        if hasattr(connection, "set_progress_handler"):
            connection.set_progress_handler(is_late, _STEPS)

    event.listen(Pool, "connect", look)
