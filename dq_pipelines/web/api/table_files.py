"""The YAML files of tables as a caller may see and change them. Which roles may what is said in `security`."""

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
    """The files as they were when somebody first looked, for one request of one caller.

    They are looked at by themselves, so that one that is not sound, which no project can be made of, can be mended.
    """

    site: Site
    caller: Caller

    @cached_property
    def all(self) -> dict[str, TableFile]:
        return table_files(self.site.config)

    @cached_property
    def known(self) -> LoadedProject:
        """What the files make together, as the site knows it at this moment."""
        return self.site.known()

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the project."""
        return self.known.notes

    @property
    def project(self) -> Project:
        """What the files make together; empty where they are not sound."""
        return self.known.project

    def table(self, file: TableFile) -> Table | None:
        """What the file says, where the project is sound."""
        found = self.project.tables.get(file.name)
        return found if found is not None and found.domain == file.domain else None

    def may(self, permission: Permission, file: TableFile) -> bool:
        """Whether the caller may do that to the table, by the domain and the owners that its file on the disk gives it."""
        grants = self.caller.user.grants
        if may(grants, permission, file.domain):
            return True
        table = self.table(file)
        return may(grants, permission, file.domain, table.model.owners if table else file.owners)

    def why_not(self, permission: Permission, file: TableFile) -> str:
        return why_not(self.caller.user.grants, permission, file.name)

    @cached_property
    def seen(self) -> dict[str, TableFile]:
        """Those that the caller may look at, by name."""
        return {name: file for name, file in sorted(self.all.items()) if self.may(Permission.LOOK, file)}

    def unknown(self, name: str) -> str:
        """One sentence for a name of none that the caller may look at."""
        return f"unknown job '{name[:100]}'{nearest(name, self.seen)}"
