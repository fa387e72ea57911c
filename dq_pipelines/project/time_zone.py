"""Names of time zones in YAML."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

from dq_pipelines.config.model import shown


def _known(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"wanted a time zone such as Europe/Berlin, got {shown(text)}") from None
    return text


TimeZone = Annotated[str, AfterValidator(_known)]
