"""The stores, the access control and the Dagster host that the gateway's routers share."""

from __future__ import annotations

from dataclasses import dataclass, field

from dq_pipelines.web.auth.access import Access
from dq_pipelines.web.dagster_client import DagsterHost
from dq_pipelines.web.dashboard.site import Site
from dq_pipelines.web.health import Health


@dataclass(frozen=True)
class Backend:
    """The value that every router receives when the app is made."""

    #: history, lake and the project's files
    site: Site
    #: users, keys, sessions and the audit log
    access: Access
    #: None if the gateway serves without Dagster
    dagster: DagsterHost | None = None
    #: the health of all of these
    health: Health = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "health", Health(self.site, self.dagster))
