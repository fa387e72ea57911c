"""Tries a job's text on the newest landed file. Nothing is published."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request

from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError
from dq_pipelines.security.roles import Permission
from dq_pipelines.uploads.isolated import run_isolated
from dq_pipelines.uploads.settings import UploadLimits
from dq_pipelines.web.api.dependencies import Behind, note, refusals_noted, somewhere
from dq_pipelines.web.api.job_editing import CHECK, job_edit
from dq_pipelines.web.api.jobs import Files, JobName, file_of
from dq_pipelines.web.api.texts import encoded
from dq_pipelines.web.api.upload_dependencies import answering, trial_of
from dq_pipelines.web.api.upload_models import TrialOfText, TriedNewest
from dq_pipelines.web.problem_details import problems

router = APIRouter(tags=["jobs"])


@router.post(
    "/jobs/{name}/trial",
    summary="What a job's text would publish and refuse of the newest landed file",
    description=(
        "The whole project is validated with the text, as to save it. Then a process with limited memory and time judges the rows "
        "of the file that was written last, as if nothing were published yet. Neither the lake nor history is written."
    ),
    operation_id="try_job",
    responses=problems(403, 404, 409, 413, 422, 503),
    dependencies=[Depends(somewhere(Permission.EDIT))],
)
def trial(name: JobName, wanted: TrialOfText, files: Files, behind: Behind, request: Request) -> TriedNewest:
    file = file_of(files, name)
    with refusals_noted(request, "job.trial", file.name):
        with job_edit(files, request, CHECK, file) as edit:
            edit.check(encoded(wanted.yaml, "body.yaml"))
            signed = edit.editing.authorship(file, edit.author)
        landing, most = Settings.from_environment().landing, UploadLimits.from_environment().bytes
        asked = {
            "path": landing,
            "name": "the landing folder",
            "most": most,
            **trial_of(behind, file, wanted.yaml, signed),
        }
        try:
            with answering():
                found = run_isolated("newest", asked)
        except ConfigError as error:
            raise edit.told(error) from None
    counts = {key: found[key] for key in ("published", "refused")}
    note(request, "job.trial", file.name, file=found["file"], **counts)
    return TriedNewest.model_validate(found)
