"""Takes files of users, lists them, and removes them. Trials and saving belong in `upload_trials` and `upload_saving`."""

from __future__ import annotations

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from starlette.requests import ClientDisconnect

from dq_pipelines.errors import DqError, SourceError
from dq_pipelines.uploads.file_names import shown
from dq_pipelines.uploads.staging import Arriving, Staging, TooMany
from dq_pipelines.uploads.upload import Upload
from dq_pipelines.web.api.dependencies import Asker, asker, note, refusal, refusals_noted
from dq_pipelines.web.api.job_files import Name
from dq_pipelines.web.api.upload_dependencies import MAY_EDIT, Own, Waiting, landing_folder, may_open
from dq_pipelines.web.api.upload_models import UploadLine, Uploads, line_of
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(tags=["uploads"])

#: Bytes that are written at once.
_PIECE = 1 << 20


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
    dependencies=MAY_EDIT,
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
    except (DqError, ClientDisconnect) as error:
        told = _refusal(error)
        # A body that is refused while it arrives has its answer already: the scope says which.
        why = str(request.scope.get("refused", "the connection ended")) if told is None else str(error)
        await run_sync(lambda: note(request, "upload", arriving.upload.name, "refused", domain=domain, why=why[:300]))
        raise told or error from None
    finally:
        await run_sync(arriving.abandon)  # nothing is left there of a whole file
    await run_sync(lambda: note(request, "upload", done.name, domain=domain, bytes=done.size))
    return _line(staging, done)


def _refusal(error: Exception) -> Exception | None:
    """The error to answer; None where nobody listens any more."""
    if isinstance(error, ClientDisconnect):
        return None
    if isinstance(error, SourceError):
        return ApiError(422, str(error))
    return ApiError(409, str(error)) if isinstance(error, TooMany) else error


def _begun(request: Request, staging: Staging, domain: str, file: str) -> Arriving:
    grants = asker(request).user.grants
    folder = landing_folder(grants, domain)
    if folder is None:
        raise refusal(request, "upload", domain, f"you may not change tables of the domain {domain}")
    with refusals_noted(request, "upload", shown(file), domain=domain):
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


@router.get(
    "/uploads",
    summary="The caller's uploads that wait",
    operation_id="uploads",
    responses=problems(422, 503),
    dependencies=MAY_EDIT,
)
def uploads(staging: Waiting, caller: Asker) -> Uploads:
    items = [_line(staging, one) for one in staging.of(caller.user.name) if may_open(caller, one)]
    return Uploads(items=items, most_bytes=staging.limits.bytes)


@router.delete(
    "/uploads/{id}",  # noqa: FAST003 - the upload's dependency takes it
    summary="Remove an upload",
    operation_id="remove_upload",
    status_code=204,
    responses=problems(404, 422, 503),
    dependencies=MAY_EDIT,
)
def remove(upload: Own, staging: Waiting, request: Request) -> Response:
    staging.remove(upload)
    note(request, "upload.remove", upload.name, domain=upload.domain)
    return Response(status_code=204)


def _line(staging: Staging, upload: Upload) -> UploadLine:
    return line_of(upload, upload.at + staging.limits.keep)
