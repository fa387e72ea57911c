"""Pages of lists with cursors, which stay valid while items are added."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field, TypeAdapter

from dq_pipelines.web.api.texts import Text
from dq_pipelines.web.problem_details import ApiError

Item = TypeVar("Item")
Place = TypeVar("Place")

Limit = Annotated[int, Query(ge=1, le=1000, description="The number of items at most.")]
Cursor = Annotated[
    str | None, Query(max_length=4000, pattern="^[A-Za-z0-9_-]*$", description="`next` of the previous page.")
]

#: Cursors of lists in the order of names or keys, and of a database's numbers.
NAMED: TypeAdapter[str] = TypeAdapter(Text)
NUMBERED: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=0, le=2**31 - 1)])


class Page(BaseModel, Generic[Item]):
    """A page of a list."""

    items: Sequence[Item]
    next: str | None = Field(None, description="The `cursor` of the next page; null on the last page.")


def cursor_of(place: Any) -> str:
    """The cursor for a place in a list (JSON values): an opaque text for clients."""
    text = json.dumps(place, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_in(kind: TypeAdapter[Place], cursor: str | None) -> Place | None:
    """The place of a cursor; None for the beginning. Raises ApiError (422) for an invalid cursor, or one of another list."""
    if cursor is None:
        return None
    try:
        return kind.validate_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        raise ApiError(422, "query.cursor: wanted the `next` of a page of this list, got another text") from None
