"""Shows what an uploaded file holds, and tries a YAML on it. Nothing is published."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from dq_pipelines.errors import ConfigError
from dq_pipelines.monitoring.contracts.table import table_name
from dq_pipelines.uploads.isolated import run_isolated
from dq_pipelines.web.api.dependencies import Behind, note, refusals_noted
from dq_pipelines.web.api.job_editing import CHECK, job_edit
from dq_pipelines.web.api.jobs import Files
from dq_pipelines.web.api.texts import encoded
from dq_pipelines.web.api.upload_dependencies import (
    MAY_EDIT,
    Own,
    Waiting,
    answering,
    file_of_upload,
    trial_of,
)
from dq_pipelines.web.api.upload_models import Inspection, InspectionOptions, Trial, Tried
from dq_pipelines.web.problem_details import problems

router = APIRouter(tags=["uploads"])


@router.post(
    "/uploads/{id}/inspection",  # noqa: FAST003 - the upload's dependency takes it
    summary="What a file holds, and a YAML for it",
    description="Its kind, sheets, first rows and columns. A process of its own looks at it, with limited memory and time.",
    operation_id="inspect_upload",
    responses=problems(404, 422, 503),
    dependencies=MAY_EDIT,
)
def inspection(upload: Own, staging: Waiting, request: Request, wanted: InspectionOptions | None = None) -> Inspection:
    how = wanted or InspectionOptions()
    options = {
        key: value
        for key in ("sheet", "header_row", "delimiter", "encoding")
        if (value := getattr(how, key)) is not None
    }
    settings: dict[str, Any] = {"owners": [how.owner]} if how.owner else {}
    if how.starts == "arrival":
        settings["on_arrival"] = True
    if how.starts == "schedule":
        settings["schedule"] = how.schedule or "0 2 * * *"
    asked = {
        "name": upload.name,
        "folder": upload.folder,
        "table": how.name or table_name(upload.name.rpartition(".")[0]),
        "options": options,
        "settings": settings,
    }
    with refusals_noted(request, "upload.inspect", upload.name), answering(), staging.reading(upload) as file:
        found = run_isolated("inspect", asked, file=file)
    note(request, "upload.inspect", upload.name, domain=upload.domain, rows=found["rows"])
    return Inspection.model_validate(found)


@router.post(
    "/uploads/{id}/trial",  # noqa: FAST003 - the upload's dependency takes it
    summary="Try a YAML on a file, and publish nothing",
    description=(
        "The whole project is validated with the text, as to save it. Then a process with limited memory and time judges the file's "
        "rows as a run would; neither the lake nor history is written."
    ),
    operation_id="try_upload",
    responses=problems(403, 404, 409, 413, 422, 503),
    dependencies=MAY_EDIT,
)
def trial(upload: Own, staging: Waiting, wanted: Trial, files: Files, behind: Behind, request: Request) -> Tried:
    file = file_of_upload(behind.site.config, upload, wanted.name)
    with refusals_noted(request, "upload.trial", upload.name, table=wanted.name):
        with job_edit(files, request, CHECK, file) as edit:
            edit.editing.must_be_new(file)
            edit.may_be_theirs(behind, file)
            edit.check(encoded(wanted.yaml, "body.yaml"))
            signed = edit.editing.authorship(file, edit.author)
        asked = {"name": upload.name, **trial_of(behind, file, wanted.yaml, signed)}
        try:
            with answering(), staging.reading(upload) as stream:
                found = run_isolated("trial", asked, file=stream)
        except ConfigError as error:
            raise edit.told(error) from None
    note(
        request, "upload.trial", upload.name, table=wanted.name, published=found["published"], refused=found["refused"]
    )
    return Tried.model_validate(found)
