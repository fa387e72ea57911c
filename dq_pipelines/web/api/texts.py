"""Types of texts and times in requests, which refuse values that no store can look up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from dq_pipelines.config import moments
from dq_pipelines.web.problem_details import ApiError

#: A name or another short text; PostgreSQL does not accept NUL.
Text = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")]


def encoded(text: str, name: str) -> bytes:
    """The text as UTF-8. Raises ApiError (422), with the name of its field, for half of a surrogate pair, which is no text."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ApiError(422, f"{name}: wanted text, got half of a surrogate pair") from None


def _in_utc(moment: datetime) -> datetime:
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("wanted a time within the years 1 to 9999 in UTC") from None


def _written(sent: object) -> object:
    """Refuse numbers: pydantic would read them as seconds since 1970, even a mistyped date."""
    try:
        float(str(sent))
    except ValueError:
        return sent
    raise ValueError("wanted a time as in RFC 3339 (2026-11-01T02:00:00Z), got a number")


def _end(sent: object) -> object:
    return moments.end_of(sent) if isinstance(sent, str) and moments.is_day(sent) else sent


#: A time, in UTC unless it has another zone.
Moment = Annotated[datetime, BeforeValidator(_written), AfterValidator(_in_utc)]
#: The end of a range of time; for a day, its end.
Until = Annotated[Moment, BeforeValidator(_end)]
