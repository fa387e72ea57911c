"""The YAML files of tables that a caller may view or change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from dq_pipelines.errors import nearest
from dq_pipelines.project import Project, Table
from dq_pipelines.project.files import TableFile, table_files
from dq_pipelines.security.roles import Permission, may, why_not
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.dashboard.site import LoadedProject, Site


@dataclass(frozen=True)
class TableFiles:
    """The files for one request of one caller, read once.

    They are read one by one, so that a file with mistakes, which cannot be loaded, can still be viewed and corrected.
    """

    site: Site
    caller: Caller

    @cached_property
    def all(self) -> dict[str, TableFile]:
        return table_files(self.site.config)

    @cached_property
    def known(self) -> LoadedProject:
        """The project of these files, as the site knows it now."""
        return self.site.known()

    @property
    def problems(self) -> tuple[str, ...]:
        """The mistakes in the project; for a caller of some tables, that there are any: they may be in other tables' files."""
        sees_all = may(self.caller.user.grants, Permission.LOOK)
        return (self.known if sees_all else self.known.without_details()).notes

    @property
    def project(self) -> Project:
        """The project of these files; empty if it cannot be loaded."""
        return self.known.project

    def table(self, file: TableFile) -> Table | None:
        """The table of this file; None if the project has none."""
        table = self.project.tables.get(file.name)
        return table if table is not None and table.domain == file.domain else None

    def may(self, permission: Permission, file: TableFile) -> bool:
        """Whether the caller has this permission on the table, by the domain and the owners in its file."""
        grants = self.caller.user.grants
        if may(grants, permission, file.domain):
            return True
        table = self.table(file)
        return may(grants, permission, file.domain, table.model.owners if table else file.owners)

    def why_not(self, permission: Permission, file: TableFile) -> str:
        return why_not(self.caller.user.grants, permission, file.name)

    @cached_property
    def seen(self) -> dict[str, TableFile]:
        """The files that the caller may view, by name."""
        return {name: file for name, file in sorted(self.all.items()) if self.may(Permission.LOOK, file)}

    def unknown(self, name: str) -> str:
        """A sentence about an unknown name, with the nearest one that the caller may view."""
        return f"unknown job '{name[:100]}'{nearest(name, self.seen)}"
