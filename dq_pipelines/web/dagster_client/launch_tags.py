"""Checks the tags and the configuration of a launch, and sets the caller's name and the queueing tags on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_START_TAG

from dq_pipelines.errors import ConfigError
from dq_pipelines.orchestration.runs.run_partition import has_partitions, partitions_of_run
from dq_pipelines.orchestration.runs.run_queue import BEHIND_TAG, TABLE_TAG, TABLES_TAG, queue_tags, run_under_way
from dq_pipelines.orchestration.steps.step import USER_TAG
from dq_pipelines.project import Table
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.dagster_client.rights import JOBS, OF_ONE_TABLE, CallersContext

#: Prefixes of tags that set a run's image and command: whoever sends them can run anything.
_OF_LAUNCHERS = ("dagster-k8s/", "dagster-docker/", "dagster-celery/", "dagster-aws/", "ecs/", "dagster/image")

#: Tags that only the gateway sets.
_OURS = (USER_TAG, TABLE_TAG, TABLES_TAG, BEHIND_TAG)

Tags = list[dict[str, str]]


def launches(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every `ExecutionParams` in the arguments of a mutation."""
    if one := arguments.get("executionParams"):
        yield one
    yield from arguments.get("executionParamsList") or ()


def sign(context: CallersContext, arguments: dict[str, Any]) -> None:
    """Set the caller's name and the queueing tags on all runs and backfills in these arguments, replacing any others."""
    for params in launches(arguments):
        metadata = params["executionMetadata"] = dict(params.get("executionMetadata") or {})
        metadata["tags"] = _signed(context, metadata.get("tags"), _queueing(context, params.get("selector") or {}))
    if again := arguments.get("reexecutionParams"):
        again["extraTags"] = _signed(context, again.get("extraTags"), {})
    if filled := arguments.get("backfillParams"):
        filled["tags"] = _signed(context, filled.get("tags"), _queueing(context, filled))


def _queueing(context: CallersContext, selected: Mapping[str, Any]) -> dict[str, str]:
    """The tags by which the run queues behind others of its tables, with the run that it waits for now."""
    tables = _tables(context, selected)
    # Runs are in order of creation, so the oldest one is ahead of this one.
    ahead = next(filter(None, (run_under_way(context.instance, table) for table in tables)), None)
    return queue_tags([table.name for table in tables]) | ({BEHIND_TAG: ahead.run_id} if ahead else {})


def _tables(context: CallersContext, selected: Mapping[str, Any]) -> list[Table]:
    """The tables of a run or a backfill: those of the selected assets, else that of the job."""
    keys = {"/".join(one["path"]) for one in selected.get("assetSelection") or ()}
    job = str(selected.get("pipelineName") or selected.get("jobName") or "")
    project = context.rights.project
    return [t for t in project if not keys.isdisjoint(t.assets) or (not keys and job == f"table__{t.name}")]


def why_not_launched(context: CallersContext, arguments: Mapping[str, Any]) -> str:
    """A sentence if the caller may not launch with these tags or this configuration; else ""."""
    if not context.rights.may_everywhere(Permission.ADMIN):
        for tag in _tags(arguments):
            if tag.startswith(_OF_LAUNCHERS):
                return f"the tag '{tag}' sets how a run's process is started: only admins may set it"
    for job, config in _configured(context, arguments):
        if job in OF_ONE_TABLE and not context.rights.may_everywhere(JOBS[job]):
            name = _table(job, config)
            table = context.rights.project.tables.get(name)
            if table is None:
                return f"{job}: wanted a table of the project in its configuration, found '{name}'"
            if not context.rights.may(JOBS[job], table.key):
                return context.rights.why_not(JOBS[job], table.key)
    return ""


def why_no_such_range(context: CallersContext, arguments: Mapping[str, Any]) -> str:
    """A sentence if a run is launched over a partition range that none of its tables has; else "".

    Dagster plans each partition of a range before a step of the run can refuse it; for days until 2054, that takes minutes.
    """
    for params in launches(arguments):
        tags = _sent(params)
        if ASSET_PARTITION_RANGE_START_TAG not in tags:
            continue
        selected = [table for table in _tables(context, params.get("selector") or {}) if has_partitions(table)]
        tables, refusals = [table for table in selected if context.rights.may(Permission.RUN, table.key)], []
        for table in tables:
            try:
                partitions_of_run(table, tags, context.instance)
            except ConfigError as error:
                refusals.append(str(error))
        # If only some tables lack the range, their own steps refuse it, and the others run.
        if refusals and len(refusals) == len(tables):
            return refusals[0]
    return ""


def _sent(params: Mapping[str, Any]) -> dict[str, str]:
    tags = (params.get("executionMetadata") or {}).get("tags") or ()
    return {str(one.get("key", "")): str(one.get("value", "")) for one in tags}


def _signed(context: CallersContext, tags: Any, queueing: Mapping[str, str]) -> Tags:
    others = [dict(one) for one in tags or () if one.get("key") not in _OURS]
    ours = context.get_viewer_tags() | dict(queueing)
    return [*others, *({"key": key, "value": value} for key, value in ours.items())]


def _tags(arguments: Mapping[str, Any]) -> Iterator[str]:
    sent = [(params.get("executionMetadata") or {}).get("tags") for params in launches(arguments)]
    sent.append((arguments.get("reexecutionParams") or {}).get("extraTags"))
    sent.append((arguments.get("backfillParams") or {}).get("tags"))
    for tags in sent:
        yield from (str(one.get("key", "")) for one in tags or ())


def _configured(context: CallersContext, arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each job that would be launched, with its configuration; None for a preset, whose configuration is unknown here."""
    for params in launches(arguments):
        selector = params.get("selector") or {}
        config = None if params.get("preset") else params.get("runConfigData")
        yield str(selector.get("pipelineName") or selector.get("jobName") or ""), config
    if again := arguments.get("reexecutionParams"):
        run = context.instance.get_run_by_id(again["parentRunId"])
        if run is not None:
            yield run.job_name, run.run_config


def _table(job: str, config: Any) -> str:
    """The table in a job's configuration; "" for none."""
    if isinstance(config, str):
        try:
            config = yaml.safe_load(config)
        except yaml.YAMLError:
            return ""  # Dagster itself refuses it
    for name in ("ops", f"{job}_rows", "config", "table"):
        config = config.get(name) if isinstance(config, Mapping) else None
    return config if isinstance(config, str) else ""
