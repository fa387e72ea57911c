"""Serves the login form and the logout of browsers, and redirects to the requested page."""

from __future__ import annotations

import html
from importlib import resources
from urllib.parse import quote, unquote

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from dq_pipelines.errors import Refused
from dq_pipelines.security.oidc import OpenIdConnect
from dq_pipelines.web.auth import cookie
from dq_pipelines.web.auth.access import Access, caller_of
from dq_pipelines.web.auth.bootstrap_link import NAME
from dq_pipelines.web.auth.forms import form_page, read_form
from dq_pipelines.web.auth.login_steps import LoginSteps
from dq_pipelines.web.auth.origins import is_sent_by_this_site
from dq_pipelines.web.auth.second_step import SecondStep
from dq_pipelines.web.navigation import CONSOLE

#: Where a login leads that began nowhere in particular: the overview.
HOME = f"{CONSOLE}/"
#: What a browser clears at logout: Dagster's pages cache data. Cookies stay, since one marks known browsers.
_FORGET = '"cache", "storage"'


class Login:
    """The login pages, which need no login."""

    def __init__(self, access: Access, steps: LoginSteps) -> None:
        self._access = access
        self._steps = steps
        self._second = SecondStep(access, steps)

    def routes(self) -> list[Route]:
        """`/login` and `/logout`."""
        return [
            *self._second.routes(),
            Route("/login", self._form, methods=["GET"]),
            Route("/login", self._enter, methods=["POST"]),
            Route("/login/once", self._once, methods=["GET"]),
            Route("/login/style.css", self._style, methods=["GET"]),
            Route("/logout", self._leave, methods=["POST"]),
        ]

    async def _form(self, request: Request) -> Response:
        target = within(request.query_params.get("next", HOME))
        return page(target, provider=await run_sync(self._access.oidc))

    async def _style(self, request: Request) -> Response:
        style = resources.files("dq_pipelines.web").joinpath("static", "login.css").read_text("utf-8")
        return Response(style, media_type="text/css", headers={"Cache-Control": "max-age=3600"})

    async def _enter(self, request: Request) -> Response:
        form = await read_form(request)
        if form is None:
            return PlainTextResponse("The form is too long.", 413)
        # Another site may submit this form, to log somebody in as another user; browsers send its origin.
        if not is_sent_by_this_site(request.headers):
            return PlainTextResponse("Log in from a page of this site.", 403)
        name, target = form.get("name", ""), within(form.get("next", HOME))
        if await self._steps.too_often(request, name):
            return page(target, "Too many attempts from this address: wait a minute.", 429)
        return await self._let_in(request, name, form.get("password", ""), target)

    async def _let_in(self, request: Request, name: str, password: str, target: str) -> Response:
        try:
            user = await self._access.authenticate(
                name, password, await run_sync(self._access.origin, request.scope, name)
            )
        except Refused:
            await self._steps.note(request, name, "refused")
            return page(
                target,
                "Wrong name or password, or too many failed attempts from this address: wait, and try again.",
                401,
            )
        if await run_sync(self._access.second_factor.is_on, name):
            await self._steps.note(request, name, "done", what="login.password")
            return self._second.ask(request, user, target)
        return await self._steps.begun(
            request, await run_sync(self._access.begin, request.scope, user), name, target, user
        )

    async def _once(self, request: Request) -> Response:
        access, secret = self._access, None
        if await self._steps.too_often(request, NAME):
            return PlainTextResponse("Too many attempts from this address: wait a minute.", 429)
        if request.method == "GET" and not await run_sync(lambda: access.is_on):
            secret = access.once.open(request.query_params.get("token", ""))
        if secret is None:
            await self._steps.note(request, NAME, "refused")
            why = "This link is not the last one that dq serve printed, or it was already used. Restart dq serve for a new one."
            return PlainTextResponse(why, 403, {"Cache-Control": "no-store"})
        return await self._steps.begun(request, secret, NAME, HOME)

    async def _leave(self, request: Request) -> Response:
        caller = caller_of(request.scope)
        await run_sync(self._access.end, request.scope)
        await self._steps.note(request, caller.user.name if caller else "", "done", what="logout")
        answer = cookie.delete_cookie(RedirectResponse("/login", 303), request.scope)
        answer.headers["Clear-Site-Data"] = _FORGET
        return answer


def within(target: str) -> str:
    """The target if it is a path of this site, else the overview (against open redirects).

    The root is Dagster's first page, which says nothing of quality and is closed to callers with scoped rights: whoever logs
    in there begins at the overview too.

    Browsers read a backslash as a slash and drop tabs and line breaks, and some proxies decode a path again. So a path that
    leads to another site after decoding it twice is refused too.
    """
    path = target.partition("?")[0]
    if target == "/" or "\\" in target or not target.isprintable():
        return HOME
    for text in (path, unquote(path), unquote(unquote(path))):
        if not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable():
            return HOME
    return target


def page(target: str, message: str = "", status: int = 200, provider: OpenIdConnect | None = None) -> HTMLResponse:
    """The login form, which leads to `target`, with a message at the top and a link to the identity provider, if any."""
    link = (
        f'<p><a href="/login/oidc?next={quote(target, safe="")}">{html.escape(provider.title)}</a></p>'
        if provider
        else ""
    )
    inner = f"""<form method="post" action="/login"><input type="hidden" name="next" value="{html.escape(target)}">
<label>Name<input name="name" autocomplete="username" autofocus required maxlength="255"></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required maxlength="256"></label>
<button>Log in</button></form>"""
    return form_page("Log in", inner + link, message, status)


def to_login(path: str) -> RedirectResponse:
    """Redirect to the login form, which leads back to `path`."""
    return RedirectResponse(f"/login?next={quote(path, safe='')}", 303)
