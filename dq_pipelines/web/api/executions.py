"""Launches jobs and serves the history of their batches. Permissions are checked here, since Dagster knows no domains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any, Literal

import dagster as dg
from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from dq_pipelines.errors import ConfigError, nearest
from dq_pipelines.history.queries.last_runs import BatchSummary, last_runs
from dq_pipelines.orchestration.runs.run_partition import partition_tags, partitions_of_run, range_ends
from dq_pipelines.orchestration.runs.run_queue import BEHIND_TAG
from dq_pipelines.pipeline.bronze.input_partitions import partition_of
from dq_pipelines.project import DailyPartitions, DynamicPartitions, Table
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Asker, Behind, Dagster, refusal, somewhere
from dq_pipelines.web.api.idempotency import IdempotentRequests, KeyReused, RequestUnderWay, mark_of
from dq_pipelines.web.api.jobs import Files, JobName, file_of
from dq_pipelines.web.api.paging import NUMBERED, Cursor, Limit, Page, cursor_of, place_in
from dq_pipelines.web.api.texts import Text
from dq_pipelines.web.api.verdicts import VerdictCounts
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.dagster_client import DagsterHost
from dq_pipelines.web.dagster_client.launching import Launch
from dq_pipelines.web.dashboard.table_files import TableFiles
from dq_pipelines.web.problem_details import ApiError, in_lines, problems

router = APIRouter(tags=["jobs"])

#: The run tag with a digest of the request's idempotency key.
KEY_TAG = "dq/idempotency_key"

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="A request that is repeated with the same key within a day starts only one run.",
        examples=["9f6b6d0e"],
    ),
]


class Execution(BaseModel):
    """The mode and the partition in which a job runs."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"mode": "incremental"}]})

    mode: Literal["incremental", "rerun"] = Field(
        "incremental", description="Judge only new rows, or all rows of bronze (or of the partition) again."
    )
    partition: Text | None = Field(
        None,
        description="A partition of a partitioned table, or `<first>...<last>`: all partitions in this range, one after the other.",
        examples=["2026-11-01"],
    )


class Launched(BaseModel):
    """The launched run."""

    run_id: str
    status: str = Field(examples=["QUEUED"])
    job: str = Field(examples=["sales"])
    link: str = Field(description="The address of the run in Dagster's UI.")
    waits_behind: str | None = Field(
        description="The run of the same table that is under way: the new run waits in the queue until it has ended."
    )


class JobRun(VerdictCounts):
    """The outcome of one batch of a job."""

    status: str | None = Field(None, description="Dagster's status of the run; null if Dagster no longer knows it.")
    at: datetime = Field(validation_alias="started_at", description="When judging began.")
    duration_seconds: float
    rules: int = Field(description="The number of judged checks.")
    failed: int


@router.post(
    "/jobs/{name}/execute",
    summary="Run a job",
    operation_id="execute_job",
    status_code=202,
    responses=problems(404, 409, 413, 422, 502, 503),
    dependencies=[Depends(somewhere(Permission.RUN))],
)
def execute(
    name: JobName,
    files: Files,
    behind: Behind,
    dagster: Dagster,
    caller: Asker,
    request: Request,
    response: Response,
    wanted: Execution | None = None,
    key: Key = None,
) -> Launched:
    how = wanted or Execution()
    table = _runnable(files, name, request)
    _check(table, how, dagster.instance)
    mark = mark_of(caller.user.name, table.key, key) if key is not None else None

    def launch() -> str:
        return _launch(table, how, mark).submit(caller, dagster)

    run_id = launch() if mark is None else _once(behind, dagster, mark, mark_of(how.model_dump()), launch)
    run = dagster.instance.get_run_by_id(run_id)
    response.headers["Location"] = f"/api/v1/runs/{run_id}"
    link = f"{behind.site.dagster_url}/runs/{run_id}"
    return Launched(
        run_id=run_id,
        status=run.status.value if run else "NOT_STARTED",
        job=name,
        link=link,
        waits_behind=run.tags.get(BEHIND_TAG) if run else None,
    )


@router.get(
    "/jobs/{name}/history",
    summary="The outcomes of a job's batches, newest first",
    operation_id="job_history",
    responses=problems(404, 422, 503),
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def history(name: JobName, files: Files, behind: Behind, limit: Limit = 50, cursor: Cursor = None) -> Page[JobRun]:
    before = place_in(NUMBERED, cursor)
    file = file_of(files, name)
    table = files.table(file)
    key = table.key if table else f"{'gold' if 'gold' in file.raw else 'silver'}/{name}"
    found = last_runs(behind.site.stores.history, [key], limit + 1, before)
    statuses = _statuses(behind, found[:limit])
    items = [
        JobRun.model_validate(one).model_copy(update={"status": statuses.get(one.run_id)}) for one in found[:limit]
    ]
    return Page(items=items, next=cursor_of(found[limit - 1].id) if len(found) > limit else None)


def _runnable(files: TableFiles, name: str, request: Request) -> Table:
    file = file_of(files, name)
    if not files.may(Permission.RUN, file):
        raise refusal(request, "job.execute", name, files.why_not(Permission.RUN, file))
    table = files.table(file)
    if table is None:
        raise ApiError(409, f"{name} cannot run while the project has mistakes: {'; '.join(files.problems)}")
    return table


def _check(table: Table, how: Execution, instance: dg.DagsterInstance) -> None:
    """Raise ApiError (422), with all mistakes, unless the table can run in this mode and partition."""
    partitions = None if table.is_gold else table.landed.partitions
    wrong = []
    if table.is_gold and how.mode != "incremental":
        wrong.append(f"body.mode: {table.key} is computed again by each run: wanted no mode, got {how.mode}")
    if partitions is None and how.partition is not None:
        wrong.append(f"body.partition: {table.key} has no partitions: wanted none, got '{how.partition}'")
    if partitions is not None and how.partition is None:
        wrong.append(f"body.partition: {table.key} runs by partition: wanted one, or a range, got none")
    if partitions is not None and how.partition is not None:
        problems_of = (
            _wrong_partition(table, partitions, partition, instance) for partition in range_ends(how.partition)
        )
        wrong += [f"body.partition: {problem}" for problem in problems_of if problem]
        if not wrong:
            try:
                partitions_of_run(table, partition_tags(how.partition), instance)
            except ConfigError as error:
                wrong.append(f"body.partition: {error}")
    if wrong:
        raise ApiError(422, in_lines(wrong))


def _wrong_partition(
    table: Table, partitions: DailyPartitions | DynamicPartitions, wanted: str, instance: dg.DagsterInstance
) -> str:
    """A sentence about an invalid partition name; "" for a valid one."""
    if isinstance(partitions, DailyPartitions):
        return _wrong_day(partitions, wanted)
    return _wrong_file(table, partitions, wanted, instance)


def _wrong_day(partitions: DailyPartitions, wanted: str) -> str:
    last = datetime.now(UTC).date()
    try:
        day = date.fromisoformat(wanted)
    except ValueError:
        day = date.min
    if partitions.start <= day <= last and wanted == day.isoformat():
        return ""
    return f"wanted a day of {partitions.start} to {last}, such as {last}, got '{wanted}'"


def _wrong_file(table: Table, partitions: DynamicPartitions, wanted: str, instance: dg.DagsterInstance) -> str:
    """A sentence if there is no such file; "" otherwise. A landed file that the sensor has not seen is added as a partition."""
    name = f"{table.name}_files"
    known = set(instance.get_dynamic_partitions(name))
    if wanted in known:
        return ""
    landed = {partition_of(item.uri, partitions) for item in table.landed.source.inputs()}
    if wanted not in landed:
        near = nearest(wanted, known | {key for key in landed if key})
        return f"{table.key} has no file of this name: got '{wanted}'{near}"
    instance.add_dynamic_partitions(name, [wanted])
    return ""


def _launch(table: Table, how: Execution, mark: str | None) -> Launch:
    config: Mapping[str, Any] = {} if table.is_gold else {"ops": {table.name: {"config": {"mode": how.mode}}}}
    return Launch(
        assets=table.assets,
        config=config,
        tags=partition_tags(how.partition) | ({} if mark is None else {KEY_TAG: mark}),
    )


_idempotency = cache(IdempotentRequests)


def _once(behind: Backend, dagster: DagsterHost, mark: str, asked: str, launch: Callable[[], str]) -> str:
    def launched() -> str | None:
        runs = dagster.instance.get_runs(dg.RunsFilter(tags={KEY_TAG: mark}), limit=1)
        return runs[0].run_id if runs else None

    try:
        return _idempotency(behind.site.stores.history.url).run_once(mark, asked, launch, launched)
    except KeyReused:
        raise ApiError(409, "Idempotency-Key: wanted a new key, got one of another request") from None
    except RequestUnderWay:
        raise ApiError(409, "Idempotency-Key: the same request is under way: try again later") from None


def _statuses(behind: Backend, lines: Sequence[BatchSummary]) -> Mapping[str, str]:
    """Run id -> status, for runs that Dagster still knows."""
    if behind.dagster is None or not lines:
        return {}
    runs = behind.dagster.instance.get_runs(dg.RunsFilter(run_ids=list({line.run_id for line in lines})))
    return {run.run_id: run.status.value for run in runs}
