"""Lists alerts, and records what people do about them: acknowledge, assign, mute and resolve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from dq_pipelines.history.alerts.alert import Alert
from dq_pipelines.history.alerts.alert_book import AlertBook
from dq_pipelines.history.alerts.handling import HandledAlert, Handling, Handlings, handled_alerts
from dq_pipelines.rules.core.clock import now
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Asker, Behind, Own, note, refusal, somewhere
from dq_pipelines.web.api.paging import NUMBERED, Cursor, Limit, Page, cursor_of, place_in
from dq_pipelines.web.api.texts import Moment, Text
from dq_pipelines.web.auth.alert_rights import may_handle, sees_alert, why_not_handle
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(tags=["alerts"], dependencies=[Depends(somewhere(Permission.LOOK))])

#: Alerts that are read for one page at most, if the caller may not view all.
_MOST = 2000

Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The alert's number.", examples=[7])]


class AlertLine(BaseModel):
    """An alert, and what people have done about it."""

    number: int = Field(examples=[7])
    event: str = Field(
        description="check_failed, run_failed, anomaly, freshness_missed, source_unreachable or quarantine.",
        examples=["check_failed"],
    )
    about: str = Field(description="The table, or the name of a job.", examples=["silver/sales"])
    name: str = Field(
        description="The check; empty if it is about the whole table or job.", examples=["amount_between"]
    )
    partition: str | None
    severity: str = Field(examples=["critical"])
    count: int = Field(description="Failing rows; 0 where none are counted.")
    message: str
    run_id: str
    opened_at: datetime
    closed_at: datetime | None = Field(description="Null while it is open.")
    closed_by: str = Field(description="The run that succeeded again, or `by hand`.")
    sent_to: Sequence[str] = Field(description="The names of the channels that were notified.", examples=[["team"]])
    acknowledged_by: str = Field(description="Empty for nobody.", examples=["ann"])
    acknowledged_at: datetime | None
    assigned_to: str = Field(description="Empty for nobody.", examples=["ann"])
    muted_until: datetime | None = Field(description="Until then no channel is notified that it is open.")
    note: str


class AlertChange(BaseModel):
    """What to change; members that are left out stay as they are."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"acknowledged": True}]})

    acknowledged: bool | None = Field(None, description="An acknowledged alert is not repeated.")
    assigned_to: Text | None = Field(None, description="A user; empty for nobody.", examples=["ann"])
    muted_until: Moment | None = Field(None, description="Null ends the muting.")
    note: Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")] | None = None
    resolved: Literal[True] | None = Field(None, description="Close it by hand. The next failure opens a new alert.")


@router.get(
    "/alerts",
    summary="Alerts, newest first",
    description="Alerts are kept if `alerts` in project.yaml names channels. Closed ones are forgotten after 30 days.",
    operation_id="alerts",
    responses=problems(422, 503),
)
def alerts(
    behind: Behind,
    rights: Own,
    state: Annotated[Literal["open", "closed", "all"], Query()] = "open",
    about: Annotated[Text | None, Query(description="Only those about this table or job.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[AlertLine]:
    before = place_in(NUMBERED, cursor)
    found: list[Alert] = []
    book = AlertBook(behind.site.stores.history)
    if book.history.is_begun:
        found = [
            alert
            for alert in book.page(_MOST, before, None if about is None else [about])
            if sees_alert(rights, alert) and state in ("all", "open" if alert.is_open else "closed")
        ]
    items = _lines(behind, found[:limit])
    return Page(items=items, next=cursor_of(items[-1].number) if len(found) > limit else None)


@router.get("/alerts/{number}", summary="An alert", operation_id="alert", responses=problems(404, 422, 503))
def alert(number: Number, behind: Behind, rights: Own) -> AlertLine:
    return _lines(behind, [_known(behind, rights, number)])[0]


@router.patch(
    "/alerts/{number}",
    summary="Acknowledge, assign, mute or resolve an alert",
    operation_id="change_alert",
    responses=problems(404, 409, 422, 503),
)
def change(
    number: Number, wanted: AlertChange, request: Request, caller: Asker, behind: Behind, rights: Own
) -> AlertLine:
    before = _known(behind, rights, number)
    if not may_handle(rights, before):
        raise refusal(request, "alert", f"{number} about {before.about}", why_not_handle(rights, before))
    if not before.is_open:
        raise ApiError(409, f"alert {number} is closed: wanted an open one")
    if wanted.assigned_to and behind.access.users.find(wanted.assigned_to) is None:
        raise ApiError(422, f"body.assigned_to: there is no user '{wanted.assigned_to}'")
    history = behind.site.stores.history
    handled = Handlings(history).by_number([number]).get(number, Handling(number))
    Handlings(history).write(_changed(handled, wanted, caller.user.name))
    if wanted.resolved:
        AlertBook(history).dismiss([before], now())
    note(request, "alert", f"{number} about {before.about}", **wanted.model_dump(exclude_unset=True, mode="json"))
    return _lines(behind, [_known(behind, rights, number)])[0]


def _changed(before: Handling, wanted: AlertChange, user: str) -> Handling:
    """The handling after a change by this user."""
    after = before
    if wanted.assigned_to is not None:
        after = replace(after, assigned_to=wanted.assigned_to)
    if wanted.note is not None:
        after = replace(after, note=wanted.note)
    if "muted_until" in wanted.model_fields_set:
        after = replace(after, muted_until=wanted.muted_until)
    if wanted.acknowledged is not None:
        by, at = (user, now()) if wanted.acknowledged else ("", None)
        after = replace(after, acknowledged_by=by, acknowledged_at=at)
    return after


def _known(behind: Backend, rights: Rights, number: int) -> Alert:
    """The alert. Raises ApiError (404) if there is none that the caller may view."""
    book = AlertBook(behind.site.stores.history)
    found = book.numbered(number) if book.history.is_begun else None
    if found is None or not sees_alert(rights, found):
        raise ApiError(404, f"unknown alert {number}")
    return found


def _lines(behind: Backend, alerts: Sequence[Alert]) -> list[AlertLine]:
    return [_line(one) for one in handled_alerts(behind.site.stores.history, alerts)]


def _line(of: HandledAlert) -> AlertLine:
    alert, handled = of.alert, of.handling
    return AlertLine(
        **{
            name: getattr(alert, name)
            for name in ("number", "event", "about", "name", "partition", "severity", "count")
        },
        **{name: getattr(alert, name) for name in ("run_id", "opened_at", "closed_at", "closed_by")},
        **{name: getattr(handled, name) for name in ("acknowledged_by", "acknowledged_at", "assigned_to", "note")},
        message=alert.said,
        sent_to=of.sent_to,
        muted_until=handled.muted_until,
    )
