"""Defines the jobs `retention` and `upkeep`, and their schedules. `pipeline.maintenance` does the work."""

# No `from __future__ import annotations` here: Dagster reads the context's annotation as it stands.
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

import dagster as dg

from dq_pipelines.orchestration.checks.rule_checks import asset_key
from dq_pipelines.orchestration.jobs.ops import clock, op_failures, work_on
from dq_pipelines.orchestration.runs.run_queue import SEVERAL, TABLES_TAG
from dq_pipelines.pipeline.maintenance.compaction import UpkeepResult, run_upkeep
from dq_pipelines.pipeline.maintenance.retention import Expiry, expire
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project, Table

_RETENTION, _UPKEEP = "retention", "upkeep"


def upkeep_jobs(project: Project, stores: Stores) -> list[dg.JobDefinition]:
    """Returns the job `upkeep` of every table, and `retention` if any table has retention."""
    keep = project.settings.upkeep.length
    wanted = (
        (_RETENTION, "Deletes rows that are older than their table's retention", _expire_ops(project, stores)),
        (
            _UPKEEP,
            "Compacts small files and removes old ones",
            [_tend_op(table, stores, keep) for table in project],
        ),
    )
    return [_job(name, description, ops) for name, description, ops in wanted if ops]


def _job(name: str, description: str, ops: Sequence[dg.OpDefinition]) -> dg.JobDefinition:
    @dg.job(name=name, description=description, tags={TABLES_TAG: SEVERAL})
    def every() -> None:
        for op in ops:
            op()

    return every


def upkeep_schedules(project: Project) -> list[dg.ScheduleDefinition]:
    """Returns the schedules of `upkeep_jobs`."""
    retention = [clock(_RETENTION, project.settings.retention_schedule)] if project.with_retention else []
    upkeep = [clock(_UPKEEP, project.settings.upkeep.schedule)] if len(project) else []
    return [*retention, *upkeep]


def _expire_ops(project: Project, stores: Stores) -> list[dg.OpDefinition]:
    return [_expire_op(table, stores) for table in project.with_retention]


def _tend_op(table: Table, stores: Stores, keep: timedelta) -> dg.OpDefinition:
    @dg.op(name=f"tend__{table.name}", pool=f"table_{table.name}", out=dg.Out(dg.Nothing))
    def tended(context: dg.OpExecutionContext) -> None:
        with op_failures(stores.lake, table):
            results = run_upkeep(work_on(context, table, stores), stores.backups, keep)
        rows = [dg.TableRecord({**asdict(each)}) for each in results]
        columns = [
            dg.TableColumn(each.name, "string" if each.type == "str" else "int") for each in fields(UpkeepResult)
        ]
        context.add_output_metadata({"tables": dg.MetadataValue.table(rows, schema=dg.TableSchema(columns))})

    return tended


def _expire_op(table: Table, stores: Stores) -> dg.OpDefinition:
    # One op per table: a failure does not stop the others, and the table's pool limits it.
    @dg.op(name=f"expire__{table.name}", pool=f"table_{table.name}", out=dg.Out(dg.Nothing))
    def expired(context: dg.OpExecutionContext) -> None:
        with op_failures(stores.lake, table):
            expiry = expire(work_on(context, table, stores), stores.backups, context.run_id)
        if expiry is None:
            context.log.info("%s: nothing is published yet", table.key)
            return
        metadata = _expiry_metadata(expiry)
        context.add_output_metadata(metadata)
        for key in expiry.rows:
            context.log_event(dg.AssetObservation(asset_key(key), metadata=metadata))

    return expired


def _expiry_metadata(expiry: Expiry) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "table": expiry.table,
        "before": dg.MetadataValue.timestamp(expiry.before),
        "why": expiry.why,
        "rows_untold": expiry.untraceable,
    }
    metadata |= {f"expired_{key.partition('/')[0]}": rows for key, rows in expiry.rows.items()}
    metadata |= {f"backed_up_{key.partition('/')[0]}": rows for key, rows in (expiry.backed_up or {}).items()}
    return metadata
