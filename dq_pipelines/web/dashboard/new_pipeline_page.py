"""Collects the content of the page of a new pipeline, which begins with a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError
from dq_pipelines.security.roles import PERMISSIONS, Permission, may, why_not
from dq_pipelines.uploads.file_names import KINDS
from dq_pipelines.uploads.settings import UploadLimits
from dq_pipelines.uploads.staging import Staging
from dq_pipelines.web.dashboard.pipelines_page import notes_of, read_only
from dq_pipelines.web.dashboard.table_files import TableFiles


@dataclass(frozen=True)
class NewPipelinePage:
    """What a new pipeline can begin with."""

    #: one sentence if the reader cannot create any; else ""
    why_not: str
    #: one sentence if no file can be sent here; else ""
    without_files: str = ""
    #: domains in which the reader may create pipelines, as far as they are known
    domains: Sequence[str] = ()
    #: the owner whose tables the reader may edit; "" without one
    owner: str = ""
    #: bytes of a file
    most_bytes: int = 0
    notes: Sequence[str] = ()

    @property
    def may_edit(self) -> bool:
        return not self.why_not

    @property
    def endings(self) -> Sequence[str]:
        return list(KINDS)

    @property
    def most_said(self) -> str:
        return f"{self.most_bytes / 1e6:,.0f} MB"


def begin_page(files: TableFiles, *, may_create: bool) -> NewPipelinePage:
    """The page for this reader."""
    grants = files.caller.user.grants
    if not may_create:
        return NewPipelinePage(f"You cannot create pipelines: {why_not(grants, Permission.EDIT)}.")
    if why := read_only(files):
        return NewPipelinePage(f"No pipeline can be created: {why}.")
    scopes = [grant.scope for grant in grants if Permission.EDIT in PERMISSIONS[grant.role]]
    known = {file.domain for file in files.all.values()}
    own = {scope.removeprefix("domain:") for scope in scopes if scope.startswith("domain:")}
    teams = sorted(scope for scope in scopes if scope.startswith("team:"))
    domains = own | {domain for domain in known if may(grants, Permission.EDIT, domain)}
    try:
        staging = Staging.below(Settings.from_environment().landing, UploadLimits.from_environment())
    except ConfigError as error:
        return NewPipelinePage("", str(error.problems[0]))
    owner = teams[0] if teams and not may(grants, Permission.EDIT) else ""
    return NewPipelinePage(
        "", "", sorted(domains), owner, staging.limits.bytes, notes_of(files) if may(grants, Permission.EDIT) else ()
    )
