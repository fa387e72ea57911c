"""Limits of uploads, from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from dq_pipelines.config import withheld
from dq_pipelines.config.duration import duration
from dq_pipelines.errors import ConfigError, Problem

_SIZE = re.compile(r"(\d{1,6}) ?(MB|GB)", re.IGNORECASE)
_UNITS = {"MB": 1_000_000, "GB": 1_000_000_000}


@dataclass(frozen=True)
class UploadLimits:
    """How much may be uploaded, and how long it waits."""

    #: bytes of one file
    bytes: int = 200_000_000
    #: after this, a file that was not saved is removed
    keep: timedelta = timedelta(days=1)
    #: files of one user that wait at the same time
    files: int = 20
    #: bytes of the files of all users that wait or arrive, together
    total: int = 5_000_000_000

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> UploadLimits:
        """From `DQ_UPLOAD_LIMIT` and `DQ_UPLOAD_TOTAL` (such as `200 MB`), and `DQ_UPLOAD_KEEP` (such as `12h`). Raises ConfigError."""
        variables = withheld.environment() if environment is None else environment

        def size(name: str, default: str) -> int:
            return _size(name, variables.get(name) or default)

        keep = _keep(variables.get("DQ_UPLOAD_KEEP") or "24h")
        return cls(size("DQ_UPLOAD_LIMIT", "200 MB"), keep, total=size("DQ_UPLOAD_TOTAL", "5 GB"))


def _size(name: str, text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise ConfigError([Problem("", 0, f"{name}: wanted a size such as 200 MB or 2 GB, got '{text[:60]}'")])
    return int(match[1]) * _UNITS[match[2].upper()]


def _keep(text: str) -> timedelta:
    try:
        return duration(text.strip())
    except ValueError as error:
        raise ConfigError([Problem("", 0, f"DQ_UPLOAD_KEEP: {error}")]) from None
