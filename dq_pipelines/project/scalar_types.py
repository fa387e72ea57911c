"""Defines validated types of single YAML values: time zones, cron schedules, owners and tags."""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

from dq_pipelines.config import cron
from dq_pipelines.config.model import shown

_OWNER = re.compile(r"team:[\w-]+|[A-Za-z0-9_][A-Za-z0-9._%+-]*@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")
_KEY = re.compile(r"([A-Za-z0-9_.-]{1,63}/|dagster/kind/)?[A-Za-z0-9_.-]{1,63}")
_VALUE = re.compile(r"[A-Za-z0-9_.-]{0,63}")
_CHARACTERS = "at most 63 of a-z, A-Z, 0-9, _, - and ."


def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"wanted a time zone such as Europe/Berlin, got {shown(text)}") from None
    return text


TimeZone = Annotated[str, AfterValidator(_time_zone)]


def _cron(text: str) -> str:
    if problem := cron.problem(text):
        raise ValueError(problem)
    return text


Cron = Annotated[str, AfterValidator(_cron)]


def _owner(text: str) -> str:
    if not _OWNER.fullmatch(text):
        raise ValueError(f"wanted team:<name> or an e-mail address, got {shown(text)}")
    return text


def _tags(tags: dict[str, str]) -> dict[str, str]:
    for key, value in tags.items():
        if not _KEY.fullmatch(key):
            raise ValueError(f"wanted as a tag's key {_CHARACTERS}, after a namespace and / or not, got {shown(key)}")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"wanted as the value of tag {shown(key)} {_CHARACTERS}, got {shown(value)}")
    return tags


Owner = Annotated[str, AfterValidator(_owner)]
Tags = Annotated[dict[str, str], AfterValidator(_tags)]
