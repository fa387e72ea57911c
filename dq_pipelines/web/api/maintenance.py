"""Examines the installation, measures its storage, and starts the jobs that tend it. For admins of all tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from dq_pipelines.doctor.examinations import EXAMINATIONS, diagnose
from dq_pipelines.doctor.storage import storage_of
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Asker, Behind, Dagster, everywhere, note, refusals_noted
from dq_pipelines.web.dagster_client import DagsterError
from dq_pipelines.web.dagster_client.launching import Launch
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(prefix="/maintenance", tags=["maintenance"], dependencies=[Depends(everywhere(Permission.ADMIN))])

#: The jobs that tend the installation; a project may lack some of them.
Job = Literal["upkeep", "retention", "purge_runs"]


class Finding(BaseModel):
    """A problem of the installation."""

    examination: str = Field(examples=["disk"])
    severity: Literal["error", "warning", "info"]
    place: str = Field(examples=["silver/sales"])
    said: str = Field(description="What was found, and what it means.")
    remedy: str
    repairable: bool = Field(description="Whether a repair is safe: it never deletes what may be the only copy.")
    repaired: str = Field(description="What a repair did; empty if none was asked for.")
    not_repaired: str = Field(description="Why a repair failed.")


class Examination(BaseModel):
    """The outcome of all examinations."""

    examinations: Sequence[str] = Field(examples=[["configuration", "disk"]])
    errors: int
    findings: Sequence[Finding]
    sentence: str = Field(description="The outcome in words.", examples=["17 examinations, no finding"])


class Examine(BaseModel):
    """How to examine."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"repair": False}]})

    repair: bool = Field(False, description="Repair what is safe to repair.")


class Storage(BaseModel):
    """One place in which the installation keeps data."""

    name: str = Field(examples=["lake"])
    where: str = Field(description="A path, or an address without its password.")
    bytes: int | None = Field(description="The size of its files; null if it is not on a disk of this server.")
    partial: bool = Field(description="Whether it has more files than are counted.")
    free: int | None = Field(description="Free bytes of its disk.")
    total: int | None = Field(description="All bytes of its disk.")


class StoragePlaces(BaseModel):
    """All places."""

    items: Sequence[Storage]


class JobRequest(BaseModel):
    """A job to start."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"job": "upkeep"}]})

    job: Job
    dry_run: bool = Field(False, description="Of `purge_runs`: count the runs in the run's log, and remove none.")


class Started(BaseModel):
    """The run that was started."""

    run_id: str


@router.post(
    "/examine",
    summary="Examine the installation, as `dq doctor` does",
    operation_id="examine",
    responses=problems(422, 503),
)
def examine(request: Request, behind: Behind, wanted: Examine | None = None) -> Examination:
    """It reads all logs and file lists of the lake: minutes for a large one."""
    repair = wanted is not None and wanted.repair
    with refusals_noted(request, "maintenance.repair" if repair else "maintenance.examine", ""):
        found = list(diagnose(behind.site.installation(), repair=repair))
    findings = [
        Finding(
            examination=one.examination,
            severity=one.finding.severity,
            place=one.finding.place,
            said=one.finding.said,
            remedy=one.finding.remedy,
            repairable=one.finding.repair is not None,
            repaired=one.repaired,
            not_repaired=one.not_repaired,
        )
        for one in found
    ]
    errors = sum(one.severity == "error" and not one.repaired for one in findings)
    note(request, "maintenance.repair" if repair else "maintenance.examine", errors=errors, findings=len(findings))
    count = len(findings)
    said = f"{len(EXAMINATIONS)} examinations, {count or 'no'} finding{'' if count in (0, 1) else 's'}"
    return Examination(examinations=list(EXAMINATIONS), errors=errors, findings=findings, sentence=said)


@router.get("/storage", summary="Where data is kept, and how much", operation_id="storage", responses=problems(503))
def storage(behind: Behind) -> StoragePlaces:
    return StoragePlaces(
        items=[
            Storage(
                name=one.name,
                where=one.where,
                bytes=one.bytes,
                partial=one.is_partial,
                free=one.free,
                total=one.total,
            )
            for one in storage_of(behind.site.installation())
        ]
    )


@router.post(
    "/run",
    summary="Start a job that compacts files, deletes expired rows, or removes old runs",
    operation_id="run_maintenance",
    status_code=202,
    responses=problems(409, 422, 502, 503),
)
def run(wanted: JobRequest, request: Request, caller: Asker, dagster: Dagster) -> Started:
    config = {"ops": {"purge_runs_rows": {"config": {"dry_run": wanted.dry_run}}}} if wanted.job == "purge_runs" else {}
    with refusals_noted(request, "maintenance.run", wanted.job):
        if wanted.dry_run and wanted.job != "purge_runs":
            raise ApiError(422, f"body.dry_run: wanted it for purge_runs alone, got it for {wanted.job}")
        try:
            run_id = Launch(job=wanted.job, config=config).submit(caller, dagster)
        except DagsterError as error:
            raise ApiError(409, f"{wanted.job} cannot run: {error}") from None
    note(request, "maintenance.run", wanted.job, run=run_id, dry_run=wanted.dry_run)
    return Started(run_id=run_id)
