"""The cookie of a session: what it is called, how it is given, read and taken back. Whose it is, is said in `access`."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

_NAME = "dq_session"


def is_secure(scope: Scope) -> bool:
    """Whether a request came by TLS, to this server or to a proxy that it believes (uvicorn's FORWARDED_ALLOW_IPS)."""
    return scope.get("scheme") in ("https", "wss")


def name(scope: Scope) -> str:
    """Behind TLS browsers take a `__Host-` cookie from this very host alone: no other of the domain can put its own there."""
    return f"__Host-{_NAME}" if is_secure(scope) else _NAME


def given(answer: Response, scope: Scope, secret: str) -> Response:
    """The answer, with a session's secret for the browser to keep from scripts and from other sites' forms."""
    answer.set_cookie(name(scope), secret, httponly=True, samesite="lax", secure=is_secure(scope), path="/")
    return answer


def taken(answer: Response, scope: Scope) -> Response:
    """The answer, which has the browser forget."""
    answer.delete_cookie(name(scope), path="/", secure=is_secure(scope), httponly=True, samesite="lax")
    return answer


def held(scope: Scope) -> str | None:
    """The secret that a request brings, None for none."""
    try:
        found = SimpleCookie(Headers(scope=scope).get("cookie", "")).get(name(scope))
    except CookieError:
        return None
    return found.value if found else None
