"""How long one GraphQL query may take: its caller is answered in time, and the thread that works on it ends.

A thread cannot be stopped from outside. So each field of a query that is late is an error instead of work, and SQLite is
interrupted; a PostgreSQL server has its own `statement_timeout`.
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
#: Steps of SQLite's machine between two looks at the clock: some tenths of a millisecond.
_STEPS = 50_000

Answer = TypeVar("Answer")

_ends: ContextVar[float | None] = ContextVar("ends", default=None)


class DeadlineExceeded(Exception):
    """The query took longer than it may."""


def seconds() -> float:
    """How long a query may take: `DQ_GRAPHQL_SECONDS`, by default 30; raises ConfigError for what is no time."""
    return seconds_from_environment(_VARIABLE, _SECONDS)


def said() -> str:
    """What is answered to a query that takes longer."""
    return f"wanted a query that takes at most {seconds():g} seconds ({_VARIABLE}), got one that takes longer: ask for less at once"


@contextmanager
def within(limit: float) -> Iterator[None]:
    """Until the block ends, what this thread does for a query is late after so many seconds."""
    token = _ends.set(time.monotonic() + limit)
    try:
        yield
    finally:
        _ends.reset(token)


def is_late() -> bool:
    """Whether the query that this thread works on has taken longer than it may."""
    ends = _ends.get()
    return ends is not None and time.monotonic() >= ends


async def in_time(work: Callable[[], Answer]) -> Answer:
    """What `work` gives, which is done in a thread; raises TooLate when it does not within `seconds()`."""
    limit = seconds()
    ends = time.monotonic() + limit  # from now on, not from when a thread is free

    def timed() -> Answer:
        with within(ends - time.monotonic()):
            return work()

    with anyio.move_on_after(limit):
        return await anyio.to_thread.run_sync(timed, abandon_on_cancel=True)
    raise DeadlineExceeded


def end_when_late(schema: GraphQLSchema) -> None:
    """Have every field of the schema be an error once its query is late, and SQLite be interrupted."""
    _interrupt_sqlite()
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for field in kind.fields.values():
                field.resolve = _timed(field.resolve or default_field_resolver)


def _timed(resolve: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(resolve)
    def timed(*args: Any, **kwargs: Any) -> Any:
        if is_late():
            raise GraphQLError(said())
        return resolve(*args, **kwargs)

    return timed


@cache
def _interrupt_sqlite() -> None:
    """From now on a connection to SQLite looks at the clock while it works."""

    def look(connection: Any, _: Any) -> None:
        if hasattr(connection, "set_progress_handler"):
            connection.set_progress_handler(is_late, _STEPS)

    event.listen(Pool, "connect", look)
