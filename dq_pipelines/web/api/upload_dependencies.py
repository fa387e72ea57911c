"""FastAPI dependencies of the routes of uploads: the uploads that wait, and the caller's own one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends
from fastapi import Path as InPath

from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import SourceError, Transient
from dq_pipelines.project.authors import Authorship
from dq_pipelines.project.files import TableFile
from dq_pipelines.project.remote_policy import folder_of
from dq_pipelines.security.roles import PERMISSIONS, Grant, Permission, may
from dq_pipelines.uploads.settings import UploadLimits
from dq_pipelines.uploads.staging import Staging
from dq_pipelines.uploads.upload import Upload
from dq_pipelines.web.api.dependencies import Asker, somewhere
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.problem_details import ApiError

MAY_EDIT = [Depends(somewhere(Permission.EDIT))]
Id = Annotated[str, InPath(pattern="^[0-9a-f]{32}$", description="The upload's id.")]


def _staging() -> Staging:
    return Staging.below(Settings.from_environment().landing, UploadLimits.from_environment())


Waiting = Annotated[Staging, Depends(_staging)]


def _own(id: Id, staging: Waiting, caller: Asker) -> Upload:
    """The caller's upload. Raises ApiError (404) if there is none."""
    found = staging.find(id, caller.user.name)
    if found is None or not may_open(caller, found):
        raise ApiError(404, f"you have no upload '{id}': it is saved or removed, or somebody else's")
    return found


Own = Annotated[Upload, Depends(_own)]


def landing_folder(grants: frozenset[Grant], domain: str) -> str | None:
    """The folder of the landing folder for files of this domain; None for a caller who may edit no table there."""
    if may(grants, Permission.EDIT, domain):
        return domain
    teams = sorted(
        one.scope for one in grants if one.scope.startswith("team:") and Permission.EDIT in PERMISSIONS[one.role]
    )
    return folder_of(teams[0]) if teams else None


def may_open(caller: Caller, upload: Upload) -> bool:
    """Whether the caller may still change tables of its domain: a key has less than its user, and grants change."""
    return landing_folder(caller.user.grants, upload.domain) is not None


def file_of_upload(config: str, upload: Upload, name: str) -> TableFile:
    """The file of a table with this name in the upload's domain."""
    return TableFile(name, upload.domain, Path(config) / upload.domain / f"{name}.yaml")


@contextmanager
def answering() -> Iterator[None]:
    """Turn errors about the file into an answer about the request."""
    try:
        yield
    except Transient as error:
        raise ApiError(503, str(error)) from None
    except SourceError as error:
        raise ApiError(422, str(error)) from None


def trial_of(behind: Backend, file: TableFile, text: str, signed: Authorship) -> dict[str, Any]:
    """What a process that tries this text needs to know, besides the file with the rows."""
    return {
        "domain": file.domain,
        "table": file.name,
        "text": text,
        "authorship": {"author": asdict(signed.author), "base": signed.base},
        "config": behind.site.config,
        "lake": behind.site.stores.lake.root,
    }
