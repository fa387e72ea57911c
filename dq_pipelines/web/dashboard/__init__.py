"""The dashboard: what is good, what fails, since when, and which rows. An ASGI app of pages that only read.

`dashboard(site)` may be mounted anywhere; who may see it is the business of whoever mounts it.
"""

from dq_pipelines.web.dashboard.pages import dashboard
from dq_pipelines.web.dashboard.site import Site

__all__ = ["Site", "dashboard"]
