"""Saves an uploaded file and its YAML as a new pipeline: both, or neither."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import APIRouter, Request, Response

from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import PublishError
from dq_pipelines.project import Project
from dq_pipelines.project.files import mark_of
from dq_pipelines.sources.files import FileSource
from dq_pipelines.sources.listing import Glob
from dq_pipelines.sources.places import local_path
from dq_pipelines.uploads.landing import FileExists
from dq_pipelines.uploads.staging import Staging
from dq_pipelines.web.api.dependencies import Behind, note
from dq_pipelines.web.api.job_editing import job_edit
from dq_pipelines.web.api.job_files import written
from dq_pipelines.web.api.jobs import Files
from dq_pipelines.web.api.texts import encoded
from dq_pipelines.web.api.upload_dependencies import MAY_EDIT, Own, Waiting, file_of_upload, landing_folder
from dq_pipelines.web.api.upload_models import NewPipeline, Saved
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(tags=["uploads"])


@router.post(
    "/uploads/{id}/save",  # noqa: FAST003 - the upload's dependency takes it
    summary="Create a pipeline with the file as its first input",
    description="The project is validated with the YAML, which must read the place where the file lands. Nothing runs yet.",
    operation_id="save_upload",
    status_code=201,
    responses=problems(403, 404, 409, 413, 422, 502, 503),
    dependencies=MAY_EDIT,
)
def save(
    upload: Own,
    wanted: NewPipeline,
    staging: Waiting,
    files: Files,
    behind: Behind,
    request: Request,
    response: Response,
) -> Saved:
    file, content = file_of_upload(behind.site.config, upload, wanted.name), encoded(wanted.yaml, "body.yaml")
    target = staging.target(upload, wanted.name)
    with job_edit(files, request, "job.create", file) as edit, _landing(request, wanted.name):
        edit.editing.must_be_new(file)
        edit.may_be_theirs(behind, file)
        _must_read(edit.check(content), wanted.name, target, staging)
        if landing_folder(edit.grants, upload.domain) != upload.folder:
            raise edit.refused("your grants have changed since you sent the file: send it again")
        with staging.landing_of(upload, wanted.name) as landing:
            if not wanted.replace:
                landing.must_be_free()
            # The file waits next to its place, so the last step is a rename. If it fails, the YAML is taken back.
            edit.editing.create(file, content, edit.author)
            try:
                landing.land(replace=wanted.replace)
            except BaseException:
                edit.editing.take_back(file, content)
                raise
        landed = target.relative_to(staging.landing).as_posix()
        note(request, "job.create", file.name, after=mark_of(content), upload=upload.name, landed=landed)
    staging.remove(upload)
    response.headers["Location"] = f"/api/v1/jobs/{file.name}"
    return Saved(**dict(written(behind, files.caller, file, response)), landed=landed)


@contextmanager
def _landing(request: Request, name: str) -> Iterator[None]:
    """Turn errors about the place of the file into an answer, with a line in the audit log."""
    try:
        yield
    except (FileExists, PublishError) as error:
        note(request, "job.create", name, "refused", why=str(error)[:300])
        raise ApiError(409 if isinstance(error, FileExists) else 503, str(error)) from None


def _must_read(project: Project, name: str, target: Path, staging: Staging) -> None:
    """Raise ApiError (422) unless the table's source reads the place where the file lands."""
    table = project.tables.get(name)
    source = None if table is None or table.is_gold else table.landed.source
    place = target.relative_to(staging.landing).as_posix()
    if table is None:
        raise ApiError(422, f"{name}: the project has mistakes, so it cannot be seen whether it reads {place}")
    if not isinstance(source, FileSource) or not _reads(source.path, target):
        got = getattr(source, "path", "another source")
        raise ApiError(422, f"source.path: wanted a path that reads {place}, where the file lands, got {got}")


def _reads(path: str, target: Path) -> bool:
    if is_remote(path):
        return False
    place = local_path(path)
    return bool(Glob.of(place).matches(str(target))) or target.is_relative_to(place)
