"""Steps that all kinds of login share: limit attempts, write the audit log, and begin a session."""

from __future__ import annotations

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dq_pipelines.security.audit import Event
from dq_pipelines.security.devices import KNOWN_FOR
from dq_pipelines.security.users import User
from dq_pipelines.web.auth import cookie
from dq_pipelines.web.auth.access import Access, source_of


class LoginSteps:
    """The shared steps of logins by password, code, identity provider and bootstrap link."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def begun(
        self, request: Request, secret: str, name: str, target: str, by_password: User | None = None, **more: str
    ) -> Response:
        """Redirect to the requested page with a new session; the previous session ends (against session fixation).

        `by_password` is the user of a login by password, whose browser is remembered.
        """
        await run_sync(self._access.end, request.scope)
        await self.note(request, name, "done", **more)
        answer = RedirectResponse(target, 303, {"Cache-Control": "no-store"})
        if by_password is not None:
            before = cookie.read_cookie(request.scope, cookie.DEVICE)
            device = await run_sync(self._access.devices.remember, by_password, before)
            cookie.set_cookie(answer, request.scope, device, cookie.DEVICE, int(KNOWN_FOR.total_seconds()))
        return cookie.set_cookie(answer, request.scope, secret)

    async def too_often(self, request: Request, name: str) -> bool:
        """Count an attempt from the address of this request. Returns whether there were too many."""
        too_many = self._access.tries.too_many(source_of(request.scope))
        if too_many == 1:
            await self.note(request, name, "refused", why="too many tries")
        return too_many > 0

    async def note(
        self, request: Request, name: str, result: str, what: str = "login", on: str = "", **more: str
    ) -> None:
        """Write a line to the audit log."""
        event = Event(name[:255], what, on, source=source_of(request.scope), result=result, more=more)
        await run_sync(self._access.log.add, event)
