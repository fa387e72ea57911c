"""Where a job's file is changed: one change at a time, by whom it is allowed, and with what the project stays sound with.

How a file is kept and written is known by `project.editing`; the routes are in `job_files`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import Request

from dq_pipelines.errors import ConfigError
from dq_pipelines.project import Project
from dq_pipelines.project.authors import Author
from dq_pipelines.project.editing import Editing, NameTaken, ReadOnly, VersionConflict, owners_then
from dq_pipelines.project.files import TableFile
from dq_pipelines.rules.core.query import LAYERS
from dq_pipelines.security.roles import PERMISSIONS, Permission, may, why_not
from dq_pipelines.web.api.dependencies import note, refusal
from dq_pipelines.web.api.table_files import TableFiles
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.problem_details import ApiError


class JobEdit:
    """One change under way: by whom, of which file, and whether they may."""

    def __init__(self, files: TableFiles, request: Request, what: str, file: TableFile) -> None:
        self.files, self.request, self.what, self.file = files, request, what, file
        self.editing = Editing(Path(files.site.config), files.caller.user.name)
        self.grants = files.caller.user.grants
        self.everywhere = may(self.grants, Permission.EDIT)
        scopes = {grant.scope for grant in self.grants if Permission.EDIT in PERMISSIONS[grant.role]}
        self.author = Author(
            self.editing.who,
            () if self.everywhere else tuple(sorted(scopes)),
            functions=may(self.grants, Permission.ADMIN),
        )

    def refused(self, why: str) -> ApiError:
        return refusal(self.request, self.what, self.file.name, why)

    def check(self, content: bytes) -> None:
        """Raise ConfigError, or ApiError (403), unless the project is sound with this content and it is the caller's to write."""
        project = self.editing.checked(self.file, content, self.author)
        table = project.tables.get(self.file.name)
        if table is None:
            if not self.everywhere:
                raise self.refused(
                    "while other files of the project are not sound, be admin of everything to change one"
                )
            return
        if not may(self.grants, Permission.EDIT, self.file.domain, table.model.owners):
            raise self.refused(f"with these owners it is not yours: {self.files.why_not(Permission.EDIT, self.file)}")
        self._reads_what_they_may(project)

    def _reads_what_they_may(self, project: Project) -> None:
        """A query over another's table would show it."""
        table = project.tables[self.file.name]
        before = self.files.table(self.file)
        rights = Rights(self.files.caller, project)
        for key in table.upstream:
            if not rights.sees(key) and (before is None or key not in before.upstream):
                raise self.refused(f"it reads {key}: {rights.why_not(Permission.LOOK, key)}")

    def may_be_theirs(self, behind: Backend, file: TableFile) -> None:
        """Raise ApiError (403) unless the caller may write this file, and what is left of a table of this name."""
        last = next(iter(self.editing.versions(file.name)), None)
        if last is not None and not may(self.grants, Permission.EDIT, last.domain, owners_then(last)):
            raise self.refused(
                f"a table {file.name} was there before, and its data are: {why_not(self.grants, Permission.EDIT)}"
            )
        if last is None and not self.everywhere and file.name not in self.files.all:
            lake = behind.site.stores.lake
            if any(lake.table(f"{layer}/{file.name}").exists for layer in LAYERS):
                why = why_not(self.grants, Permission.EDIT)
                raise self.refused(f"the lake has data of a table {file.name} that nobody can be told of: {why}")


@contextmanager
def job_edit(files: TableFiles, request: Request, what: str, file: TableFile) -> Iterator[JobEdit]:
    """One change at a time; what goes wrong with it is said as a problem, and a refusal is noted."""
    desk = JobEdit(files, request, what, file)
    # Of a new file the owners are not known yet: whether it is theirs is asked when it is read.
    if file.name in files.seen and what != "job.create" and not files.may(Permission.EDIT, file):
        raise desk.refused(files.why_not(Permission.EDIT, file))
    try:
        with desk.editing.alone():
            yield desk
    except ReadOnly as error:
        raise desk.refused(str(error)) from None
    except NameTaken as error:
        raise ApiError(409, str(error)) from None
    except VersionConflict as error:
        raise ApiError(412, str(error)) from None
    except ConfigError as error:
        told = desk.editing.told(error)
        note(request, what, file.name, "refused", why=str(told.problems[0])[:300])
        raise told from None
    except OSError as error:
        raise ApiError(503, f"{file.name}: wanted to write its file, got: {error.strerror}") from None
