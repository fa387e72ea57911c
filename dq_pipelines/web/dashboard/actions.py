"""What the reader of a page may do. The pages only show it; the REST API does it, and checks every right again."""

from __future__ import annotations

from dataclasses import dataclass

from dq_pipelines.project import Table
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.auth.authorization import Rights


@dataclass(frozen=True)
class Actions:
    """The actions that a page offers to its reader."""

    #: the address of the REST API
    api: str
    rights: Rights
    #: whether this server hosts Dagster: without it, no run can be started
    hosts_dagster: bool

    def may_run(self, key: str) -> bool:
        """Whether the reader may start runs of this table."""
        return self.hosts_dagster and self._table(key) is not None and self.rights.may(Permission.RUN, key)

    def may_schedule(self, key: str) -> bool:
        """Whether the reader may turn the table's schedule and sensor on and off."""
        return self.hosts_dagster and self._table(key) is not None and self.rights.may(Permission.SCHEDULE, key)

    def may_heal(self, key: str) -> bool:
        """Whether the reader may correct, dismiss and replay refused rows of this table."""
        return self._table(key) is not None and self.rights.may(Permission.HEAL, key)

    def has(self, key: str) -> bool:
        """Whether the project has this table, and so its YAML."""
        return self._table(key) is not None

    def is_partitioned(self, key: str) -> bool:
        """Whether runs of the table need a partition."""
        table = self._table(key)
        return table is not None and not table.is_gold and table.landed.partitions is not None

    def may_start_whole(self, key: str) -> bool:
        """Whether the reader may start a run of the table without choosing a partition."""
        return self.may_run(key) and not self.is_partitioned(key)

    def startable(self) -> list[str]:
        """The keys of the tables that the reader may start, sorted."""
        return sorted(table.key for table in self.rights.project if self.may_run(table.key))

    def _table(self, key: str) -> Table | None:
        return self.rights.project.by_key(key)
