"""Lists the routes that need no login, for the authentication middleware and the OpenAPI document."""

from __future__ import annotations

#: Liveness routes, which are answered before users are looked up, even if the users' database is down.
LIVE = ("/health", "/api/v1/health/live")

#: All routes that need no login.
OPEN = (
    *LIVE,
    "/login", "/login/code", "/login/once", "/login/oidc", "/login/oidc/callback", "/login/style.css",
    "/api", "/api/v1/auth/token", "/api/v1/auth/revoke",
)  # fmt: skip

#: Routes for users who must set up a second factor first.
WITHOUT_SECOND_FACTOR = ("/account", "/account/sessions", "/account/second-factor", "/logout")
