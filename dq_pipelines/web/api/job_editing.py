"""Changes a job's file: one change at a time, after checking the caller's permissions and the resulting project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import Request

from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.project import Project
from dq_pipelines.project.authors import Author
from dq_pipelines.project.editing import Editing, NameTaken, ReadOnly, VersionConflict, owners_then
from dq_pipelines.project.files import TableFile
from dq_pipelines.rules.core.query import LAYERS
from dq_pipelines.security.roles import PERMISSIONS, Permission, may, why_not
from dq_pipelines.web.api.dependencies import note, refusal
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.dashboard.table_files import TableFiles
from dq_pipelines.web.problem_details import ApiError

#: The change that only checks.
CHECK = "job.check"


class JobEdit:
    """A change of one job's file by one caller."""

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

    def check(self, content: bytes) -> Project:
        """The project with this content. Raises ConfigError if it has mistakes, ApiError (403) if the caller may not write it."""
        project = self.editing.checked(self.file, content, self.author)
        table = project.tables.get(self.file.name)
        if table is None:
            if not self.everywhere:
                raise self.refused(
                    "while other files of the project have mistakes, only admins of everything may change one"
                )
            return project
        if not may(self.grants, Permission.EDIT, self.file.domain, table.model.owners):
            raise self.refused(
                f"you may not edit it with these owners: {self.files.why_not(Permission.EDIT, self.file)}"
            )
        self._reads_what_they_may(project)
        return project

    def _reads_what_they_may(self, project: Project) -> None:
        """Raise ApiError (403) if a new upstream table may not be viewed: a query over it would show its rows."""
        table = project.tables[self.file.name]
        before = self.files.table(self.file)
        rights = Rights(self.files.caller, project)
        for key in table.upstream:
            if not rights.sees(key) and (before is None or key not in before.upstream):
                raise self.refused(f"it reads {key}: {rights.why_not(Permission.LOOK, key)}")

    def told(self, error: ConfigError) -> ConfigError:
        """The error as the caller may read it: without the names and columns of tables that they may not view."""
        told = self.editing.told(error)
        return told if self.everywhere else ConfigError([self._told(problem) for problem in told.problems])

    def _told(self, problem: Problem) -> Problem:
        own = f"{self.file.domain}/{self.file.name}.yaml"
        if problem.file not in ("", own) and Path(problem.file).stem not in self.files.seen:
            return Problem(own, 0, "a table that you may not view reads this one, and would have mistakes")
        return self.files.readable(problem, self.file.name)

    def may_be_theirs(self, behind: Backend, file: TableFile) -> None:
        """Raise ApiError (403) unless the caller may create this file, and may edit what an earlier table of this name left."""
        last = next(iter(self.editing.versions(file.name)), None)
        if last is not None and not may(self.grants, Permission.EDIT, last.domain, owners_then(last)):
            raise self.refused(f"an earlier table {file.name} left data: {why_not(self.grants, Permission.EDIT)}")
        if last is None and not self.everywhere and file.name not in self.files.all:
            lake = behind.site.stores.lake
            if any(lake.table(f"{layer}/{file.name}").exists for layer in LAYERS):
                why = why_not(self.grants, Permission.EDIT)
                raise self.refused(f"the lake has data of a table {file.name} with unknown owners: {why}")


@contextmanager
def job_edit(files: TableFiles, request: Request, what: str, file: TableFile) -> Iterator[JobEdit]:
    """Make one change at a time. Errors become problem details, and refusals are logged in the audit log."""
    edit = JobEdit(files, request, what, file)
    # The owners of a new file are not known yet: they are checked when its content is read.
    if file.name in files.seen and what != "job.create" and not files.may(Permission.EDIT, file):
        raise edit.refused(files.why_not(Permission.EDIT, file))
    try:
        with edit.editing.alone():
            yield edit
    except ReadOnly as error:
        raise edit.refused(str(error)) from None
    except NameTaken as error:
        raise ApiError(409, str(error)) from None
    except VersionConflict as error:
        raise ApiError(412, str(error)) from None
    except ConfigError as error:
        redacted = edit.told(error)
        if what != CHECK:  # mistakes while one types are no refusals
            note(request, what, file.name, "refused", why=str(redacted.problems[0])[:300])
        raise redacted from None
    except OSError as error:
        raise ApiError(503, f"{file.name}: wanted to write its file, got: {error.strerror}") from None
