"""The dashboard: read-only pages on the status of tables, failing rules and refused rows.

`dashboard(site)` is an ASGI app that can be mounted anywhere. The app that mounts it authenticates its callers.
"""

from dq_pipelines.web.dashboard.pages import dashboard
from dq_pipelines.web.dashboard.site import Site

__all__ = ["Site", "dashboard"]
