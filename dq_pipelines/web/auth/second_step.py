"""Serves the second step of a login, the code of a second factor. A login between the steps is kept in memory."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from dq_pipelines.errors import Refused
from dq_pipelines.security.digest import digest
from dq_pipelines.security.users import User
from dq_pipelines.web.auth import cookie
from dq_pipelines.web.auth.access import Access
from dq_pipelines.web.auth.forms import form_page, read_form
from dq_pipelines.web.auth.login_steps import LoginSteps
from dq_pipelines.web.auth.origins import is_sent_by_this_site

PATH = "/login/code"

#: Seconds until a code must be entered, wrong codes until the login starts over, and logins under way at most.
_PATIENCE, _TRIES, _MOST = 300.0, 5, 10_000


@dataclass
class _Begun:
    """A login with a correct password, waiting for a code."""

    name: str
    epoch: int
    target: str
    at: float
    tries: int = 0


class SecondStep:
    """`/login/code`: asks for a code, and completes the login."""

    def __init__(self, access: Access, steps: LoginSteps) -> None:
        self._access = access
        self._steps = steps
        self._begun: dict[str, _Begun] = {}
        self._lock = threading.Lock()

    def routes(self) -> list[Route]:
        return [Route(PATH, self._form, methods=["GET"]), Route(PATH, self._enter, methods=["POST"])]

    def ask(self, request: Request, user: User, target: str) -> Response:
        """Redirect to the form, with a cookie that identifies this login."""
        secret = secrets.token_urlsafe(32)
        with self._lock:
            old = time.monotonic() - _PATIENCE
            self._begun = {known: one for known, one in self._begun.items() if one.at > old}
            while len(self._begun) >= _MOST:
                self._begun.pop(next(iter(self._begun)))
            self._begun[digest(secret)] = _Begun(user.name, user.epoch, target, time.monotonic())
        answer = RedirectResponse(PATH, 303, {"Cache-Control": "no-store"})
        return cookie.set_cookie(answer, request.scope, secret, cookie.CODE, int(_PATIENCE))

    async def _form(self, request: Request) -> Response:
        return _page() if self._of(request) else RedirectResponse("/login", 303)

    async def _enter(self, request: Request) -> Response:
        form = await read_form(request)
        if form is None:
            return PlainTextResponse("A code is shorter than that.", 413)
        if not is_sent_by_this_site(request.headers):
            return PlainTextResponse("Log in from this site's own page.", 403)
        begun = self._of(request)
        if begun is None:
            return RedirectResponse("/login", 303)
        if await self._steps.too_often(request, begun.name):
            return _page("Too many attempts from this address: wait a minute.", 429)
        return await self._checked(request, begun, form.get("code", ""))

    async def _checked(self, request: Request, begun: _Begun, code: str) -> Response:
        begun.tries += 1
        origin = await run_sync(self._access.origin, request.scope, begun.name)
        try:
            how = await self._access.check_code(begun.name, code, origin)
        except Refused:
            await self._steps.note(request, begun.name, "refused", by="code")
            if begun.tries >= _TRIES:
                self._forget(request)
            return _page("Wrong or used code, or too many failed attempts: wait for the next code.", 401)
        self._forget(request)
        user = await run_sync(self._access.users.find, begun.name)
        if user is None or user.disabled or user.epoch != begun.epoch:
            return RedirectResponse("/login", 303)
        secret = await run_sync(self._access.begin, request.scope, user)
        answer = await self._steps.begun(request, secret, user.name, begun.target, user, by=how)
        return cookie.delete_cookie(answer, request.scope, cookie.CODE)

    def _of(self, request: Request) -> _Begun | None:
        """The recent login of this browser, else None."""
        secret = cookie.read_cookie(request.scope, cookie.CODE)
        with self._lock:
            begun = self._begun.get(digest(secret)) if secret else None
        return begun if begun is not None and begun.at > time.monotonic() - _PATIENCE else None

    def _forget(self, request: Request) -> None:
        with self._lock:
            self._begun.pop(digest(cookie.read_cookie(request.scope, cookie.CODE) or ""), None)


def _page(message: str = "", status: int = 200) -> HTMLResponse:
    inner = f"""<form method="post" action="{PATH}">
<label>Code<input name="code" autocomplete="one-time-code" autofocus required maxlength="64">
<small>The six digits that your app shows now, or one of your recovery codes.</small></label>
<button>Log in</button></form><p><a href="/login">Log in as another user</a></p>"""
    return form_page("Second factor", inner, message, status)
