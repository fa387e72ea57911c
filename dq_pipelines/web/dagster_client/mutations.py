"""The table of Dagster's GraphQL mutations: the name of each in the audit log, and the permissions it needs.

A mutation that is not in this table is refused, so that a new version of Dagster adds none unnoticed. Dagster itself asks
whether the caller has the permission on the tables in question (see `rights`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster._core.definitions.selector import ScheduleSelector, SensorSelector
from dagster._core.remote_representation.external import RemoteSchedule, RemoteSensor
from dagster._core.remote_representation.handle import CompoundID

from dq_pipelines.security.roles import Permission
from dq_pipelines.web.dagster_client.rights import JOBS, CallersContext

Arguments = dict[str, Any]

_LONGEST = 300


@dataclass(frozen=True)
class Mutation:
    """A mutation's entry."""

    #: the event's name in the audit log; "" for a mutation that changes nothing and is not logged
    what: str
    #: the caller needs one of these, on some table at least
    needs: tuple[Permission, ...]
    #: the event's object in the audit log, from context and arguments
    on: Callable[[CallersContext, Arguments], str] = lambda _, __: ""


def _named(*path: str) -> Callable[[CallersContext, Arguments], str]:
    """A function that returns the text at this path of the arguments."""

    def value_at(_: CallersContext, arguments: Arguments) -> str:
        value: Any = arguments
        for name in path:
            value = (value or {}).get(name)
        return str(value or "")[:_LONGEST]

    return value_at


def keys_text(selected: Sequence[Mapping[str, Any]] | None) -> str:
    """The distinct keys of GraphQL's asset selection, separated by commas."""
    return ", ".join(dict.fromkeys("/".join(one["path"]) for one in selected or ()))[:_LONGEST]


def launched(params: Mapping[str, Any] | None) -> str:
    """What `ExecutionParams` launch: the keys of assets, else the job's name."""
    selector = (params or {}).get("selector") or {}
    checks = selector.get("assetCheckSelection") or ()
    keys = keys_text(selector.get("assetSelection")) or keys_text([one["assetKey"] for one in checks])
    return keys or str(selector.get("pipelineName") or selector.get("jobName") or "")


def _relaunched(_: CallersContext, arguments: Arguments) -> str:
    again = arguments.get("reexecutionParams")
    return str(again["parentRunId"]) if again else launched(arguments.get("executionParams"))


def _backfilled(_: CallersContext, arguments: Arguments) -> str:
    params = arguments["backfillParams"]
    by_asset = [one["assetKey"] for one in params.get("partitionsByAssets") or ()]
    keys = keys_text(params.get("assetSelection")) or keys_text(by_asset)
    return keys or str((params.get("selector") or {}).get("partitionSetName") or "")


def stopped(context: CallersContext, arguments: Arguments) -> tuple[RemoteSchedule | RemoteSensor | None, str, str]:
    """The schedule or sensor that a mutation would stop (None if unknown), with the origin id and selector id it gives."""
    ids = {name: value for name, value in arguments.items() if value is not None}
    given = str(ids.get("id") or ids.get("schedule_origin_id") or ids.get("job_origin_id") or "")
    if CompoundID.is_valid_string(given):
        compound = CompoundID.from_string(given)
        origin, selector = compound.remote_origin_id, compound.selector_id
    else:
        origin, selector = given, str(ids.get("schedule_selector_id") or ids.get("job_selector_id") or "")
    for location in context.code_locations:
        for repository in location.get_repositories().values():
            both: list[RemoteSchedule | RemoteSensor] = [*repository.get_schedules(), *repository.get_sensors()]
            for one in both:
                if one.get_remote_origin_id() == origin:
                    return one, origin, selector
    return None, origin, selector


def selector_of(one: RemoteSchedule | RemoteSensor) -> ScheduleSelector | SensorSelector:
    """The selector by which Dagster asks for permissions on it."""
    return one.schedule_selector if isinstance(one, RemoteSchedule) else one.sensor_selector


def _stopped(context: CallersContext, arguments: Arguments) -> str:
    found, origin, _ = stopped(context, arguments)
    return found.name if found else origin


_RUN, _LOOK, _ADMIN = (Permission.RUN,), (Permission.LOOK,), (Permission.ADMIN,)
_CANCEL, _SCHEDULE, _EDIT, _ERASE = (
    (one,) for one in (Permission.CANCEL, Permission.SCHEDULE, Permission.EDIT, Permission.ERASE)
)
#: The launched job decides which of these it needs.
_LAUNCH = (Permission.RUN, *sorted({*JOBS.values()}))

_LAUNCHED = Mutation("launch", _LAUNCH, lambda _, arguments: launched(arguments["executionParams"]))
_RELAUNCHED = Mutation("launch.again", _LAUNCH, _relaunched)
_CANCELLED = Mutation("cancel", _CANCEL, _named("runId"))
_DELETED = Mutation("run.delete", _ERASE, _named("runId"))
_SCHEDULE_NAME, _SENSOR_NAME = ("schedule_selector", "scheduleName"), ("sensor_selector", "sensorName")

MUTATIONS: Mapping[str, Mutation] = {
    "launchRun": _LAUNCHED,
    "launchPipelineExecution": _LAUNCHED,
    "launchMultipleRuns": Mutation("launch", _LAUNCH, lambda _, arguments: "; ".join(map(launched, arguments["executionParamsList"]))[:_LONGEST]),
    "launchRunReexecution": _RELAUNCHED,
    "launchPipelineReexecution": _RELAUNCHED,
    "terminateRun": _CANCELLED,
    "terminatePipelineExecution": _CANCELLED,
    "terminateRuns": Mutation("cancel", _CANCEL, lambda _, arguments: ", ".join(arguments["runIds"])[:_LONGEST]),
    "deleteRun": _DELETED,
    "deletePipelineRun": _DELETED,
    "launchPartitionBackfill": Mutation("backfill", _RUN, _backfilled),
    "resumePartitionBackfill": Mutation("backfill.resume", _RUN, _named("backfillId")),
    "reexecutePartitionBackfill": Mutation("backfill.again", _RUN, _named("reexecutionParams", "parentRunId")),
    "cancelPartitionBackfill": Mutation("backfill.cancel", _CANCEL, _named("backfillId")),
    "startSchedule": Mutation("schedule.on", _SCHEDULE, _named(*_SCHEDULE_NAME)),
    "stopRunningSchedule": Mutation("schedule.off", _SCHEDULE, _stopped),
    "resetSchedule": Mutation("schedule.reset", _SCHEDULE, _named(*_SCHEDULE_NAME)),
    "scheduleDryRun": Mutation("schedule.try", _SCHEDULE, _named("selector_data", "scheduleName")),
    "startSensor": Mutation("sensor.on", _SCHEDULE, _named(*_SENSOR_NAME)),
    "stopSensor": Mutation("sensor.off", _SCHEDULE, _stopped),
    "resetSensor": Mutation("sensor.reset", _SCHEDULE, _named(*_SENSOR_NAME)),
    "setSensorCursor": Mutation("sensor.cursor", _SCHEDULE, _named(*_SENSOR_NAME)),
    "sensorDryRun": Mutation("sensor.try", _SCHEDULE, _named("selector_data", "sensorName")),
    "setAutoMaterializePaused": Mutation("automation.pause", _SCHEDULE, lambda _, arguments: f"paused: {arguments['paused']}"),
    "reloadRepositoryLocation": Mutation("reload", _EDIT, _named("repositoryLocationName")),
    "reloadWorkspace": Mutation("reload", _EDIT),
    "shutdownRepositoryLocation": Mutation("shutdown", _ADMIN, _named("repositoryLocationName")),
    "wipeAssets": Mutation("wipe", _ERASE, lambda _, arguments: keys_text([one["assetKey"] for one in arguments["assetPartitionRanges"]])),
    "reportRunlessAssetEvents": Mutation("report", _ADMIN, lambda _, arguments: keys_text([arguments["eventParams"]["assetKey"]])),
    "reportAssetCheckEvaluations": Mutation("report", _ADMIN, lambda _, arguments: keys_text([arguments["eventParams"]["assetKey"]])),
    "addDynamicPartition": Mutation("partition.add", _ADMIN, _named("partitionKey")),
    "deleteDynamicPartitions": Mutation("partition.delete", _ADMIN, lambda _, arguments: ", ".join(arguments["partitionKeys"])[:_LONGEST]),
    "setAppManagedComponent": Mutation("component.set", _ADMIN, _named("componentId")),
    "deleteAppManagedComponent": Mutation("component.delete", _ADMIN, _named("componentId")),
    "refreshComponentState": Mutation("component.refresh", _ADMIN, _named("defsStateKey")),
    "setConcurrencyLimit": Mutation("pool.limit", _ADMIN, _named("concurrencyKey")),
    "deleteConcurrencyLimit": Mutation("pool.limit", _ADMIN, _named("concurrencyKey")),
    "freeConcurrencySlots": Mutation("pool.free", _ADMIN, _named("runId")),
    "freeConcurrencySlotsForRun": Mutation("pool.free", _ADMIN, _named("runId")),
    # Dagster's telemetry, which stays on this machine, and whether its welcome dialog was seen.
    "logTelemetry": Mutation("", _LOOK),
    "setNuxSeen": Mutation("", _LOOK),
}  # fmt: skip

#: The answer types of a successful mutation. Every other type means that it failed.
DONE = frozenset({
    "LaunchRunSuccess", "LaunchMultipleRunsResult", "ScheduleStateResult", "Sensor", "StopSensorMutationResult",
    "DryRunInstigationTick", "TerminateRunSuccess", "TerminateRunsResult", "DeletePipelineRunSuccess",
    "WorkspaceLocationEntry", "Workspace", "ShutdownRepositoryLocationSuccess", "AssetWipeSuccess",
    "ReportRunlessAssetEventsSuccess", "ReportAssetCheckEvaluationsSuccess", "LaunchBackfillSuccess",
    "ResumeBackfillSuccess", "CancelBackfillSuccess", "LogTelemetrySuccess", "Boolean", "AddDynamicPartitionSuccess",
    "DeleteDynamicPartitionsSuccess", "SetAppManagedComponentSuccess", "DeleteAppManagedComponentSuccess",
    "RefreshComponentStateSuccess", "RefreshComponentStateAccepted",
})  # fmt: skip
