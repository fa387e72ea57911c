"""Creates, changes and deletes jobs' YAML files, and serves their earlier versions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Self, cast

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from dq_pipelines.project.editing import Editing, Version, owners_then
from dq_pipelines.project.files import TableFile, mark_of
from dq_pipelines.security.roles import Permission, may
from dq_pipelines.web.api.dependencies import Behind, note, somewhere
from dq_pipelines.web.api.job_editing import CHECK, job_edit
from dq_pipelines.web.api.jobs import Files, JobDetail, JobName, detail_of, file_of, files_of
from dq_pipelines.web.api.paging import NAMED, Cursor, Limit, Page, cursor_of, place_in
from dq_pipelines.web.api.texts import encoded
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.dagster_client.reloading import reload
from dq_pipelines.web.dashboard.table_files import TableFiles
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(tags=["jobs"])

Mark = Annotated[
    str | None,
    Header(alias="If-Match", max_length=100, description="The ETag of the job as last read.", examples=['"3b1f"']),
]
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", max_length=100)]
VersionId = Annotated[
    str, InPath(max_length=120, pattern=r"^[0-9TZ]+-[\w.@+-]*$", examples=["20261101T020000000000Z-ann"])
]

_YAML = "source: {type: csv, path: '${DQ_LANDING}/till/*.csv'}\nowners: [team:retail]\n"


_WANTED_ONE = InitErrorDetails(
    type=PydanticCustomError("one_text", "wanted one of yaml and definition"), loc=(), input=None
)


class JobText(BaseModel):
    """The new content of a file: its text, or the same as JSON."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"yaml": _YAML}]})

    yaml: str | None = Field(None, description="The file's text, with comments.")
    definition: dict[str, Any] | None = Field(None, description="The same as JSON, which is written unchanged.")

    @model_validator(mode="wrap")
    @classmethod
    def _one(cls, sent: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Report that one of both is needed together with mistakes in the fields, in one answer."""
        texts = [name for name in ("yaml", "definition") if isinstance(sent, Mapping) and sent.get(name) is not None]
        wrong = [] if len(texts) == 1 else [_WANTED_ONE]
        try:
            made = handler(sent)
        except ValidationError as error:
            known = [cast("InitErrorDetails", one) for one in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(cls.__name__, known + wrong) from None
        if wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        return made

    def content(self) -> bytes:
        """The file's bytes. Raises ApiError (422) if the content is no valid text."""
        try:
            text = self.yaml
            if text is None:
                text = json.dumps(self.definition, indent=2, ensure_ascii=False) + "\n"
            return encoded(text, "body")
        except RecursionError:
            raise ApiError(422, "body.definition: wanted at most 60 levels, got deeper nesting") from None


class NewJob(JobText):
    """A new table."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "till", "domain": "retail", "yaml": _YAML}]}
    )

    name: Name = Field(description="The table's name; unique in the project.")
    domain: Name = Field(description="The folder of its file.")


class Checked(BaseModel):
    """The text is valid."""

    name: str
    domain: str


class Written(JobDetail):
    """The job after the change."""

    loaded: str = Field(description="Empty if Dagster has loaded it; else why not.")


class Deleted(BaseModel):
    """What was deleted, and what is kept."""

    name: str
    said: str = Field(
        examples=["The file is deleted and kept as a version; the table's data are kept in the lake and in history."]
    )
    version: str = Field(description="The id of the version with the text.")
    loaded: str = Field(description="Empty if Dagster has loaded the project without it; else why not.")


class VersionLine(BaseModel):
    """An earlier version of a file, from before a change or a deletion."""

    id: str
    replaced_at: datetime
    replaced_by: str


class VersionText(VersionLine):
    """An earlier version of a file, with its text."""

    yaml: str


_WRITES = problems(403, 404, 409, 413, 422, 502, 503)


@router.post(
    "/jobs",
    summary="Create a job",
    description="The whole project is validated with the new file. If there are mistakes, nothing is written.",
    operation_id="create_job",
    status_code=201,
    responses=_WRITES,
    dependencies=[Depends(somewhere(Permission.EDIT))],
)
def create(wanted: NewJob, files: Files, behind: Behind, request: Request, response: Response) -> Written:
    file = TableFile(wanted.name, wanted.domain, Path(behind.site.config) / wanted.domain / f"{wanted.name}.yaml")
    with job_edit(files, request, "job.create", file) as edit:
        edit.editing.must_be_new(file)
        edit.may_be_theirs(behind, file)
        content = wanted.content()
        edit.check(content)
        edit.editing.create(file, content, edit.author)
        note(request, "job.create", file.name, after=mark_of(content))
    response.headers["Location"] = f"/api/v1/jobs/{file.name}"
    return written(behind, files.caller, file, response)


@router.post(
    "/jobs/check",
    summary="Check a job's text, and write nothing",
    description="The whole project is validated with this text, for a new file or in place of the current one.",
    operation_id="check_job",
    responses=problems(403, 404, 409, 413, 422, 503),
    dependencies=[Depends(somewhere(Permission.EDIT))],
)
def check(wanted: NewJob, files: Files, behind: Behind, request: Request) -> Checked:
    new = TableFile(wanted.name, wanted.domain, Path(behind.site.config) / wanted.domain / f"{wanted.name}.yaml")
    known = files.seen.get(wanted.name)
    file = known if known is not None and known.domain == wanted.domain else new
    with job_edit(files, request, CHECK, file) as edit:
        if file is new:
            edit.editing.must_be_new(file)
            edit.may_be_theirs(behind, file)
        edit.check(wanted.content())
    return Checked(name=file.name, domain=file.domain)


@router.put(
    "/jobs/{name}",
    summary="Change a job",
    description="If-Match must be the ETag of the job as last read. The previous text is kept as a version.",
    operation_id="change_job",
    responses=_WRITES | problems(412, 428),
    dependencies=[Depends(somewhere(Permission.EDIT))],
)
def change(
    name: JobName,
    wanted: JobText,
    files: Files,
    behind: Behind,
    request: Request,
    response: Response,
    mark: Mark = None,
) -> Written:
    file = file_of(files, name)
    with job_edit(files, request, "job.change", file) as edit:
        seen = _seen(mark)
        content = wanted.content()
        edit.check(content)
        edit.editing.change(file, content, seen, edit.author)
        note(request, "job.change", name, before=seen, after=mark_of(content))
    return written(behind, files.caller, file, response)


@router.delete(
    "/jobs/{name}",
    summary="Delete a job's file; its data are kept",
    operation_id="delete_job",
    responses=_WRITES | problems(412, 428),
    dependencies=[Depends(somewhere(Permission.EDIT))],
)
def delete(name: JobName, files: Files, behind: Behind, request: Request, mark: Mark = None) -> Deleted:
    file = file_of(files, name)
    with job_edit(files, request, "job.delete", file) as edit:
        seen = _seen(mark)
        edit.editing.without(file)
        edit.editing.delete(file, seen)
        note(request, "job.delete", name, before=seen)
    version = edit.editing.versions(name)[0].id
    message = "The file is deleted and kept as a version; the table's data are kept in the lake and in history."
    return Deleted(name=name, said=message, version=version, loaded=_load(behind, files.caller))


@router.get(
    "/jobs/{name}/versions",
    summary="Earlier versions of a job's file, newest first",
    description="To restore a version, read it and PUT its text.",
    operation_id="job_versions",
    responses=problems(404, 422, 503),
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def versions(name: JobName, files: Files, limit: Limit = 50, cursor: Cursor = None) -> Page[VersionLine]:
    before = place_in(NAMED, cursor)
    found = [one for one in _versions(files, name) if before is None or one.id < before]
    items = [VersionLine(id=one.id, replaced_at=one.replaced_at, replaced_by=one.replaced_by) for one in found[:limit]]
    return Page(items=items, next=cursor_of(items[-1].id) if len(found) > limit else None)


@router.get(
    "/jobs/{name}/versions/{version}",
    summary="An earlier version of a job's file, with its text",
    operation_id="job_version",
    responses=problems(404, 422, 503),
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def version(name: JobName, version: VersionId, files: Files) -> VersionText:
    for one in _versions(files, name):
        if one.id == version:
            text = one.path.read_text(encoding="utf-8", errors="replace")
            return VersionText(id=one.id, replaced_at=one.replaced_at, replaced_by=one.replaced_by, yaml=text)
    raise ApiError(404, f"unknown version '{version}' of {name[:100]}")


def _seen(mark: str | None) -> str:
    if mark is None:
        raise ApiError(428, "wanted If-Match with the ETag of the job as last read, got none")
    return mark.strip().removeprefix("W/").strip('"')


def _versions(files: TableFiles, name: str) -> Sequence[Version]:
    """The versions that the caller may view: of an existing file in its domain; of a deleted file by the owners in each version."""
    found = Editing(Path(files.site.config), "").versions(name)
    if name in files.all:
        file = file_of(files, name)
        return [one for one in found if one.domain == file.domain]
    grants = files.caller.user.grants
    theirs = [one for one in found if may(grants, Permission.LOOK, one.domain, owners_then(one))]
    if not theirs:
        raise ApiError(404, files.unknown(name))
    return theirs


def written(behind: Backend, caller: Caller, file: TableFile, response: Response) -> Written:
    loaded = _load(behind, caller)
    detail = detail_of(behind, files_of(behind, caller), file)
    response.headers["ETag"] = detail.etag
    return Written(**dict(detail), loaded=loaded)


def _load(behind: Backend, caller: Caller) -> str:
    if behind.dagster is None:
        return "this gateway serves without Dagster"
    keys = [table.key for table in behind.site.known().project]
    return reload(behind.dagster, caller, keys[:50])
