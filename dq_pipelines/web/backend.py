"""What every part of the gateway answers from: the stores, who may ask, and Dagster where it is hosted here."""

from __future__ import annotations

from dataclasses import dataclass, field

from dq_pipelines.web.auth.access import Access
from dq_pipelines.web.dagster_client import DagsterHost
from dq_pipelines.web.dashboard.site import Site
from dq_pipelines.web.health import Health


@dataclass(frozen=True)
class Backend:
    """One value, handed to each router when the app is made."""

    #: history, lake and the project's files
    site: Site
    #: users, keys, sessions and the audit log
    access: Access
    #: None where the gateway serves without Dagster
    dagster: DagsterHost | None = None
    #: what of all that is alive; asked anew by each app
    health: Health = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "health", Health(self.site, self.dagster))
