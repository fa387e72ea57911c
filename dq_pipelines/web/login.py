"""Logging in and out of a browser: a form, a cookie, and a way back to the page that was asked for."""

from __future__ import annotations

import html
from importlib import resources
from urllib.parse import parse_qs, quote

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from dq_pipelines.errors import Refused
from dq_pipelines.security.audit import Event
from dq_pipelines.web.access import COOKIE, Access, caller_of, source_of

_LONGEST_FORM = 4096

#: What the login page may do: be looked at, and send its form here.
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


class Login:
    """The pages of logging in; mounted where nobody has to be logged in."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def routes(self) -> list[Route]:
        """`/login` and `/logout`."""
        return [
            Route("/login", self._form, methods=["GET"]),
            Route("/login", self._enter, methods=["POST"]),
            Route("/login/style.css", self._style, methods=["GET"]),
            Route("/logout", self._leave, methods=["POST"]),
        ]

    async def _form(self, request: Request) -> Response:
        return _page(within(request.query_params.get("next", "/")))

    async def _style(self, request: Request) -> Response:
        style = resources.files("dq_pipelines.web").joinpath("static", "login.css").read_text("utf-8")
        return Response(style, media_type="text/css", headers={"Cache-Control": "max-age=3600"})

    async def _enter(self, request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _LONGEST_FORM:
                return PlainTextResponse("A name and a password are shorter than that.", 413)
        # A page elsewhere may send this form, too, to log somebody in as another; browsers say where it comes from.
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return PlainTextResponse("Log in from this site's own page.", 403)
        form = {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        name, target = form.get("name", ""), within(form.get("next", "/"))
        if self._access.tries.too_many(source_of(request.scope)):
            self._note(request, name, "refused", why="too many tries")
            return _page(target, "Too many tries from here: wait a minute.", 429)
        return await self._let_in(request, name, form.get("password", ""), target)

    async def _let_in(self, request: Request, name: str, password: str, target: str) -> Response:
        try:
            user = await self._access.let_in(name, password)
        except Refused:
            self._note(request, name, "refused")
            return _page(
                target, "That name and password do not fit, or too many tries were wrong: wait, and try again.", 401
            )
        self._note(request, name, "done")
        secret = await run_sync(self._access.sessions.begin, user)
        answer = RedirectResponse(target, 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, secret, httponly=True, samesite="lax", secure=secure, path="/")
        return answer

    async def _leave(self, request: Request) -> Response:
        caller = caller_of(request.scope)
        self._access.sessions.end(request.cookies.get(COOKIE))
        self._note(request, caller.user.name if caller else "", "done", what="logout")
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, path="/")
        return answer

    def _note(self, request: Request, name: str, result: str, what: str = "login", **more: str) -> None:
        self._access.log.add(Event(name[:255], what, source=source_of(request.scope), result=result, more=more))


def within(target: str) -> str:
    """A path of this site, or its first page: what leads elsewhere is not followed."""
    own = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if own and "\\" not in target else "/"


def _page(target: str, said: str = "", status: int = 200) -> HTMLResponse:
    told = f'<p class="said" role="alert">{html.escape(said)}</p>' if said else ""
    text = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in</title><link rel="stylesheet" href="/login/style.css"></head>
<body><main><h1>dq_pipelines</h1>{told}
<form method="post" action="/login"><input type="hidden" name="next" value="{html.escape(target)}">
<label>Name<input name="name" autocomplete="username" autofocus required maxlength="255"></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required maxlength="256"></label>
<button>Log in</button></form></main></body></html>"""
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(text, status, headers=headers)


def to_login(path: str) -> RedirectResponse:
    """To the form, and back to `path` afterwards."""
    return RedirectResponse(f"/login?next={quote(path, safe='')}", 303)
