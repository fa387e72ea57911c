"""The routes that need no login: one table, for the authentication middleware and for the OpenAPI document."""

from __future__ import annotations

#: Answered before users are looked up: they say whether this process lives, also while the database of users is down.
LIVE = ("/health", "/api/v1/health/live")

#: All routes that need no login.
OPEN = (
    *LIVE,
    "/login", "/login/code", "/login/once", "/login/oidc", "/login/oidc/callback", "/login/style.css",
    "/api", "/api/v1/auth/token", "/api/v1/auth/revoke",
)  # fmt: skip

#: All that a user may open who must set up a second factor first.
WITHOUT_SECOND_FACTOR = ("/account", "/account/sessions", "/account/second-factor", "/logout")
