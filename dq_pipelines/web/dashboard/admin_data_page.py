"""Collects the content of the page Admin, Data: versions of tables to restore, and the backups of the installation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from dq_pipelines.backups.folder import MadeBackup, backup_folder, backups_in
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, PublishError
from dq_pipelines.lake.formats.snapshot import CommitRecord
from dq_pipelines.web.dashboard.site import Site

#: Versions of a table that are listed.
_VERSIONS = 20


@dataclass(frozen=True)
class DataPage:
    """What can be restored, erased and backed up."""

    #: names of tables
    tables: Sequence[str]
    #: of these, the tables with a source: their rows can be erased
    landed: Sequence[str]
    #: the table whose versions are listed; "" for none
    table: str
    #: the latest versions of that table, the newest first
    versions: Sequence[CommitRecord]
    backups: Sequence[MadeBackup]
    #: the folder of the backups; "" if there can be none, and `why` says why
    folder: str
    why: str = ""
    tab: str = "data"


def data_page(site: Site, table: str) -> DataPage:
    """The page; `table` is a name that the address gives."""
    project = site.known().project
    found = project.tables.get(table.rpartition("/")[2])
    versions: list[CommitRecord] = []
    if found is not None:
        try:
            versions = list(islice(site.stores.lake.table(found.key).snapshot().history(), _VERSIONS))
        except PublishError:
            versions = []  # the dry run says why
    try:
        folder, why = backup_folder(Settings.from_environment()), ""
    except ConfigError as error:
        folder, why = None, error.problems[0].message
    return DataPage(
        sorted(project.tables),
        sorted(one.name for one in project if not one.is_gold),
        found.name if found is not None else "",
        versions,
        backups_in(folder) if folder is not None else (),
        str(folder or ""),
        why,
    )
