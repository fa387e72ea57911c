"""Texts and moments in requests: what no store could look for is refused before one is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from dq_pipelines.config import moments

#: A name or a piece of text; PostgreSQL takes no NUL.
Text = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")]


def _in_utc(moment: datetime) -> datetime:
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("wanted a moment within the years 1 to 9999 in UTC") from None


def _written(sent: object) -> object:
    """Pydantic takes seconds since 1970 as well, and so half a second past it for a mistyped date."""
    try:
        float(str(sent))
    except ValueError:
        return sent
    raise ValueError("wanted a moment as RFC 3339 has it (2026-11-01T02:00:00Z), got a number")


def _end(sent: object) -> object:
    return moments.until(sent) if isinstance(sent, str) and moments.is_day(sent) else sent


#: A moment, in UTC unless it says otherwise.
Moment = Annotated[datetime, BeforeValidator(_written), AfterValidator(_in_utc)]
#: A moment up to which something is wanted; of a day, its end.
Until = Annotated[Moment, BeforeValidator(_end)]
