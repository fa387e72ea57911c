"""The user of a page, for its header: name, roles, and the addresses of account and logout."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

from dq_pipelines.security.roles import Permission, may
from dq_pipelines.web.auth.access import caller_of


@dataclass(frozen=True)
class Reader:
    """A user who views the page."""

    name: str
    #: the roles as text
    roles: str
    #: whether the user may view all tables
    sees_all: bool
    #: the addresses to log out and of the account page; "" for a program with a key or token
    logout: str = ""
    account: str = ""

    @classmethod
    def of(cls, scope: Scope) -> Reader | None:
        """The user of this request; None while there are no users."""
        caller = caller_of(scope)
        if caller is None:
            return None
        grants = caller.user.grants
        # The dashboard may be mounted below a prefix; logout belongs to the app that mounts it.
        root = scope.get("app_root_path", "")
        own = (f"{root}/logout", f"{root}/account") if caller.csrf is not None else ()
        return cls(caller.user.name, ", ".join(sorted(map(str, grants))), may(grants, Permission.LOOK), *own)
