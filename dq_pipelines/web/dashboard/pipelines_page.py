"""Collects the content of the pages of pipelines: each table's YAML file, its schedule, and its earlier versions."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from dq_pipelines.project import Table
from dq_pipelines.project.editing import Editing, Version, versions_kept
from dq_pipelines.project.files import TableFile, mark_of
from dq_pipelines.security.roles import Permission
from dq_pipelines.sources.files import FileSource
from dq_pipelines.web.dashboard.request_context import RequestContext
from dq_pipelines.web.dashboard.table_files import TableFiles
from dq_pipelines.web.dashboard.table_summary import TableSummary

if TYPE_CHECKING:
    from dq_pipelines.web.dashboard.automations import Automation

#: Returns the schedules and sensors of tables, by table.
Automations = Callable[[Iterable[Table]], Mapping[str, Sequence["Automation"]]]

#: Ticks of a schedule that are shown.
_TICKS = 5
#: Pipelines on a page of the list.
_ROWS = 100
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
    #: its schedule and its sensor; empty without Dagster
    automations: Sequence[Automation] = ()

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
    #: what the listed names, domains and owners contain; "" for all
    find: str = ""
    #: how many there are, on all pages
    count: int = 0
    #: the name after which the next page begins; "" on the last one
    after: str = ""
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
    #: its schedule and its sensor; empty without Dagster
    automations: Sequence[Automation] = ()
    #: "created" or "saved" after that was done
    outcome: str = ""
    #: how many earlier versions are kept
    kept: int = 0

    @property
    def is_new(self) -> bool:
        return not self.mark

    @property
    def reads_files(self) -> bool:
        """Whether its source is of files, so that a text can be tried on the newest."""
        return self.table is not None and not self.table.is_gold and isinstance(self.table.landed.source, FileSource)

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


def pipelines_page(
    visit: RequestContext,
    files: TableFiles,
    automations: Automations,
    *,
    may_create: bool,
    find: str = "",
    after: str = "",
) -> PipelinesPage:
    """The files that the caller may view, with the status of their tables: those after a name, a page of them."""
    found = [file for file in files.seen.values() if _has(file, find)]
    later = [file for file in found if file.name > after]
    shown = later[:_ROWS]
    standings = {one.table: one for one in visit.standings()}
    counts = visit.site.lake.soon(sorted(standings))
    tables = [table for file in shown if (table := files.table(file)) is not None]
    started = automations(tables)
    rows = []
    for file in shown:
        table = files.table(file)
        standing = standings.get(table.key) if table is not None else None
        summary = None if standing is None else visit.summary(standing, counts)
        rows.append(PipelineRow(file, table, summary, started.get(file.name, ()) if table is not None else ()))
    following = shown[-1].name if len(later) > len(shown) else ""
    return PipelinesPage(rows, may_create, find, len(found), following, notes_of(files))


def _has(file: TableFile, find: str) -> bool:
    words = (file.name, file.domain, *file.owners) if find else ()
    return not find or any(find.lower() in word.lower() for word in words)


def pipeline_page(
    files: TableFiles, automations: Automations, name: str, version: str = "", outcome: str = ""
) -> PipelinePage | None:
    """The page of a file; None if there is none that the caller may view. `outcome` is what was done before it was opened."""
    file = files.seen.get(name)
    if file is None:
        return None
    content, table = file.content, files.table(file)
    versions = [one for one in Editing(Path(files.site.config), "").versions(name) if one.domain == file.domain]
    return PipelinePage(
        name,
        file.domain,
        content.decode("utf-8", "replace"),
        mark_of(content),
        table,
        files.may(Permission.EDIT, file) and not read_only(files),
        versions,
        next((one for one in versions if one.id == version), None),
        notes_of(files),
        automations([table]).get(name, ()) if table is not None else (),
        outcome,
        versions_kept(),
    )


def new_pipeline_page(files: TableFiles, note: str = "") -> PipelinePage:
    """The page of a new file, for a reader who may create one; `note` says why it begins without a file."""
    notes = [*notes_of(files), *filter(None, [note])]
    return PipelinePage("", "", _FIRST.format(name="name"), "", None, may_edit=True, notes=notes)


def read_only(files: TableFiles) -> str:
    """Why no file can be changed here, in a sentence; "" if files can be."""
    return Editing(Path(files.site.config), "").why_read_only()


def notes_of(files: TableFiles) -> list[str]:
    """The mistakes in the project, and why nothing can be changed."""
    return [*files.problems, *filter(None, [read_only(files)])]
