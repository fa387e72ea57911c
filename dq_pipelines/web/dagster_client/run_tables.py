"""Finds the tables of a Dagster run, since permissions on runs are permissions on their tables."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from dq_pipelines.project import Project
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.auth.authorization import Rights

#: Dagster's name of the job of a schedule or sensor that targets assets, before the schedule's or sensor's name.
ANONYMOUS = "__anonymous_asset_job_"


def tables_of(run: dg.DagsterRun, project: Project) -> tuple[str, ...]:
    """The keys of the assets that a run selects, else of its job's, sorted: `bronze/sales`, `silver/sales`.

    Empty for a job of no particular table (upkeep, purge_runs), and for one that is no longer in the project.
    """
    assets = {key.to_user_string() for key in run.asset_selection or ()}
    checks = {check.asset_key.to_user_string() for check in run.asset_check_selection or ()}
    return tuple(sorted(assets | checks or set(_of_job(run, project))))


def may(rights: Rights, permission: Permission, run: dg.DagsterRun) -> bool:
    """Whether the caller has this permission on all tables of a run; for a run of no table, on every table."""
    return rights.may_all(permission, tables_of(run, rights.project))


def mode_of(run: dg.DagsterRun) -> str | None:
    """The mode in a run's configuration; several are joined by commas. None for none."""
    modes = sorted({str(config["mode"]) for config in _op_configs(run) if "mode" in config})
    return ", ".join(modes) or None


def is_dry(run: dg.DagsterRun) -> bool:
    """Whether the run only reports what it would do."""
    return any(config.get("dry_run") is True for config in _op_configs(run))


def _of_job(run: dg.DagsterRun, project: Project) -> Iterable[str]:
    # Dagster names the anonymous job of a table's schedule or sensor after that schedule or sensor.
    owner, _, ending = run.job_name.removeprefix(ANONYMOUS).rpartition("_")
    if run.job_name.startswith(ANONYMOUS) and ending in ("schedule", "arrivals") and owner in project.tables:
        return project.tables[owner].assets
    kind, _, name = run.job_name.partition("__")
    if kind == "domain":
        return [key for table in project if table.domain == name for key in table.assets]
    if kind in ("table", "checks") and name in project.tables:
        table = project.tables[name]
        return (table.key,) if kind == "checks" else table.assets
    # Jobs outside of assets have their table in the configuration of their one op.
    names = {str(config["table"]).rpartition("/")[2] for config in _op_configs(run) if config.get("table")}
    return [project.tables[name].key for name in names if name in project.tables]


def _op_configs(run: dg.DagsterRun) -> list[dict[str, object]]:
    ops = run.run_config.get("ops") if isinstance(run.run_config, dict) else None
    steps = ops.values() if isinstance(ops, dict) else ()
    configs = [step.get("config") for step in steps if isinstance(step, dict)]
    return [config for config in configs if isinstance(config, dict)]
