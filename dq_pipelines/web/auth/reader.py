"""The user of a page, and the bar that they see: name, roles, and the addresses of account and logout."""

from __future__ import annotations

from starlette.types import Scope

from dq_pipelines.security.roles import Permission, may
from dq_pipelines.web.auth.access import caller_of
from dq_pipelines.web.auth.authorization import may_open_of
from dq_pipelines.web.navigation import Bar, Reader, Section


def reader_of(scope: Scope) -> Reader | None:
    """The user of this request; None while there are no users."""
    caller = caller_of(scope)
    if caller is None:
        return None
    grants = caller.user.grants
    # The page may be mounted below a prefix; logout belongs to the app that mounts it.
    root = scope.get("app_root_path", "")
    own = (f"{root}/logout", f"{root}/account") if caller.csrf is not None else ()
    return Reader(caller.user.name, ", ".join(sorted(map(str, grants))), may(grants, Permission.LOOK), *own)


def bar_of(scope: Scope, console: str, *, dagster: str, hosts_dagster: bool, current: Section | None = None) -> Bar:
    """The bar of a page for the caller of this request; see `Bar.of`."""
    return Bar.of(
        console, reader_of(scope), may_open_of(scope), dagster=dagster, hosts_dagster=hosts_dagster, current=current
    )
