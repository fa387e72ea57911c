"""The steps that every way of logging in takes: limits the tries, writes the audit log, begins the session."""

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
    """What a password, a code, an identity provider and the bootstrap link have in common."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def begun(
        self, request: Request, secret: str, name: str, target: str, by_password: User | None = None, **more: str
    ) -> Response:
        """To the page that was asked for, with a session; the one before, which somebody else may know, is over.

        The browser of who came by a password is known from then on.
        """
        await run_sync(self._access.end, request.scope)
        await self.note(request, name, "done", **more)
        answer = RedirectResponse(target, 303, {"Cache-Control": "no-store"})
        if by_password is not None:
            before = cookie.held(request.scope, cookie.DEVICE)
            device = await run_sync(self._access.devices.remember, by_password, before)
            cookie.given(answer, request.scope, device, cookie.DEVICE, int(KNOWN_FOR.total_seconds()))
        return cookie.given(answer, request.scope, secret)

    async def too_often(self, request: Request, name: str) -> bool:
        """Whether somebody tries too often from the address of this request, which is one more try."""
        too_many = self._access.tries.too_many(source_of(request.scope))
        if too_many == 1:
            await self.note(request, name, "refused", why="too many tries")
        return too_many > 0

    async def note(
        self, request: Request, name: str, result: str, what: str = "login", on: str = "", **more: str
    ) -> None:
        """A line for the audit log."""
        event = Event(name[:255], what, on, source=source_of(request.scope), result=result, more=more)
        await run_sync(self._access.log.add, event)
