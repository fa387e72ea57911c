"""Answers what a caller may do with each table of a project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from starlette.types import Scope

from dq_pipelines.project import Project, Table
from dq_pipelines.security.roles import Permission, may, may_somewhere, why_not
from dq_pipelines.web.auth.access import Caller, caller_of
from dq_pipelines.web.navigation import Section


@dataclass(frozen=True)
class Rights:
    """A caller's rights on the tables of a project, by key in any layer: `bronze/sales`, `gold/by_shop`.

    An unknown key has no domain and no owners: it needs the right on all tables. Without a caller (there are no users yet),
    everything may be viewed and nothing changed.
    """

    caller: Caller | None
    project: Project

    @classmethod
    def of(cls, scope: Scope, project: Project) -> Rights:
        """The rights of the caller of this request."""
        return cls(caller_of(scope), project)

    def may(self, permission: Permission, key: str) -> bool:
        """Whether the caller has this permission on this table."""
        if self.caller is None:
            return permission is Permission.LOOK
        table = self._table(key)
        if table is not None:
            return may(self.caller.user.grants, permission, table.domain, table.model.owners)
        left_out = self.project.left_out_by_key(key)
        if left_out is None:
            return self.may_everywhere(permission)
        return may(self.caller.user.grants, permission, left_out.domain, left_out.owners)

    def may_everywhere(self, permission: Permission) -> bool:
        """Whether the caller has this permission on every table, and on what concerns no table."""
        return permission is Permission.LOOK if self.caller is None else may(self.caller.user.grants, permission)

    def may_all(self, permission: Permission, keys: Sequence[str]) -> bool:
        """Whether the caller has this permission on each of these tables; without any, on all tables."""
        return all(self.may(permission, key) for key in keys) if keys else self.may_everywhere(permission)

    def why_not_all(self, permission: Permission, keys: Sequence[str]) -> str:
        """A sentence for a refusal, about the first of these tables without the permission."""
        return self.why_not(permission, next((key for key in keys if not self.may(permission, key)), ""))

    def sees(self, key: str) -> bool:
        """Whether the caller may view this table."""
        return self.may(Permission.LOOK, key)

    @property
    def seen(self) -> frozenset[str] | None:
        """The published tables that the caller may view; None for all, even those that are no longer in the project."""
        if self.may_everywhere(Permission.LOOK):
            return None
        return frozenset(self.those([*(t.key for t in self.project), *(one.key for one in self.project.left_out)]))

    def those(self, keys: Iterable[str], permission: Permission = Permission.LOOK) -> list[str]:
        """The tables among `keys` on which the caller has this permission, in their order."""
        return [key for key in keys if self.may(permission, key)]

    def why_not(self, permission: Permission, key: str = "") -> str:
        """A sentence for a refusal: who has this permission on this table (or on all), and which roles the caller has."""
        if self.caller is None:
            return f"to {permission}, log in; if there are no users yet, by the link that dq serve printed"
        return why_not(self.caller.user.grants, permission, of=key or "every table")

    def _table(self, key: str) -> Table | None:
        table = self.project.tables.get(key.partition("/")[2])
        # History may know a gold table by the name that a landed table has now: these are different tables.
        return table if table is not None and key in table.keys else None


def may_open_of(scope: Scope) -> Callable[[Section], bool]:
    """Tells which sections the caller of this request may open; without any users, everybody only looks."""
    caller = caller_of(scope)
    if caller is None:
        return lambda section: section.permission is Permission.LOOK
    grants = caller.user.grants
    return lambda section: (may if section.everywhere else may_somewhere)(grants, section.permission)
