"""The YAML files of tables that a caller may view or change."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property

from dq_pipelines.errors import Problem, nearest
from dq_pipelines.project import LeftOut, Project, Table
from dq_pipelines.project.files import TableFile, table_files
from dq_pipelines.security.roles import Permission, may, why_not
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.dashboard.site import LoadedProject, Site

#: Keys of tables in a sentence, in YAML's words and SQL's.
_TABLE = re.compile(r"\b(bronze|silver|gold|quarantine)[/.]([A-Za-z_]\w*)")


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
        """The mistakes in the project. A caller of some tables reads those of their tables, and that there are others."""
        if may(self.caller.user.grants, Permission.LOOK):
            return self.known.notes
        mine = [] if self.known.is_stale else list(filter(self._is_seen, self.project.left_out))
        others = len(self.known.notes) > len(mine)
        return (*map(self._left_out, mine), *(self.known.without_details().notes if others else ()))

    def _is_seen(self, table: LeftOut) -> bool:
        return table.name in self.seen and self.seen[table.name].domain == table.domain

    def _left_out(self, table: LeftOut) -> str:
        readable = tuple(self.readable(problem, table.name) for problem in table.problems)
        return f"Left out: {replace(table, problems=readable).why}"

    def readable(self, problem: Problem, name: str) -> Problem:
        """The problem of this table as the caller may read it: without names of tables that they may not view."""
        rights = Rights(self.caller, self.project)
        named = {key for key in _TABLE.findall(problem.message) if key[1] != name}
        if all(rights.sees("/".join(key)) for key in named):
            return problem
        return replace(problem, message="it names a table that does not exist, or that you may not view")

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
