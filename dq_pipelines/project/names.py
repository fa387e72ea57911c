"""Checks the names of domains and tables, and refuses names that collide with Dagster's jobs, ops and schedules.

`orchestration` and `pipeline` name jobs, schedules and ops; a test compares them with the names here.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from pathlib import Path

from dq_pipelines.project.model import Project, Table

NAME = re.compile(r"[a-z][a-z0-9_]*")
#: Names that Dagster refuses for ops; each table is an op.
RESERVED = frozenset([
    *keyword.kwlist, "context", "conf", "config", "meta", "arg_dict", "dict", "input_arg_dict", "output_arg_dict",
    "int", "str", "float", "bool", "input", "output", "type",
])  # fmt: skip
#: Jobs with one op, `<job>_rows`.
_OF_ONE_OP = (
    "purge_runs", "quarantine_replay", "quarantine_export", "quarantine_import", "anomaly_accept", "anomaly_reopen",
)  # fmt: skip
#: Jobs of recovery, each with one op, `<job>_op`.
_OF_RECOVERY = ("back_up", "restore_table", "erase_rows")
#: Ops that check a table without its asset.
_OF_A_CHECK = re.compile(r"(silver|gold)__\w+_(freshness_check|file_is_sound)")
#: Prefixes of a table's jobs and ops, as in `table__sales`; `domain__` is that of a domain's job.
_OF_A_TABLE = ("table", "checks", "freshness", "tend", "expire")


def wrong_names(root: Path, relative: Path, settings: str) -> Iterator[str]:
    """Problems with the folder and the name of a file below `root`; `settings` is the one file outside of a domain."""
    name = relative.stem
    if len(relative.parts) == 1:
        if name != settings:
            wanted = f"{root / '<domain>' / relative.name}, or project.yaml"
            yield f"wanted {wanted}: a table stands in the folder of its domain"
        return
    for what, each in (("domain", relative.parts[0]), ("table", name)):
        if not NAME.fullmatch(each):
            yield f"wanted a {what} of a-z, 0-9 and _ that begins with a letter, got '{each}'"
    if name in RESERVED:
        yield f"wanted another name for the table, got '{name}', which Python or Dagster keeps for itself"


def taken(table: Table, project: Project) -> str | None:
    """One sentence if the table's op or schedule would have a name that is taken in Dagster; else None."""
    owner = _owner_of(table.name, project)
    if owner is None and table.model.schedule is not None:
        other = project.tables.get(table.name.removesuffix("_freshness"))
        if other is not None and other is not table and other.is_daily and other.model.freshness is not None:
            owner = f"the freshness schedule of {other.key}"
    return f"wanted another name for the table, got '{table.name}', which is that of {owner}" if owner else None


def may_be_taken(name: str) -> bool:
    """Whether another table of a project could take this name of a table."""
    return "__" in name or name.endswith("_freshness") or name == "retention"


def _owner_of(name: str, project: Project) -> str | None:
    ops = (*(f"{job}_rows" for job in _OF_ONE_OP), *(f"{job}_op" for job in _OF_RECOVERY))
    maintenance = {"upkeep", *_OF_ONE_OP, *_OF_RECOVERY, *ops}
    with_retention = name == "retention" and any(getattr(table.model, "retention", None) for table in project)
    if name in maintenance or with_retention:
        return "a maintenance job"
    if _OF_A_CHECK.fullmatch(name):
        return "a check"
    kind, _, rest = name.partition("__")
    if (kind == "domain" and rest in project.domains) or (kind in _OF_A_TABLE and rest in project.tables):
        return f"a job or an op of the {'domain' if kind == 'domain' else 'table'} {rest}"
    return None
