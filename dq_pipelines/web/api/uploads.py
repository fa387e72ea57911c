"""Takes files of users, shows what they hold, tries a YAML on them, and saves both as a new pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi import Path as InPath

from dq_pipelines.config.settings import Settings
from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import ConfigError, SourceError, Transient
from dq_pipelines.monitoring.contracts.table import table_name
from dq_pipelines.project import Project
from dq_pipelines.project.files import TableFile, mark_of
from dq_pipelines.project.remote_policy import folder_of
from dq_pipelines.security.roles import PERMISSIONS, Grant, Permission, may
from dq_pipelines.sources.files import FileSource
from dq_pipelines.sources.listing import Glob
from dq_pipelines.sources.places import local_path
from dq_pipelines.uploads.isolated import run_isolated
from dq_pipelines.uploads.settings import UploadLimits
from dq_pipelines.uploads.staging import Arriving, FileExists, Staging, TooMany, Upload
from dq_pipelines.web.api.dependencies import Asker, Behind, asker, note, refusal, somewhere
from dq_pipelines.web.api.job_editing import CHECK, job_edit
from dq_pipelines.web.api.job_files import Name, written
from dq_pipelines.web.api.jobs import Files
from dq_pipelines.web.api.texts import encoded
from dq_pipelines.web.api.upload_models import (
    Inspection,
    InspectionOptions,
    NewPipeline,
    Saved,
    Trial,
    Tried,
    UploadLine,
    Uploads,
    line_of,
)
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(tags=["uploads"])

#: Bytes that are written at once.
_PIECE = 1 << 20
_MAY_EDIT = [Depends(somewhere(Permission.EDIT))]
Id = Annotated[str, InPath(pattern="^[0-9a-f]{32}$", description="The upload's id.")]


def _staging() -> Staging:
    return Staging.below(Settings.from_environment().landing, UploadLimits.from_environment())


Waiting = Annotated[Staging, Depends(_staging)]


def _own(id: Id, staging: Waiting, caller: Asker) -> Upload:
    """The caller's upload. Raises ApiError (404) if there is none."""
    found = staging.find(id, caller.user.name)
    if found is None or not _may_open(caller, found):
        raise ApiError(404, f"you have no upload '{id}': it is saved or removed, or somebody else's")
    return found


Own = Annotated[Upload, Depends(_own)]


@router.post(
    "/uploads",
    summary="Upload a file for a new pipeline",
    description=(
        "The body is the file. It waits in a folder that no source reads, and starts nothing, until it is saved as a pipeline; "
        "after `DQ_UPLOAD_KEEP` it is removed. Its bytes must be what its name's ending says."
    ),
    operation_id="upload",
    status_code=201,
    responses=problems(403, 408, 409, 413, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
    dependencies=_MAY_EDIT,
)
async def upload(
    request: Request,
    staging: Waiting,
    domain: Annotated[Name, Query(description="The domain of the pipeline.", examples=["retail"])],
    file: Annotated[str, Query(description="The file's name.", min_length=1, max_length=1000, examples=["till.xlsx"])],
) -> UploadLine:
    arriving = await run_sync(_begun, request, staging, domain, file)
    try:
        await _received(request, arriving)
        done = await run_sync(arriving.finish)
    except SourceError as error:
        await run_sync(note, request, "upload", arriving.upload.name, "refused")
        raise ApiError(422, str(error)) from None
    finally:
        await run_sync(arriving.abandon)  # nothing is left there of a whole file
    await run_sync(lambda: note(request, "upload", done.name, domain=domain, bytes=done.size))
    return _line(staging, done)


def _begun(request: Request, staging: Staging, domain: str, file: str) -> Arriving:
    grants = asker(request).user.grants
    folder = landing_folder(grants, domain)
    if folder is None:
        raise refusal(request, "upload", domain, f"you may not change tables of the domain {domain}")
    try:
        return staging.begin(file, domain, folder, asker(request).user.name)
    except TooMany as error:
        raise ApiError(409, str(error)) from None


async def _received(request: Request, arriving: Arriving) -> None:
    """Write the body to the disk, piece by piece; raises ClientDisconnect if it ends before."""
    pieces: list[bytes] = []
    held = 0
    async for piece in request.stream():
        pieces.append(piece)
        held += len(piece)
        if held >= _PIECE:
            await run_sync(arriving.write, b"".join(pieces))
            pieces, held = [], 0
    await run_sync(arriving.write, b"".join(pieces))


def landing_folder(grants: frozenset[Grant], domain: str) -> str | None:
    """The folder of the landing folder for files of this domain; None for a caller who may edit no table there."""
    if may(grants, Permission.EDIT, domain):
        return domain
    teams = sorted(
        one.scope for one in grants if one.scope.startswith("team:") and Permission.EDIT in PERMISSIONS[one.role]
    )
    return folder_of(teams[0]) if teams else None


@router.get(
    "/uploads",
    summary="The caller's uploads that wait",
    operation_id="uploads",
    responses=problems(422, 503),
    dependencies=_MAY_EDIT,
)
def uploads(staging: Waiting, caller: Asker) -> Uploads:
    items = [_line(staging, one) for one in staging.of(caller.user.name) if _may_open(caller, one)]
    return Uploads(items=items, most_bytes=staging.limits.bytes)


@router.delete(
    "/uploads/{id}",  # noqa: FAST003 - the upload's dependency takes it
    summary="Remove an upload",
    operation_id="remove_upload",
    status_code=204,
    responses=problems(404, 422, 503),
    dependencies=_MAY_EDIT,
)
def remove(upload: Own, staging: Waiting, request: Request) -> Response:
    staging.remove(upload)
    note(request, "upload.remove", upload.name, domain=upload.domain)
    return Response(status_code=204)


@router.post(
    "/uploads/{id}/inspection",  # noqa: FAST003 - the upload's dependency takes it
    summary="What a file holds, and a YAML for it",
    description="Its kind, sheets, first rows and columns. A process of its own looks at it, with limited memory and time.",
    operation_id="inspect_upload",
    responses=problems(404, 422, 503),
    dependencies=_MAY_EDIT,
)
def inspection(upload: Own, request: Request, wanted: InspectionOptions | None = None) -> Inspection:
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
        "path": str(upload.path),
        "name": upload.name,
        "folder": upload.folder,
        "table": how.name or table_name(upload.name.rpartition(".")[0]),
        "options": options,
        "settings": settings,
    }
    with _answering():
        found = run_isolated("inspect", asked)
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
    dependencies=_MAY_EDIT,
)
def trial(upload: Own, wanted: Trial, files: Files, behind: Behind, request: Request) -> Tried:
    file = _file(behind.site.config, upload, wanted.name)
    content = encoded(wanted.yaml, "body.yaml")
    with job_edit(files, request, CHECK, file) as edit:
        edit.editing.must_be_new(file)
        edit.may_be_theirs(behind, file)
        edit.check(content)
        authorship = edit.editing.authorship(file, edit.author)
    asked = {
        "path": str(upload.path),
        "name": upload.name,
        "domain": upload.domain,
        "table": wanted.name,
        "text": wanted.yaml,
        "authorship": {"author": asdict(authorship.author), "base": authorship.base},
        "config": behind.site.config,
        "lake": behind.site.stores.lake.root,
    }
    try:
        with _answering():
            found = run_isolated("trial", asked)
    except ConfigError as error:
        raise edit.told(error) from None
    note(
        request, "upload.trial", upload.name, table=wanted.name, published=found["published"], refused=found["refused"]
    )
    return Tried.model_validate(found)


@router.post(
    "/uploads/{id}/save",  # noqa: FAST003 - the upload's dependency takes it
    summary="Create a pipeline with the file as its first input",
    description="The project is validated with the YAML, which must read the place where the file lands. Nothing runs yet.",
    operation_id="save_upload",
    status_code=201,
    responses=problems(403, 404, 409, 413, 422, 502, 503),
    dependencies=_MAY_EDIT,
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
    file, content = _file(behind.site.config, upload, wanted.name), encoded(wanted.yaml, "body.yaml")
    target = staging.target(upload, wanted.name)
    with job_edit(files, request, "job.create", file) as edit, _landing():
        edit.editing.must_be_new(file)
        edit.may_be_theirs(behind, file)
        _must_read(edit.check(content), wanted.name, target, staging)
        if landing_folder(edit.grants, upload.domain) != upload.folder:
            raise edit.refused("your grants have changed since you sent the file: send it again")
        # The file first: a pipeline without its input would look empty, and nobody reads a file without its pipeline.
        staging.land(upload, wanted.name, replace=wanted.replace)
        try:
            edit.editing.create(file, content, edit.author)
        except BaseException:
            if not wanted.replace:
                target.unlink(missing_ok=True)
            raise
        landed = target.relative_to(staging.landing).as_posix()
        note(request, "job.create", file.name, after=mark_of(content), upload=upload.name, landed=landed)
    staging.remove(upload)
    response.headers["Location"] = f"/api/v1/jobs/{file.name}"
    return Saved(**dict(written(behind, files.caller, file, response)), landed=landed)


# --- within ------------------------------------------------------------------------------------------


def _may_open(caller: Caller, upload: Upload) -> bool:
    """Whether the caller may still change tables of its domain: a key has less than its user, and grants change."""
    return landing_folder(caller.user.grants, upload.domain) is not None


def _line(staging: Staging, upload: Upload) -> UploadLine:
    return line_of(upload, upload.at + staging.limits.keep)


def _file(config: str, upload: Upload, name: str) -> TableFile:
    return TableFile(name, upload.domain, Path(config) / upload.domain / f"{name}.yaml")


@contextmanager
def _answering() -> Iterator[None]:
    """Turn errors about the file into an answer about the request."""
    try:
        yield
    except Transient as error:
        raise ApiError(503, str(error)) from None
    except SourceError as error:
        raise ApiError(422, str(error)) from None


@contextmanager
def _landing() -> Iterator[None]:
    try:
        yield
    except FileExists as error:
        raise ApiError(409, str(error)) from None


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
