"""Serves logins by an identity provider (OpenID Connect): the redirect to it, and its callback."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from dataclasses import dataclass

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dq_pipelines.errors import Refused, SourceError
from dq_pipelines.security.digest import digest
from dq_pipelines.security.provider import PendingLogin, Provider
from dq_pipelines.security.users import User
from dq_pipelines.web.auth import cookie
from dq_pipelines.web.auth.access import Access
from dq_pipelines.web.auth.login import HOME, page, within
from dq_pipelines.web.auth.login_steps import LoginSteps

BEGIN, BACK = "/login/oidc", "/login/oidc/callback"

#: Seconds that a login may take at the provider, and how many logins may be under way.
_PATIENCE, _MOST = 600.0, 10_000


@dataclass(frozen=True)
class _Begun:
    """A login that is under way at the provider."""

    start: PendingLogin
    #: the hash of the browser's cookie: another browser cannot complete this login
    browser: str
    target: str
    at: float


class OidcLogin:
    """The two routes of a login by OpenID Connect. Logins under way are kept in memory, each for one callback."""

    def __init__(self, access: Access, steps: LoginSteps) -> None:
        self._access = access
        self._steps = steps
        self._begun: dict[str, _Begun] = {}
        self._lock = threading.Lock()
        self._provider: Provider | None = None

    def routes(self) -> list[Route]:
        return [Route(BEGIN, self._to, methods=["GET"]), Route(BACK, self._back, methods=["GET"])]

    async def _to(self, request: Request) -> Response:
        """Redirect to the provider, with a cookie that identifies the browser at the callback."""
        target = within(request.query_params.get("next", HOME))
        if await self._steps.too_often(request, ""):
            return page(target, "Too many attempts from this address: wait a minute.", 429)
        provider = await run_sync(self._known)
        if provider is None:
            return page(target, "Login by an identity provider is not configured.", 404)
        back = (provider.settings.address or str(request.base_url)).rstrip("/") + BACK
        try:
            start = await run_sync(provider.start, back)
        except SourceError as error:
            await self._steps.note(request, "", "refused", by="oidc", why=str(error))
            return page(target, "The identity provider does not answer. Try again later.", 502)
        browser = secrets.token_urlsafe(32)
        self._keep(_Begun(start, digest(browser), target, time.monotonic()))
        answer = RedirectResponse(start.url, 303, {"Cache-Control": "no-store"})
        return cookie.set_cookie(answer, request.scope, browser, cookie.LOGIN, seconds=int(_PATIENCE))

    async def _back(self, request: Request) -> Response:
        """Handle the callback: log in the user whom the provider vouches for, once for each login that began here."""
        begun = self._take(request.query_params.get("state", ""), cookie.read_cookie(request.scope, cookie.LOGIN))
        target = begun.target if begun else "/"
        if begun is None and await self._steps.too_often(request, ""):
            return page(target, "Too many attempts from this address: wait a minute.", 429)
        try:
            user = await run_sync(self._user, begun, dict(request.query_params))
        except (Refused, SourceError) as error:
            await self._steps.note(request, "", "refused", by="oidc", why=str(error))
            return page(target, "The identity provider's answer was refused. The audit log has the reason.", 401)
        secret = await run_sync(self._access.begin, request.scope, user)
        answer = await self._steps.begun(request, secret, user.name, target)
        return cookie.delete_cookie(answer, request.scope, cookie.LOGIN)

    def _user(self, begun: _Begun | None, answer: dict[str, str]) -> User:
        if begun is None:
            raise Refused("wanted the callback of a login that this browser began, got another")
        provider = self._known()
        if provider is None:
            raise Refused("wanted a login by OpenID Connect, which is no longer configured")
        claims, settings = provider.claims(begun.start, answer), provider.settings
        subject = f"{settings.issuer} {claims['sub']}"
        return self._access.users.vouched(subject, settings.name(claims), settings.grants(claims))

    def _known(self) -> Provider | None:
        settings = self._access.oidc()
        if settings is None:
            return None
        with self._lock:
            if self._provider is None or self._provider.settings != settings:
                self._provider = Provider(settings)
            return self._provider

    def _keep(self, begun: _Begun) -> None:
        with self._lock:
            old = time.monotonic() - _PATIENCE
            self._begun = {state: one for state, one in self._begun.items() if one.at > old}
            while len(self._begun) >= _MOST:
                self._begun.pop(next(iter(self._begun)))
            self._begun[begun.start.state] = begun

    def _take(self, state: str, browser: str | None) -> _Begun | None:
        """Remove and return the login of this state, if this browser began it recently."""
        with self._lock:
            begun = self._begun.get(state)
            if begun is None or browser is None or not hmac.compare_digest(begun.browser, digest(browser)):
                return None
            del self._begun[state]
        return begun if begun.at > time.monotonic() - _PATIENCE else None
