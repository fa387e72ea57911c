"""What YAML may say of lineage: where OpenLineage's events go. What they say belongs in `orchestration`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from dq_pipelines.config.model import Strict


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
