"""Our cookies: what they are called, how they are given, read and taken back. Whose they are, is said in `access`."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

#: That of a session, of a login that is under way at an identity provider or waits for a code, and of a browser in which somebody
#: has logged in before.
SESSION, LOGIN, CODE, DEVICE = "dq_session", "dq_login", "dq_code", "dq_device"


def is_secure(scope: Scope) -> bool:
    """Whether a request came by TLS, to this server or to a proxy before it (see `proxies`)."""
    return scope.get("scheme") in ("https", "wss")


def given(answer: Response, scope: Scope, secret: str, kind: str = SESSION, seconds: int | None = None) -> Response:
    """The answer, with a secret for the browser to keep from scripts and from other sites' forms, for so long."""
    secure = is_secure(scope)
    answer.set_cookie(_name(kind, scope), secret, seconds, httponly=True, samesite="lax", secure=secure, path="/")
    return answer


def taken(answer: Response, scope: Scope, kind: str = SESSION) -> Response:
    """The answer, which has the browser forget."""
    answer.delete_cookie(_name(kind, scope), path="/", secure=is_secure(scope), httponly=True, samesite="lax")
    return answer


def held(scope: Scope, kind: str = SESSION) -> str | None:
    """The secret that a request brings, None for none."""
    try:
        found = SimpleCookie(Headers(scope=scope).get("cookie", "")).get(_name(kind, scope))
    except CookieError:
        return None
    return found.value if found else None


def _name(kind: str, scope: Scope) -> str:
    # Behind TLS browsers take a `__Host-` cookie from this very host alone: no other of the domain can put its own there.
    return f"__Host-{kind}" if is_secure(scope) else kind
