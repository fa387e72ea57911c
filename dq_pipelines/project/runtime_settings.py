"""Defines the YAML keys `retries`, `metrics` and `openlineage`."""

from __future__ import annotations

import random
import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema

from dq_pipelines.config.model import Many, Strict, shown

_PATTERN = re.compile(r"(\d{1,6})(ms|s|m)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}

#: The longest pause between two tries, in seconds.
LONGEST = 300.0


def _seconds(text: str) -> float:
    match = _PATTERN.fullmatch(text)
    return int(match[1]) * _SECONDS[match[2]] if match else float("nan")


def _pause(text: str) -> str:
    if not _seconds(text) <= LONGEST:
        raise ValueError(f"wanted a pause of at most 5m such as 500ms, 1s or 2m, got {shown(text)}")
    return text


class Retries(Strict):
    """How often to try a source that fails temporarily: a server does not answer, or a file is being written."""

    #: the number of tries, including the first; 1 for no retry
    tries: Annotated[int, Field(ge=1, le=20)] = 5
    #: the pause before the second try, `500ms`, `1s` or `2m`; each further one is twice as long, up to 5 minutes. Each is
    #: shortened by a random part of up to a half, so that many runs do not retry at once
    wait: Annotated[
        str, AfterValidator(_pause), WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN.pattern}$"})
    ] = "1s"

    def pause(self, failed: int) -> float:
        """Seconds to wait after `failed` failed tries."""
        return min(_seconds(self.wait) * 2.0 ** (failed - 1), LONGEST) * random.uniform(0.5, 1)  # noqa: S311 - jitter, not cryptography


class Metrics(Strict):
    """Which metrics of each batch the history stores in addition to the verdict."""

    #: the columns to measure; by default all, none with `[]`
    columns: Many[str] | None = None
    #: whether to measure distinct values, quantiles and outliers too, which take a tenth of a run over a CSV file
    sketches: bool = True

    def covers(self, column: str) -> bool:
        return self.columns is None or column in self.columns


class OpenLineage(Strict):
    """Where to send [OpenLineage](https://openlineage.io) events about runs, tables and results of checks.

    It needs the extra `openlineage`: `pip install 'dq_pipelines[openlineage]'`.
    """

    #: the server, `https://marquez.example.org`
    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    #: the path of its endpoint
    endpoint: str = "api/v1/lineage"
    #: the namespace of the jobs; by default the project's `name`
    namespace: Annotated[str, Field(min_length=1)] | None = None
    #: sent as bearer token: `${NAME}`
    api_key: SecretStr | None = None
