"""Lists runs with the outcomes of their batches, and cancels them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES, RunRecord
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field, StringConstraints, TypeAdapter

from dq_pipelines.errors import nearest
from dq_pipelines.history.store.records import VerdictRecord
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.orchestration.runs.run_partition import partition_label
from dq_pipelines.orchestration.steps.step import USER_TAG
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Asker, Behind, Dagster, Own, refusal, somewhere
from dq_pipelines.web.api.paging import Cursor, Limit, Page, cursor_of, place_in
from dq_pipelines.web.api.texts import Moment, Text
from dq_pipelines.web.api.verdicts import VerdictCounts
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.dagster_client import DagsterHost
from dq_pipelines.web.dagster_client.run_list import RunQuery, runs_page
from dq_pipelines.web.dagster_client.run_tables import may, mode_of, tables_of
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(tags=["runs"])

RUN_ID = "6a0b8f6e-4b0e-4c0d-9a53-0f7f6f2b9d11"
RunId = Annotated[str, Path(max_length=64, pattern="^[0-9A-Za-z-]+$", examples=[RUN_ID], description="Dagster's id.")]
Status = Literal[
    "QUEUED", "NOT_STARTED", "STARTING", "STARTED", "SUCCESS", "FAILURE", "CANCELING", "CANCELED", "MANAGED", "SUSPENDED"
]  # fmt: skip


class RunLine(BaseModel):
    """A run."""

    run_id: str = Field(examples=[RUN_ID])
    id: str = Field(description="The same as `run_id`, for earlier clients.", examples=[RUN_ID], deprecated=True)
    job: str = Field(description="`__ASSET_JOB` for a selection of assets.", examples=["domain__retail"])
    status: Status
    tables: Sequence[str] = Field(description="The keys of its tables.", examples=[["bronze/sales", "silver/sales"]])
    user: str | None = Field(description="The user who launched it.", examples=["ann"])
    by: str | None = Field(description="The schedule, sensor or backfill that launched it.", examples=["sales_arrival"])
    mode: str | None = Field(description="The mode in its configuration.", examples=["incremental"])
    partition: str | None = Field(
        description="Its partition, or `<first>...<last>` for a range.", examples=["2026-11-01"]
    )
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    link: str = Field(description="Its address in Dagster's UI.", examples=[f"/runs/{RUN_ID}"])


class RunBatch(VerdictCounts):
    """The outcome of one batch of one table in a run."""

    table: str = Field(examples=["silver/sales"])
    checks_passed: int
    checks_failed: int
    seconds: float


class RunDetail(RunLine):
    """A run with the outcomes of its batches from history."""

    rows_in: int
    published: int
    refused: int
    dropped: int
    checks_passed: int
    checks_failed: int
    batches: Sequence[RunBatch] = Field(description="The verdicts of the run, in order.")


class RunFilter(BaseModel):
    """Filters for the list of runs; by default all runs."""

    status: Annotated[list[Status], Field(description="Runs with one of these statuses.")] = []
    job: Text | None = Field(None, description="Runs of this job.", examples=["checks__sales"])
    table: Text | None = Field(None, description="Runs of this table, by key.", examples=["silver/sales"])
    user: Text | None = Field(None, description="Runs launched by this user.", examples=["ann"])
    partition: Text | None = Field(None, description="Runs of this partition.")
    created_after: Moment | None = None
    created_before: Moment | None = None

    def query(self) -> RunQuery:
        """The filter for Dagster's records."""
        return RunQuery(
            statuses=[dg.DagsterRunStatus(status) for status in self.status],
            **self.model_dump(exclude={"status"}),
        )


@router.get(
    "/runs",
    summary="Runs, newest first",
    description="A caller whose rights have a scope sees only runs of tables in it. Such a page, and one with the filter `table`, "
    "may have fewer items than `limit` before the last page: read until `next` is null.",
    operation_id="runs",
    responses=problems(422, 503),
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def runs(
    behind: Behind,
    dagster: Dagster,
    rights: Own,
    wanted: Annotated[RunFilter, Query()],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[RunLine]:
    if wanted.table is not None:
        _must_be_known(rights, wanted.table)
    records, after = runs_page(dagster.instance, rights, wanted.query(), limit, place_in(_PLACE, cursor))
    where = behind.site.dagster_url  # which looks whether the project's files have changed: once a page
    items = [RunLine.model_validate(_line(record, rights, where)) for record in records]
    return Page(items=items, next=cursor_of([after[0], after[1].isoformat()]) if after else None)


@router.get(
    "/runs/{id}",
    summary="A run with the outcomes of its batches",
    operation_id="run",
    responses=problems(404, 422, 503),
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def run(id: RunId, behind: Behind, dagster: Dagster, rights: Own) -> RunDetail:
    record = seen(dagster.instance, rights, id)
    counts = _counts(behind.site.stores.history, rights, id)
    return RunDetail.model_validate(_line(record, rights, behind.site.dagster_url) | counts)


@router.post(
    "/runs/{id}/cancel",
    summary="Cancel a run",
    description="What the run has published is kept; it publishes nothing more. "
    "A starting run is cancelled once it has started. The run ends shortly after the answer: read it again for its status.",
    operation_id="cancel_run",
    status_code=202,
    responses=problems(404, 409, 422, 502, 503),
    dependencies=[Depends(somewhere(Permission.CANCEL))],
)
def cancel(id: RunId, request: Request, caller: Asker, behind: Behind, dagster: Dagster, rights: Own) -> RunLine:
    record = seen(dagster.instance, rights, id)
    if not may(rights, Permission.CANCEL, record.dagster_run):
        of = ", ".join(tables_of(record.dagster_run, rights.project))
        raise refusal(request, "cancel", id, rights.why_not(Permission.CANCEL, of))
    status = _begun(dagster.instance, record.dagster_run)
    if status in FINISHED_STATUSES:
        raise ApiError(409, f"run {id} has ended: it is {status.value}")
    if status != dg.DagsterRunStatus.CANCELING:
        said = dagster.ask(caller, _CANCEL, {"id": id})["terminateRun"]  # the mutation's guard logs it
        if said["__typename"] != "TerminateRunSuccess":
            raise ApiError(409, f"run {id} was not cancelled: {said.get('message') or said['__typename']}")
    return RunLine.model_validate(_line(seen(dagster.instance, rights, id), rights, behind.site.dagster_url))


_STARTING = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING)
#: Seconds to wait for a starting run.
_STARTS = 20.0


def _begun(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    """Wait until the run is no longer starting, and return its status: Dagster cannot cancel a starting run."""
    until = time.monotonic() + _STARTS
    while run.status in _STARTING and time.monotonic() < until:
        time.sleep(0.1)
        run = instance.get_run_by_id(run.run_id) or run
    return run.status


_CANCEL = """
mutation Cancel($id: String!) {
  terminateRun(runId: $id) {
    __typename
    ... on TerminateRunFailure { message }
    ... on UnauthorizedError { message }
    ... on PythonError { message }
  }
}
"""


def seen(instance: dg.DagsterInstance, rights: Rights, id: str) -> RunRecord:
    """The run. Raises ApiError (404) if there is none that the caller may view."""
    record = instance.get_run_record_by_id(id)
    if record is None or not may(rights, Permission.LOOK, record.dagster_run):
        raise ApiError(404, f"unknown run {id}")
    return record


def launched(dagster: DagsterHost, rights: Rights, behind: Backend, response: Response, id: str) -> RunLine:
    """A run that was just launched, for an answer 202 with its location."""
    record = dagster.instance.get_run_record_by_id(id)
    if record is None:
        raise ApiError(502, f"Dagster launched run {id}, but has no record of it")
    response.headers["Location"] = f"/api/v1/runs/{id}"
    return RunLine.model_validate(_line(record, rights, behind.site.dagster_url))


#: A run and its time of creation.
_Place = tuple[Annotated[str, StringConstraints(pattern="^[0-9A-Za-z-]{1,64}$")], Moment]
_PLACE: TypeAdapter[_Place] = TypeAdapter(_Place)


def _must_be_known(rights: Rights, key: str) -> None:
    if not rights.sees(key):
        seen_keys = rights.those(key for table in rights.project for key in table.keys)
        raise ApiError(404, f"unknown table '{key}'{nearest(key, seen_keys)}")


def _line(record: RunRecord, rights: Rights, dagster_url: str) -> dict[str, object]:
    of = record.dagster_run
    launched = (of.tags.get(name) for name in ("dagster/schedule_name", "dagster/sensor_name", "dagster/backfill"))
    return {
        "run_id": of.run_id,
        "id": of.run_id,
        "job": of.job_name,
        "status": of.status.value,
        "tables": tables_of(of, rights.project),
        "user": of.tags.get(USER_TAG),
        "by": next(filter(None, launched), None),
        "mode": mode_of(of),
        "partition": partition_label(of.tags),
        "created_at": record.create_timestamp,
        "started_at": record.start_time and datetime.fromtimestamp(record.start_time, UTC),
        "ended_at": record.end_time and datetime.fromtimestamp(record.end_time, UTC),
        "link": f"{dagster_url}/runs/{of.run_id}",
    }


def _counts(history: History, rights: Rights, id: str) -> dict[str, object]:
    verdicts = history.of_run(id) if history.is_begun else []
    batches = [_batch(one) for one in verdicts if rights.sees(one.table)]
    names = ("rows_in", "published", "refused", "dropped", "checks_passed", "checks_failed")
    return {name: sum(getattr(batch, name) for batch in batches) for name in names} | {"batches": batches}


def _batch(of: VerdictRecord) -> RunBatch:
    passed = sum(result.success for result in of.results)
    return RunBatch(
        **VerdictCounts.model_validate(of).model_dump(),
        table=of.table,
        checks_passed=passed,
        checks_failed=len(of.results) - passed,
        seconds=of.duration_seconds,
    )
