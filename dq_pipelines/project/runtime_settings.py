"""How a table is read and measured, and where lineage goes: `retries`, `metrics` and `open_lineage` in YAML."""

from __future__ import annotations

import random
import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema

from dq_pipelines.config.model import Many, Strict, shown

_PATTERN = re.compile(r"(\d{1,6})(ms|s|m)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}

#: Seconds: however often it was tried, nobody waits longer for the next time.
LONGEST = 300.0


def _seconds(text: str) -> float:
    match = _PATTERN.fullmatch(text)
    return int(match[1]) * _SECONDS[match[2]] if match else float("nan")


def _pause(text: str) -> str:
    if not _seconds(text) <= LONGEST:
        raise ValueError(f"wanted a pause of at most 5m such as 500ms, 1s or 2m, got {shown(text)}")
    return text


class Retries(Strict):
    """How often a source that fails for a moment is tried: a place that does not answer, a file that is being written."""

    #: all tries, the first among them; 1 for no second one
    tries: Annotated[int, Field(ge=1, le=20)] = 5
    #: the pause before the second try, `500ms`, `1s` or `2m`; each further one is twice as long, up to 5 minutes, and a
    #: random part of up to a half is taken off, so that many runs do not come back at once
    wait: Annotated[
        str, AfterValidator(_pause), WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN.pattern}$"})
    ] = "1s"

    def pause(self, failed: int) -> float:
        """Seconds to wait after so many failed tries."""
        return min(_seconds(self.wait) * 2.0 ** (failed - 1), LONGEST) * random.uniform(0.5, 1)  # noqa: S311 - so that many do not meet again


class Metrics(Strict):
    """What history keeps of each batch beside its verdict."""

    #: the columns that are measured; all of them where it is not given, none with `[]`
    columns: Many[str] | None = None
    #: whether different values, quantiles and outliers are measured too: a grouping for each column
    sketches: bool = True

    def covers(self, column: str) -> bool:
        return self.columns is None or column in self.columns


class OpenLineage(Strict):
    """Where runs, tables and what their checks found are told of, as events of [OpenLineage](https://openlineage.io).

    It wants the extra `openlineage`: `pip install 'dq_pipelines[openlineage]'`.
    """

    #: the server, `https://marquez.example.org`
    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    #: the path of its endpoint
    endpoint: str = "api/v1/lineage"
    #: the namespace of the jobs; the project's `name` without it
    namespace: Annotated[str, Field(min_length=1)] | None = None
    #: sent as bearer token: `${NAME}`
    api_key: SecretStr | None = None
