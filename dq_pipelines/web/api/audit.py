"""Shows the audit log, and verifies that it is unchanged. For admins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from dq_pipelines.security.audit_search import AuditQuery, latest
from dq_pipelines.security.audit_verify import verify
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Behind, everywhere, note
from dq_pipelines.web.api.paging import NUMBERED, Cursor, Limit, Page, cursor_of, place_in
from dq_pipelines.web.api.texts import Moment, Text
from dq_pipelines.web.problem_details import problems

router = APIRouter(prefix="/audit", tags=["users"], dependencies=[Depends(everywhere(Permission.ADMIN))])


class AuditLine(BaseModel):
    """One line of the audit log."""

    number: int
    at: datetime
    who: str = Field(description="Empty for an unknown caller.", examples=["ann"])
    what: str = Field(examples=["cancel"])
    on: str = Field(description="To what.", examples=["silver/sales"])
    source: str = Field(description="The client's address, or `cli`.", examples=["192.0.2.7"])
    result: str = Field(description="done, refused or failed.", examples=["done"])
    more: Mapping[str, Any]


class AuditState(BaseModel):
    """Whether the log is as it was written."""

    unchanged: bool
    sentence: str = Field(description="The outcome in words.", examples=["no line was changed, removed or inserted"])
    breaches: Sequence[str] = Field(description="A sentence for each line that was changed, removed or inserted.")


@router.get("", summary="The audit log, newest first", operation_id="audit", responses=problems(422, 503))
def audit(
    behind: Behind,
    who: Annotated[Text | None, Query(description="Only events of this user.")] = None,
    what: Annotated[Text | None, Query(description="Only events of this kind.", examples=["cancel"])] = None,
    on: Annotated[Text | None, Query(description="Only events on something whose name contains this.")] = None,
    result: Annotated[Text | None, Query(description="Only events with this result.")] = None,
    since: Annotated[Moment | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[AuditLine]:
    before = place_in(NUMBERED, cursor)
    found = latest(behind.access.log, AuditQuery(who, what, on, result, since), limit + 1, before)
    items = [
        AuditLine(number=number, **{name: getattr(event, name) for name in AuditLine.model_fields if name != "number"})
        for number, event in found[:limit]
    ]
    return Page(items=items, next=cursor_of(items[-1].number) if len(found) > limit else None)


@router.post(
    "/verify", summary="Verify that the audit log is unchanged", operation_id="verify_audit", responses=problems(503)
)
def verify_audit(request: Request, behind: Behind) -> AuditState:
    """It reads the whole log."""
    breaches = [breach.message for breach in verify(behind.access.log)]
    note(request, "audit.verify", result="failed" if breaches else "done")
    sentence = "; ".join(breaches) or "no line was changed, removed or inserted"
    return AuditState(unchanged=not breaches, sentence=sentence, breaches=breaches)
