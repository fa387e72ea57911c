"""Lists the channels of alerts by name, and sends a test message to one. For admins of all tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field

from dq_pipelines.errors import ConfigError, SourceError, nearest
from dq_pipelines.monitoring.alerts.sending import Channel, message_of_test
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Behind, everywhere, note
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(prefix="/alert-channels", tags=["alerts"], dependencies=[Depends(everywhere(Permission.ADMIN))])

ChannelName = Annotated[
    str, Path(max_length=255, examples=["team"], description="A name of `alerts.to` in project.yaml.")
]


class ChannelNames(BaseModel):
    """The names of all channels; their addresses are secret."""

    items: Sequence[str] = Field(examples=[["team"]])


class Sent(BaseModel):
    """The service took the test message."""

    sentence: str = Field(examples=["team took the message"])


@router.get("", summary="The channels of alerts", operation_id="alert_channels", responses=problems(503))
def channels(behind: Behind) -> ChannelNames:
    return ChannelNames(items=list(_known(behind)))


@router.post(
    "/{name}/test",
    summary="Send a test message to a channel",
    operation_id="test_alert_channel",
    responses=problems(404, 422, 502, 503),
)
def send_test(name: ChannelName, request: Request, behind: Behind) -> Sent:
    known = _known(behind)
    if name not in known:
        raise ApiError(404, f"There is no channel {name}{nearest(name, known)}.")
    try:
        known[name].send(message_of_test(behind.site.known().project.settings.name))
    except (SourceError, ConfigError) as error:
        note(request, "alert.test", name, "failed")
        raise ApiError(502, str(error)) from None
    note(request, "alert.test", name)
    return Sent(sentence=f"{name} took the message")


def _known(behind: Behind) -> dict[str, Channel]:
    alerts = behind.site.known().project.settings.alerts
    return {name: Channel(name, url) for name, url in (alerts.to if alerts is not None else {}).items()}
