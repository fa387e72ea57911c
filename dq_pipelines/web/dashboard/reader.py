"""Who reads a page, for its header: by which name and roles, and where to log out. What they see is said in `request_context`."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

from dq_pipelines.security.roles import Permission, may
from dq_pipelines.web.auth.access import caller_of


@dataclass(frozen=True)
class Reader:
    """Somebody who is logged in."""

    name: str
    #: what they are, in words
    roles: str
    #: whether they may look at all tables
    sees_all: bool
    #: where to log out, and to see to one's account; "" for a program with a key, which never logged in
    logout: str = ""
    account: str = ""

    @classmethod
    def of(cls, scope: Scope) -> Reader | None:
        """Whoever sent this request; None where nobody is asked to log in."""
        caller = caller_of(scope)
        if caller is None:
            return None
        grants = caller.user.grants
        # The dashboard is mounted somewhere; logging out is a matter of the site that it is mounted in.
        root = scope.get("app_root_path", "")
        own = (f"{root}/logout", f"{root}/account") if caller.csrf is not None else ()
        return cls(caller.user.name, ", ".join(sorted(map(str, grants))), may(grants, Permission.LOOK), *own)
