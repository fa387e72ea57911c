"""Collects the content of the pages of pipelines: each table's YAML file, its schedule, and its earlier versions."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from pathlib import Path

from dq_pipelines.project import Table
from dq_pipelines.project.editing import Editing, Version
from dq_pipelines.project.files import TableFile, mark_of
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.dashboard.request_context import RequestContext
from dq_pipelines.web.dashboard.table_files import TableFiles
from dq_pipelines.web.dashboard.table_summary import TableSummary

#: Ticks of a schedule that are shown.
_TICKS = 5
#: What a new file begins with.
_FIRST = """description: What the table holds
owners: [team:name]
source: {{type: csv, path: "${{DQ_LANDING}}/{name}/*.csv"}}
silver:
  columns:
    id: int64
  rules:
    - {{type: expect_column_values_to_not_be_null, column: id}}
"""


@dataclass(frozen=True)
class PipelineRow:
    """One table's file in the list."""

    file: TableFile
    #: None if the project has no such table: the file has mistakes
    table: Table | None
    #: None if it never ran
    summary: TableSummary | None

    @property
    def starts(self) -> str:
        """What starts its runs."""
        schedule = self.file.raw.get("schedule")
        if isinstance(schedule, str):
            return f"schedule {schedule}"
        return "on arrival" if self.file.raw.get("on_arrival") else "by hand"

    @property
    def reads(self) -> str:
        """Its source in a few words."""
        if self.file.place is not None:
            return " ".join(self.file.place)
        return "SQL over tables" if "gold" in self.file.raw else ""


@dataclass(frozen=True)
class PipelinesPage:
    """The list of tables' files."""

    rows: Sequence[PipelineRow]
    may_create: bool
    #: mistakes in the project, and why nothing can be changed
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class PipelinePage:
    """One table's file, or a new one."""

    name: str
    domain: str
    text: str
    #: the mark of the text, for If-Match; "" for a new file
    mark: str
    table: Table | None
    may_edit: bool
    versions: Sequence[Version] = ()
    #: the version whose text is compared, if any
    version: Version | None = None
    notes: Sequence[str] = ()

    @property
    def is_new(self) -> bool:
        return not self.mark

    @cached_property
    def ticks(self) -> list[datetime]:
        """The next ticks of its schedule."""
        from dagster._utils.schedules import cron_string_iterator  # Dagster takes a second to import

        if self.table is None or self.table.model.schedule is None:
            return []
        zone = self.table.model.timezone
        now = datetime.now().astimezone().timestamp()
        return list(islice(cron_string_iterator(now, self.table.model.schedule, zone), _TICKS))

    @cached_property
    def version_text(self) -> str:
        return self.version.path.read_text(encoding="utf-8", errors="replace") if self.version is not None else ""

    @cached_property
    def difference(self) -> list[str]:
        """The lines that the version and the current text differ by, as `diff -u` writes them."""
        if self.version is None:
            return []
        then, now = self.version_text.splitlines(), self.text.splitlines()
        return list(difflib.unified_diff(then, now, "then", "now", lineterm=""))


def pipelines_page(visit: RequestContext, files: TableFiles, *, may_create: bool) -> PipelinesPage:
    """All files that the caller may view, with the status of their tables."""
    standings = {one.table: one for one in visit.standings()}
    counts = visit.site.lake.soon(sorted(standings))
    rows = []
    for file in files.seen.values():
        table = files.table(file)
        standing = standings.get(table.key) if table is not None else None
        rows.append(PipelineRow(file, table, None if standing is None else visit.summary(standing, counts)))
    return PipelinesPage(rows, may_create, _notes(files))


def pipeline_page(files: TableFiles, name: str, version: str = "") -> PipelinePage | None:
    """The page of a file; None if there is none that the caller may view."""
    file = files.seen.get(name)
    if file is None:
        return None
    content = file.content
    versions = [one for one in Editing(Path(files.site.config), "").versions(name) if one.domain == file.domain]
    return PipelinePage(
        name,
        file.domain,
        content.decode("utf-8", "replace"),
        mark_of(content),
        files.table(file),
        files.may(Permission.EDIT, file) and not _read_only(files),
        versions,
        next((one for one in versions if one.id == version), None),
        _notes(files),
    )


def new_pipeline_page(files: TableFiles, *, may_create: bool) -> PipelinePage:
    """The page of a new file."""
    return PipelinePage(
        "", "", _FIRST.format(name="name"), "", None, may_create and not _read_only(files), notes=_notes(files)
    )


def _read_only(files: TableFiles) -> str:
    return Editing(Path(files.site.config), "").why_read_only()


def _notes(files: TableFiles) -> list[str]:
    return [*files.problems, *filter(None, [_read_only(files)])]
