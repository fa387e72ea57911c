"""Texts and moments in requests: what no store could look for is refused before one is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

#: A name or a piece of text; PostgreSQL takes no NUL.
Text = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")]


def _in_utc(moment: datetime) -> datetime:
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("wanted a moment within the years 1 to 9999 in UTC") from None


#: A moment, in UTC unless it says otherwise.
Moment = Annotated[datetime, AfterValidator(_in_utc)]
