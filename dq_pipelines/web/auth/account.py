"""Serves `/account`: the user's roles and sessions, and a form to change the password."""

from __future__ import annotations

import html

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from dq_pipelines.errors import ConfigError, Refused
from dq_pipelines.security.passwords import LONGEST, SHORTEST
from dq_pipelines.security.sessions import Session
from dq_pipelines.security.throttling import Origin
from dq_pipelines.web.auth.access import Access, Caller, caller_of, source_of
from dq_pipelines.web.auth.forms import form_page, read_form
from dq_pipelines.web.auth.login_steps import LoginSteps
from dq_pipelines.web.auth.reader import bar_of
from dq_pipelines.web.auth.session_list import OTHERS, sessions_section
from dq_pipelines.web.navigation import CONSOLE


class Account:
    """The account page of the user who is logged in."""

    def __init__(self, access: Access, steps: LoginSteps, *, hosts_dagster: bool) -> None:
        self._hosts_dagster = hosts_dagster
        self._access = access
        self._steps = steps

    def routes(self) -> list[Route]:
        return [
            Route("/account", self._look, methods=["GET"]),
            Route("/account", self._change, methods=["POST"]),
            Route("/account/sessions", self._end_sessions, methods=["POST"]),
        ]

    async def _look(self, request: Request) -> Response:
        caller = caller_of(request.scope)
        if caller is None or caller.csrf is None:
            return form_page("Account", "<p>You are not logged in.</p>", status=404)
        return await self.page(request, caller)

    async def page(self, request: Request, caller: Caller, message: str = "", status: int = 200) -> Response:
        """The page, with a message at the top."""
        sessions = await run_sync(self._access.open_sessions, caller.user)
        console = f"{request.scope.get('root_path', '')}{CONSOLE}"
        bar = bar_of(request.scope, console, dagster="", hosts_dagster=self._hosts_dagster)
        return form_page("Account", _content(caller, sessions_section(caller, sessions)), message, status, bar)

    async def _end_sessions(self, request: Request) -> Response:
        """End one session, or all sessions except this browser's."""
        caller, form = caller_of(request.scope), await read_form(request)
        if caller is None or caller.csrf is None or form is None:
            return form_page("Account", "<p>You are not logged in.</p>", status=404)
        if not Session(caller.user, caller.csrf).says(form.get("csrf")):
            return await self.page(request, caller, "This page has expired: try again.", 403)
        name, which = caller.user.name, form.get("end", "")
        if which == OTHERS:
            await run_sync(self._access.end_other_sessions, name, caller.session)
        elif not await run_sync(self._access.end_session, name, which):
            return await self.page(request, caller, "That session has already ended.", 404)
        await self._steps.note(request, name, "done", what="session.end", on=which[:64])
        return RedirectResponse("/account", 303)

    async def _change(self, request: Request) -> Response:
        """Set a new password: it ends all sessions and tokens, and begins a new session for this browser."""
        caller, form = caller_of(request.scope), await read_form(request)
        if form is None:
            return PlainTextResponse("The form is too long.", 413)
        if caller is None or caller.csrf is None or not _has_password(caller):
            return form_page("Account", "<p>This account has no password to change.</p>", status=404)
        if not Session(caller.user, caller.csrf).says(form.get("csrf")):
            return await self.page(request, caller, "This page has expired: try again.", 403)
        if form.get("new") != form.get("again"):
            return await self.page(request, caller, "The two new passwords differ.", 422)
        if await self._steps.too_often(request, caller.user.name):
            return await self.page(request, caller, "Too many attempts from this address: wait a minute.", 429)
        return await self._changed(request, caller, form.get("old", ""), form.get("new", ""))

    async def _changed(self, request: Request, caller: Caller, old: str, new: str) -> Response:
        name, access = caller.user.name, self._access
        try:
            await access.authenticate(name, old, Origin(source_of(request.scope), f"session {caller.csrf}"))
            await run_sync(access.users.set_password, name, new)
        except Refused:
            await self._steps.note(request, name, "refused", what="user.password")
            return await self.page(
                request, caller, "Wrong old password, or too many failed attempts: wait, and try again.", 403
            )
        except ConfigError as error:
            return await self.page(request, caller, f"{error}.", 422)
        await self._steps.note(request, name, "done", what="user.password")
        user = await run_sync(access.users.named, name)
        secret = await run_sync(access.begin, request.scope, user)
        return await self._steps.begun(request, secret, name, "/account", user)


def _has_password(caller: Caller) -> bool:
    return caller.user.subject is None and caller.user.created_at is not None


def _content(caller: Caller, sessions: str) -> str:
    csrf = f'<input type="hidden" name="csrf" value="{html.escape(caller.csrf or "")}">'
    rights = ", ".join(sorted(map(str, caller.user.grants)))
    about = f"<p><strong>{html.escape(caller.user.name)}</strong><br>{html.escape(rights)}</p>"
    bounds = f'required minlength="{SHORTEST}" maxlength="{LONGEST}" type="password" autocomplete="new-password"'
    change = f"""<form method="post" action="/account">{csrf}
<label>Old password<input name="old" type="password" autocomplete="current-password" required maxlength="{LONGEST}"></label>
<label>New password<input name="new" {bounds}></label>
<label>Repeat the new password<input name="again" {bounds}></label>
<button>Change the password</button></form>"""
    leave = f'<form method="post" action="/logout">{csrf}<button class="soft">Log out</button></form>'
    factor = '<h2>Second factor</h2><p><a href="/account/second-factor">Require a code from an app at login</a></p>'
    own = f"{factor}<h2>Password</h2>{change}" if _has_password(caller) else ""
    return about + leave + sessions + own
