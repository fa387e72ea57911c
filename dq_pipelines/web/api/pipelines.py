"""Runs of pipelines by the names that other orchestrators' clients use; a pipeline is a job here."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ConfigDict, Field

from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Asker, Behind, Dagster, Own, somewhere
from dq_pipelines.web.api.executions import Execution, Key, Launched, execute
from dq_pipelines.web.api.jobs import Files
from dq_pipelines.web.api.runs import RunDetail, RunId
from dq_pipelines.web.api.runs import run as run_of
from dq_pipelines.web.api.texts import Text
from dq_pipelines.web.problem_details import problems

router = APIRouter(tags=["pipelines"])


class PipelineExecution(Execution):
    """Which pipeline runs, and how."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"pipeline": "sales"}]})

    pipeline: Text = Field(description="The table's name.", examples=["sales"])


@router.post(
    "/pipelines/run",
    summary="Run a pipeline",
    description="The same as `POST /jobs/{name}/execute`, with the name in the body.",
    operation_id="run_pipeline",
    status_code=202,
    responses=problems(404, 409, 413, 422, 502, 503),
    dependencies=[Depends(somewhere(Permission.RUN))],
)
def run(
    wanted: PipelineExecution,
    files: Files,
    behind: Behind,
    dagster: Dagster,
    caller: Asker,
    request: Request,
    response: Response,
    key: Key = None,
) -> Launched:
    how = Execution(mode=wanted.mode, partition=wanted.partition)
    return execute(wanted.pipeline, files, behind, dagster, caller, request, response, how, key)


@router.get(
    "/pipelines/status/{id}",
    summary="The status of a pipeline's run",
    description="The same as `GET /runs/{id}`.",
    operation_id="pipeline_status",
    responses=problems(404, 422, 503),
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def status(id: RunId, behind: Behind, dagster: Dagster, rights: Own) -> RunDetail:
    return run_of(id, behind, dagster, rights)
