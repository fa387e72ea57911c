"""Collects the content of the admin pages: health, users, API keys, the audit log, and maintenance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Protocol
from urllib.parse import urlencode

from dq_pipelines.doctor.examinations import EXAMINATIONS, Diagnosis, diagnose
from dq_pipelines.doctor.storage import StoragePlace, storage_of
from dq_pipelines.security.audit import Event
from dq_pipelines.security.audit_search import AuditQuery, latest
from dq_pipelines.security.keys import Key
from dq_pipelines.security.roles import Role
from dq_pipelines.security.users import User
from dq_pipelines.web.auth.access import Access
from dq_pipelines.web.dashboard.site import Site

#: Lines of one page of the audit log.
_LINES = 100
#: The packages whose versions are shown.
_PACKAGES = (
    "dq_pipelines",
    "dagster",
    "dagster-webserver",
    "polars",
    "deltalake",
    "great-expectations",
    "pyarrow",
    "duckdb",
)


class HealthProblem(Protocol):
    """What is wrong with one part of the service."""

    @property
    def part(self) -> str: ...

    @property
    def said(self) -> str: ...

    @property
    def since(self) -> float | None: ...

    @property
    def is_grave(self) -> bool: ...


@dataclass(frozen=True)
class Administration:
    """What the admin pages show of the server."""

    access: Access
    #: the parts that are checked
    parts: Callable[[], Sequence[str]]
    #: what is wrong now; it blocks
    problems: Callable[[], Sequence[HealthProblem]]


@dataclass(frozen=True)
class HealthPage:
    """The health of each part, and the versions."""

    problems: Sequence[HealthProblem]
    parts: Sequence[str]
    versions: Mapping[str, str]
    tab: str = "health"

    def of(self, part: str) -> list[HealthProblem]:
        return [one for one in self.problems if one.part == part]


@dataclass(frozen=True)
class UserRow:
    """A user with state."""

    user: User
    has_second_factor: bool
    logins: int

    @property
    def grants(self) -> str:
        """The grants as they are typed."""
        return ", ".join(one.typed for one in sorted(self.user.grants, key=str))


@dataclass(frozen=True)
class UsersPage:
    """All users."""

    rows: Sequence[UserRow]
    roles: Sequence[str]
    #: the scopes that a role can have: domains and teams of the project
    scopes: Sequence[str]
    tab: str = "users"


@dataclass(frozen=True)
class KeysPage:
    """All API keys, the newest first."""

    keys: Sequence[Key]
    users: Sequence[str]
    tab: str = "keys"


@dataclass(frozen=True)
class AuditPage:
    """A page of the audit log."""

    lines: Sequence[tuple[int, Event]]
    asked: Mapping[str, str]
    #: the address of the next page; "" on the last one
    next: str
    #: what is wrong with the filters; "" for nothing
    note: str = ""
    tab: str = "audit"


@dataclass(frozen=True)
class MaintenancePage:
    """Where data is kept, the channels of alerts, the jobs that tend the installation, and what an examination found."""

    storage: Sequence[StoragePlace]
    channels: Sequence[str]
    #: jobs of this project, each with what it does
    jobs: Mapping[str, str]
    #: None if no examination was asked for
    findings: Sequence[Diagnosis] | None
    #: the number of examinations
    examinations: int = len(EXAMINATIONS)
    tab: str = "maintenance"


def health_page(administration: Administration) -> HealthPage:
    return HealthPage(administration.problems(), administration.parts(), {name: version(name) for name in _PACKAGES})


def users_page(administration: Administration, scopes: Sequence[str]) -> UsersPage:
    access = administration.access
    with_factor = access.second_factor.names()
    rows = [UserRow(user, user.name in with_factor, len(access.open_sessions(user))) for user in access.users.all()]
    return UsersPage(rows, list(Role), scopes)


def keys_page(administration: Administration) -> KeysPage:
    access = administration.access
    return KeysPage(access.keys.all()[::-1], [user.name for user in access.users.all() if not user.disabled])


def audit_page(administration: Administration, asked: Mapping[str, str]) -> AuditPage:
    """The page for these query parameters: `who`, `what`, `on`, `result`, and `before` for the next page."""
    given = {name: asked.get(name, "") for name in ("who", "what", "on", "result")}
    before = asked.get("before", "")
    query = AuditQuery(**{name: value or None for name, value in given.items()}, since=_moment(asked.get("since", "")))
    lines = latest(
        administration.access.log, query, _LINES + 1, int(before) if before.isdigit() and len(before) < 10 else None
    )
    given["since"] = asked.get("since", "")
    note = ""
    if given["since"] and query.since is None:
        note = f"Since: wanted a day or time such as 2026-11-01, got '{given['since'][:40]}'. All events are listed."
    more = (
        "?" + urlencode({**{k: v for k, v in given.items() if v}, "before": lines[_LINES - 1][0]})
        if len(lines) > _LINES
        else ""
    )
    return AuditPage(lines[:_LINES], given, more, note)


def maintenance_page(site: Site, *, examine: bool) -> MaintenancePage:
    """The page; with `examine`, after an examination of the whole installation, which takes minutes for a large lake."""
    installation, project = site.installation(), site.known().project
    jobs = {}
    if len(project):
        jobs["upkeep"] = "Compacts small files, and removes files of old versions"
    if project.with_retention:
        jobs["retention"] = "Deletes rows that are older than their table's retention"
    if project.settings.run_history is not False:
        jobs["purge_runs"] = "Removes old runs from Dagster's records"
    alerts = project.settings.alerts
    return MaintenancePage(
        storage_of(installation),
        list(alerts.to) if alerts is not None else [],
        jobs,
        list(diagnose(installation)) if examine else None,
    )


def _moment(text: str) -> datetime | None:
    """The moment of a day or time in UTC; None for another text."""
    try:
        return datetime.fromisoformat(f"{text}+00:00" if "T" in text else f"{text}T00:00:00+00:00")
    except ValueError:
        return None
