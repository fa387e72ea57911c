"""Sets, reads and deletes the gateway's cookies."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

#: Cookie names: a session, a login at an identity provider, a login that waits for a code, and a browser with an earlier login.
SESSION, LOGIN, CODE, DEVICE = "dq_session", "dq_login", "dq_code", "dq_device"


def is_secure(scope: Scope) -> bool:
    """Whether a request used TLS, to this server or to a trusted proxy (see `middleware.proxies`)."""
    return scope.get("scheme") in ("https", "wss")


def set_cookie(
    answer: Response, scope: Scope, secret: str, kind: str = SESSION, seconds: int | None = None
) -> Response:
    """Set a cookie with this secret on the answer, for so many seconds; scripts and other sites' forms cannot use it."""
    secure = is_secure(scope)
    answer.set_cookie(_name(kind, scope), secret, seconds, httponly=True, samesite="lax", secure=secure, path="/")
    return answer


def delete_cookie(answer: Response, scope: Scope, kind: str = SESSION) -> Response:
    """Delete a cookie by the answer."""
    answer.delete_cookie(_name(kind, scope), path="/", secure=is_secure(scope), httponly=True, samesite="lax")
    return answer


def read_cookie(scope: Scope, kind: str = SESSION) -> str | None:
    """The secret in a request's cookie; None for none."""
    try:
        morsel = SimpleCookie(Headers(scope=scope).get("cookie", "")).get(_name(kind, scope))
    except CookieError:
        return None
    return morsel.value if morsel else None


def _name(kind: str, scope: Scope) -> str:
    # With TLS, browsers accept a `__Host-` cookie from this host only: no other host of the domain can set it.
    return f"__Host-{kind}" if is_secure(scope) else kind
