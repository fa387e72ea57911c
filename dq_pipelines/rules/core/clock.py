"""What time it is, for rules that ask; a test says it with `at`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_said: ContextVar[datetime | None] = ContextVar("said", default=None)


def now() -> datetime:
    """The present moment, in UTC."""
    return _said.get() or datetime.now(UTC)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Within this block it is `moment` (which needs a time zone)."""
    token = _said.set(moment.astimezone(UTC))
    try:
        yield
    finally:
        _said.reset(token)
