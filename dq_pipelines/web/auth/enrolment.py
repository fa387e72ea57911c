"""Serves `/account/second-factor`: set up a second factor, renew recovery codes, or turn it off."""

from __future__ import annotations

import html
from collections.abc import Sequence

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from dq_pipelines.errors import Refused
from dq_pipelines.security.passwords import LONGEST
from dq_pipelines.security.second_factor import Enrolment
from dq_pipelines.security.sessions import Session
from dq_pipelines.security.throttling import Origin
from dq_pipelines.web.auth.access import Access, Caller, caller_of, source_of
from dq_pipelines.web.auth.forms import form_page, read_form
from dq_pipelines.web.auth.login_steps import LoginSteps

PATH = "/account/second-factor"
_OLD_PAGE = "This page has expired: try again."
_WRONG = "Wrong password or code, or too many failed attempts: wait, and try again."
_WRONG_FIRST = "Wrong code. The secret stays the same: enter the code that the app shows now."


class SecondFactorPages:
    """The pages of a user's second factor, for users with a password."""

    def __init__(self, access: Access, steps: LoginSteps) -> None:
        self._access = access
        self._steps = steps
        self._actions = {"begin": self._begin, "confirm": self._confirm, "renew": self._renew, "off": self._off}

    def routes(self) -> list[Route]:
        return [Route(PATH, self._look, methods=["GET"]), Route(PATH, self._change, methods=["POST"])]

    async def _look(self, request: Request) -> Response:
        caller = _with_password(request)
        return await self._page(caller) if caller else _not_available()

    async def _change(self, request: Request) -> Response:
        caller, form = _with_password(request), await read_form(request)
        if form is None:
            return PlainTextResponse("The form is too long.", 413)
        if caller is None:
            return _not_available()
        if not Session(caller.user, caller.csrf or "").says(form.get("csrf")):
            return await self._page(caller, _OLD_PAGE, 403)
        if await self._steps.too_often(request, caller.user.name):
            return await self._page(caller, "Too many attempts from this address: wait a minute.", 429)
        action = self._actions.get(form.get("do", ""))
        if action is None:
            return await self._page(caller, _OLD_PAGE, 422)
        try:
            return await action(request, caller, form.get("old", ""), form.get("code", ""))
        except Refused:
            await self._steps.note(
                request, caller.user.name, "refused", what="user.second_factor", on=form.get("do", "")
            )
            begun = await run_sync(self._access.second_factor.begun, caller.user.name, form.get("secret", ""))
            if form.get("do") == "confirm" and begun is not None:
                return form_page("Second factor", _scan(begun, caller), _WRONG_FIRST, 403)
            return await self._page(caller, _WRONG, 403)

    async def _begin(self, request: Request, caller: Caller, old: str, code: str) -> Response:
        """Show a secret for the app, and a form for its first code."""
        await self._access.authenticate(caller.user.name, old, _origin(request, caller))
        enrolment = await run_sync(self._access.second_factor.begin, caller.user.name)
        return form_page("Second factor", _scan(enrolment, caller))

    async def _confirm(self, request: Request, caller: Caller, old: str, code: str) -> Response:
        """Turn the second factor on, and end other sessions, which began without it."""
        codes = await run_sync(self._access.second_factor.confirm, caller.user.name, code)
        await run_sync(self._access.end_other_sessions, caller.user.name, caller.session)
        await self._steps.note(request, caller.user.name, "done", what="user.second_factor", on="on")
        return form_page("Second factor", _codes(codes), "The second factor is on.")

    async def _renew(self, request: Request, caller: Caller, old: str, code: str) -> Response:
        await self._prove(request, caller, old, code)
        codes = await run_sync(self._access.second_factor.renew_recovery, caller.user.name)
        await self._steps.note(request, caller.user.name, "done", what="user.second_factor", on="recovery codes")
        return form_page("Second factor", _codes(codes), "The previous recovery codes are no longer valid.")

    async def _off(self, request: Request, caller: Caller, old: str, code: str) -> Response:
        await self._prove(request, caller, old, code)
        await run_sync(self._access.second_factor.reset, caller.user.name)
        await run_sync(self._access.end_other_sessions, caller.user.name, caller.session)
        await self._steps.note(request, caller.user.name, "done", what="user.second_factor", on="off")
        return await self._page(caller, "The second factor is off.")

    async def _prove(self, request: Request, caller: Caller, old: str, code: str) -> None:
        """Check password and code. Raises Refused."""
        origin = _origin(request, caller)
        await self._access.authenticate(caller.user.name, old, origin)
        await self._access.check_code(caller.user.name, code, origin)

    async def _page(self, caller: Caller, message: str = "", status: int = 200) -> Response:
        factor, name = self._access.second_factor, caller.user.name
        if await run_sync(factor.is_on, name):
            left = await run_sync(factor.recovery_left, name)
            return form_page("Second factor", _when_on(caller, left), message, status)
        needed = self._access.requirement.covers(caller.user)
        return form_page("Second factor", _when_off(caller, needed=needed), message, status)


def _with_password(request: Request) -> Caller | None:
    caller = caller_of(request.scope)
    if caller is None or caller.csrf is None or caller.user.subject is not None or caller.user.created_at is None:
        return None
    return caller


def _not_available() -> Response:
    return form_page("Second factor", "<p>This account cannot have a second factor.</p>", status=404)


def _origin(request: Request, caller: Caller) -> Origin:
    return Origin(source_of(request.scope), f"session {caller.session}")


def _form(caller: Caller, do: str, button: str, fields: str, kind: str = "") -> str:
    csrf = html.escape(caller.csrf or "")
    hidden = f'<input type="hidden" name="csrf" value="{csrf}"><input type="hidden" name="do" value="{do}">'
    return f'<form method="post" action="{PATH}">{hidden}{fields}<button{kind}>{button}</button></form>'


_PASSWORD = (
    '<label>Password<input name="old" type="password" autocomplete="current-password" required '
    f'maxlength="{LONGEST}"></label>'
)
_CODE = '<label>Code<input name="code" autocomplete="one-time-code" required maxlength="64"></label>'
_BACK = '<p><a href="/account">Back to the account</a></p>'


def _when_off(caller: Caller, *, needed: bool) -> str:
    why = "<p>You must set up a second factor before you can continue.</p>" if needed else ""
    about = (
        "<p>An app on your phone shows a code that is valid for 30 seconds; a login asks for it after the password.</p>"
    )
    return f"<h2>Second factor</h2>{why}{about}{_form(caller, 'begin', 'Set it up', _PASSWORD)}{_BACK}"


def _when_on(caller: Caller, left: int) -> str:
    about = f"<h2>Second factor</h2><p>The second factor is on. {left} recovery codes are unused.</p>"
    renew = _form(caller, "renew", "New recovery codes", _PASSWORD + _CODE)
    off = _form(caller, "off", "Turn it off", _PASSWORD + _CODE, ' class="soft"')
    return f"{about}{renew}<h2>Turn it off</h2>{off}{_BACK}"


def _scan(enrolment: Enrolment, caller: Caller) -> str:
    import segno

    drawn = segno.make(enrolment.uri, error="m").svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True)
    secret = " ".join(enrolment.secret[at : at + 4] for at in range(0, len(enrolment.secret), 4))
    # The form sends the secret back: after a wrong code it is shown again, to those who already have it only.
    known = f'<input type="hidden" name="secret" value="{enrolment.secret}">'
    return f"""<h2>Second factor</h2><p>Scan this with your authenticator app, or type the secret into it.</p>
<div class="qr">{drawn}</div><p><code>{secret}</code></p>
{_form(caller, "confirm", "Turn it on", known + _CODE)}{_BACK}"""


def _codes(codes: Sequence[str]) -> str:
    items = "".join(f"<li><code>{code}</code></li>" for code in codes)
    return f"""<h2>Recovery codes</h2><p>Keep them apart from your phone. Each works once in place of a code. They are not shown
again.</p><ul class="codes">{items}</ul>{_BACK}"""
