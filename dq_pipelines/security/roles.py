"""Defines roles, permissions and grants; docs/permissions.md is generated from the table here.

A grant gives a user a role everywhere, or only for one domain or one team. Nobody has a permission without a grant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from dq_pipelines.errors import ConfigError, Problem, nearest


class Permission(StrEnum):
    """What a user may do; the value is the text in the UI."""

    LOOK = "look at tables, runs, verdicts and quarantine"
    RUN = "materialize, run checks, backfill, and run again"
    CANCEL = "cancel runs and backfills"
    SCHEDULE = "turn schedules and sensors on and off"
    HEAL = "correct, replay and dismiss refused rows, and mark anomalies as expected"
    EDIT = "change tables' YAML and reload the code location"
    ERASE = "erase, restore, delete and purge"
    ADMIN = "manage users, keys, the audit log, and everything else in Dagster"


class Role(StrEnum):
    """What a grant gives, from least to most; steward and operator each add other permissions to the viewer's."""

    VIEWER = "viewer"
    STEWARD = "steward"
    OPERATOR = "operator"
    ADMIN = "admin"


_LOOKS = frozenset({Permission.LOOK})

#: The permissions of each role.
PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _LOOKS,
    Role.STEWARD: _LOOKS | {Permission.HEAL},
    Role.OPERATOR: _LOOKS | {Permission.RUN, Permission.CANCEL, Permission.SCHEDULE},
    Role.ADMIN: frozenset(Permission),
}


@dataclass(frozen=True)
class Grant:
    """One role, everywhere or within a scope."""

    role: Role
    #: "" everywhere, `domain:<name>`, or `team:<name>` as tables name their owners
    scope: str = ""

    def covers(self, domain: str | None, owners: Iterable[str]) -> bool:
        """Whether the grant applies to a table of this domain and these owners; `domain` None asks for everything."""
        return not self.scope or (domain is not None and self.scope == f"domain:{domain}") or self.scope in owners

    @property
    def typed(self) -> str:
        """The grant as it is typed, the inverse of `grant_named`: `viewer`, or `operator@domain:retail`."""
        return f"{self.role}@{self.scope}" if self.scope else str(self.role)

    def __str__(self) -> str:
        return f"{self.role} of {self.scope}" if self.scope else str(self.role)


def may(grants: Iterable[Grant], permission: Permission, domain: str | None = None, owners: Iterable[str] = ()) -> bool:
    """Whether one of the grants gives the permission: everywhere, or for this domain and these owners."""
    return any(permission in PERMISSIONS[grant.role] and grant.covers(domain, owners) for grant in grants)


def may_somewhere(grants: Iterable[Grant], permission: Permission) -> bool:
    """Whether one of the grants gives the permission for any scope."""
    return any(permission in PERMISSIONS[grant.role] for grant in grants)


def why_not(grants: Iterable[Grant], permission: Permission, of: str = "") -> str:
    """One sentence for a refusal: the roles that have the permission, and the user's grants; `of` is the requested table."""
    return why_none_of(grants, [permission], str(permission), of)


def why_none_of(grants: Iterable[Grant], permissions: Collection[Permission], what: str, of: str = "") -> str:
    """The same for something that each of several permissions allows, in words."""
    roles = " or ".join(role for role in Role if PERMISSIONS[role].intersection(permissions))
    own = ", ".join(sorted(map(str, grants))) or "nothing"
    return f"to {what}, be {roles}{of and f' of {of}'}; you are {own}"


def role_named(name: str) -> Role:
    """The role of this name; raises ConfigError, with the nearest name, if there is none."""
    try:
        return Role(name)
    except ValueError:
        near = nearest(name, list(Role))
        raise ConfigError([Problem("", 0, f"wanted a role of {', '.join(Role)}, got '{name}'{near}")]) from None


def scope_named(text: str) -> str:
    """The validated scope; raises ConfigError for an invalid one."""
    kind, _, name = text.partition(":")
    if text and (kind not in ("domain", "team") or not name or not name.replace("-", "").replace("_", "").isalnum()):
        raise ConfigError([Problem("", 0, f"wanted a scope such as domain:retail or team:sales, got '{text}'")])
    return text


def grant_named(text: str) -> Grant:
    """The grant of a text such as `viewer` or `operator@domain:retail`; raises ConfigError for an invalid one."""
    role, _, scope = text.partition("@")
    return Grant(role_named(role), scope_named(scope))
