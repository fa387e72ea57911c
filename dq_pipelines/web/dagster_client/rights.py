"""Answers Dagster's permission checks by the gateway's roles and scopes.

Dagster checks a permission globally, for a code location, for an owner, or for one definition. It knows no domains, so a
check for a definition is answered here by the tables of that definition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from dagster import AssetCheckKey, AssetKey
from dagster._core.definitions.selector import JobSelector, ScheduleSelector, SensorSelector
from dagster._core.remote_representation.external import RemoteSchedule, RemoteSensor
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.permissions import LOCATION_SCOPED_PERMISSIONS, PermissionResult, Permissions
from starlette.requests import HTTPConnection

from dq_pipelines.orchestration.steps.step import USER_TAG
from dq_pipelines.project import Project
from dq_pipelines.security.audit import AuditLog, Event
from dq_pipelines.security.roles import Permission, may, may_somewhere
from dq_pipelines.web.auth.access import LOCAL, Caller, caller_of
from dq_pipelines.web.auth.authorization import Rights

#: Dagster's permission -> ours; permissions that are not named need an admin.
RIGHTS: Mapping[str, Permission] = {
    Permissions.LAUNCH_PIPELINE_EXECUTION: Permission.RUN,
    Permissions.LAUNCH_PIPELINE_REEXECUTION: Permission.RUN,
    Permissions.LAUNCH_PARTITION_BACKFILL: Permission.RUN,
    Permissions.TERMINATE_PIPELINE_EXECUTION: Permission.CANCEL,
    Permissions.CANCEL_PARTITION_BACKFILL: Permission.CANCEL,
    Permissions.START_SCHEDULE: Permission.SCHEDULE,
    Permissions.STOP_RUNNING_SCHEDULE: Permission.SCHEDULE,
    Permissions.SCHEDULE_DRY_RUN: Permission.SCHEDULE,
    Permissions.EDIT_SENSOR: Permission.SCHEDULE,
    Permissions.SENSOR_DRY_RUN: Permission.SCHEDULE,
    Permissions.UPDATE_SENSOR_CURSOR: Permission.SCHEDULE,
    Permissions.TOGGLE_AUTO_MATERIALIZE: Permission.SCHEDULE,
    Permissions.RELOAD_REPOSITORY_LOCATION: Permission.EDIT,
    Permissions.RELOAD_WORKSPACE: Permission.EDIT,
    Permissions.DELETE_PIPELINE_RUN: Permission.ERASE,
    Permissions.WIPE_ASSETS: Permission.ERASE,
}

#: The permission to launch each job other than those that materialize, check or tidy up.
JOBS: Mapping[str, Permission] = {
    "quarantine_replay": Permission.HEAL,
    "anomaly_accept": Permission.HEAL,
    "anomaly_reopen": Permission.HEAL,
    # These read and write any file of the server that their configuration names.
    "quarantine_export": Permission.ADMIN,
    "quarantine_import": Permission.ADMIN,
    # What these read or write is the whole installation's.
    "restore_table": Permission.ADMIN,
    "erase_rows": Permission.ADMIN,
    "back_up": Permission.ADMIN,
    "retention": Permission.ERASE,
    "purge_runs": Permission.ERASE,
}
#: The jobs on one table, which their configuration names.
OF_ONE_TABLE = frozenset({"quarantine_replay", "anomaly_accept", "anomaly_reopen"})

_LAUNCHES = (Permissions.LAUNCH_PIPELINE_EXECUTION, Permissions.LAUNCH_PIPELINE_REEXECUTION)

#: What Dagster checks permissions on: an asset, a check of it, a job, a schedule or a sensor.
Selector = AssetKey | AssetCheckKey | JobSelector | ScheduleSelector | SensorSelector


@dataclass(frozen=True)
class AccessContext:
    """The project and the audit log that access checks use."""

    #: the project as its files are now: domains and owners of tables
    project: Callable[[], Project]
    log: AuditLog


class CallersContext(WorkspaceRequestContext):
    """Dagster's context of one request: the workspace, and the caller's permissions."""

    caller: Caller
    rights: Rights
    log: AuditLog
    #: why the last permission check failed; "" if it passed
    why: str = ""
    _lifted: frozenset[str] = frozenset()
    #: rows that this request has shown and not yet logged, by event and object; None once the request has ended
    _shown: Counter[tuple[str, str]] | None = None

    # --- Dagster's checks --------------------------------------------------------------------------

    @property
    def permissions(self) -> Mapping[str, PermissionResult]:
        return {name: self._everywhere(name) for name in Permissions}

    def permissions_for_location(self, *, location_name: str) -> Mapping[str, PermissionResult]:
        return {name: self._everywhere(name) for name in LOCATION_SCOPED_PERMISSIONS}

    def permissions_for_owner(self, *, owner: str) -> Mapping[str, PermissionResult]:
        grants = self.caller.user.grants
        allowed = {name: may(grants, _wanted(name), owners=[owner]) for name in LOCATION_SCOPED_PERMISSIONS}
        return {name: PermissionResult(enabled, None) for name, enabled in allowed.items()}

    def has_permission(self, permission: str) -> bool:
        self._checked_permissions.add(permission)
        found = self._everywhere(permission)
        self.why = found.disabled_reason or ""
        return found.enabled

    def has_permission_for_location(self, permission: str, location_name: str) -> bool:
        return self.has_permission(permission)

    def has_permission_for_selector(self, permission: str, selector: Selector) -> bool:
        self._checked_permissions.add(permission)
        keys = self.tables_of(selector)
        wanted = _wanted(permission)
        if isinstance(selector, JobSelector) and permission in _LAUNCHES and selector.job_name in JOBS:
            wanted = JOBS[selector.job_name]
            if selector.job_name in OF_ONE_TABLE and may_somewhere(self.caller.user.grants, wanted):
                return self._because("")  # its table is checked when it is launched: see `launch_tags`
        return self.may(wanted, keys)

    def viewer_has_any_owner_definition_permissions(self) -> bool:
        return any(grant.scope for grant in self.caller.user.grants)

    def get_viewer_tags(self) -> dict[str, str]:
        return {USER_TAG: self.caller.user.name} if self.caller.user.name else {}

    def get_reporting_user_tags(self) -> dict[str, str]:
        return self.get_viewer_tags()

    @property
    def show_instance_config(self) -> bool:
        return self.rights.may_everywhere(Permission.ADMIN)

    # --- our checks --------------------------------------------------------------------------------

    def may(self, wanted: Permission, keys: Sequence[str]) -> bool:
        """Whether the caller has this permission on all these tables; without any, on every table."""
        return self._because("" if self.rights.may_all(wanted, keys) else self.rights.why_not_all(wanted, keys))

    def tables_of(self, selector: Selector) -> list[str]:
        """The keys of a definition's tables; none for a definition of the whole project, or one that does not exist."""
        if isinstance(selector, AssetCheckKey):
            selector = selector.asset_key
        if isinstance(selector, AssetKey):
            return ["/".join(selector.path)]
        if isinstance(selector, JobSelector):
            return self._tables_of_job(selector.location_name, selector.repository_name, selector.job_name)
        if isinstance(selector, ScheduleSelector):
            schedule = self.get_schedule(selector)
            jobs = [schedule.job_name] if schedule else []
            return self._tables_of_instigator(selector, schedule, jobs)
        sensor = self.get_sensor(selector)
        jobs = [target.job_name for target in sensor.get_targets()] if sensor else []
        return self._tables_of_instigator(selector, sensor, jobs)

    @contextmanager
    def lifting(self, permission: str) -> Iterator[None]:
        """Grant this permission within the block: it was checked for one definition, and Dagster checks it for all."""
        self._lifted = frozenset({permission})
        try:
            yield
        finally:
            self._lifted = frozenset()

    def show(self, what: str, on: str, rows: int) -> None:
        """Log that rows are shown: one line per asset or check, when the request is answered.

        Rows of a subscription come after that, and are logged at once.
        """
        if self._shown is not None:
            self._shown[what, on] += rows
        else:
            self.log.add(self._read(what, on, rows))

    def __enter__(self) -> Self:
        self._shown = Counter()
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        shown, self._shown = self._shown, None
        try:
            # Before anything is sent: rows that cannot be logged are not shown.
            if shown:
                self.log.add(*(self._read(what, on, rows) for (what, on), rows in shown.items()))
        finally:
            super().__exit__(*error)

    # --- internals -----------------------------------------------------------------------------------

    def _read(self, what: str, on: str, rows: int) -> Event:
        return Event(self.caller.user.name, what, on, self.caller.source, more={"rows": rows})

    def _because(self, why: str) -> bool:
        self.why = why
        return not why

    def _everywhere(self, name: str) -> PermissionResult:
        wanted = _wanted(name)
        allowed = name in self._lifted or self.rights.may_everywhere(wanted)
        return PermissionResult(allowed, None if allowed else self.rights.why_not(wanted))

    def _tables_of_job(self, location: str, repository: str, name: str) -> list[str]:
        if not self.has_code_location(location) or not self.get_code_location(location).has_repository(repository):
            return []
        within = self.get_code_location(location).get_repository(repository)
        keys = {*within.get_asset_keys_in_job(name)} | {
            one.asset_key for one in within.get_asset_check_node_snaps(name)
        }
        return sorted("/".join(key.path) for key in keys)

    def _tables_of_instigator(
        self,
        selector: ScheduleSelector | SensorSelector,
        found: RemoteSchedule | RemoteSensor | None,
        jobs: Iterable[str],
    ) -> list[str]:
        keys = {
            key for job in jobs for key in self._tables_of_job(selector.location_name, selector.repository_name, job)
        }
        if found is not None and found.asset_selection is not None:
            keys |= {"/".join(key.path) for key in found.asset_selection.resolve(self.asset_graph)}
        return sorted(keys)


class CallersProcess(WorkspaceProcessContext):
    """Dagster's workspace of this process, which gives each request its caller's context."""

    access: AccessContext

    def create_request_context(self, source: object | None = None) -> CallersContext:
        asking = source if isinstance(source, Caller) else None
        if asking is None and isinstance(source, HTTPConnection):
            asking = caller_of(source.scope)
        context = CallersContext(
            instance=self.instance,
            current_workspace=self.get_current_workspace(),
            process_context=self,
            version=self.version,
            source=source,
            read_only=False,
        )
        context.caller = asking or LOCAL
        context.rights = Rights(None if context.caller == LOCAL else context.caller, self.access.project())
        context.log = self.access.log
        return context


def _wanted(permission: str) -> Permission:
    return RIGHTS.get(permission, Permission.ADMIN)
