"""Upkeep: jobs, and their schedules, that look after tables rather than fill them. What they do belongs in `pipeline`."""

# No `from __future__ import annotations` here: Dagster reads the context's annotation as it stands.
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

import dagster as dg

from dq_pipelines.orchestration.checks.rule_checks import asset_key
from dq_pipelines.orchestration.jobs.ops import clock, told_in_a_sentence, work_on
from dq_pipelines.orchestration.runs.run_queue import SEVERAL, TABLES_TAG
from dq_pipelines.pipeline.maintenance.compaction import Tended, tend
from dq_pipelines.pipeline.maintenance.retention import Expiry, expire
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import LandedTable, Project, Table

_RETENTION, _UPKEEP = "retention", "upkeep"


def upkeep_jobs(project: Project, stores: Stores) -> list[dg.JobDefinition]:
    """`retention`, where a table has it, and `upkeep` of every table."""
    keep = project.settings.upkeep.length
    wanted = (
        (_RETENTION, "Deletes rows that are older than their tables keep them", _expire_ops(project, stores)),
        (
            _UPKEEP,
            "Puts small files together and removes old ones",
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
    """The clocks of `upkeep_jobs`."""
    retention = [clock(_RETENTION, project.settings.retention_schedule)] if _with_retention(project) else []
    upkeep = [clock(_UPKEEP, project.settings.upkeep.schedule)] if len(project) else []
    return [*retention, *upkeep]


def _with_retention(project: Project) -> list[Table]:
    return [table for table in project if isinstance(table.model, LandedTable) and table.model.retention is not None]


def _expire_ops(project: Project, stores: Stores) -> list[dg.OpDefinition]:
    return [_expire_op(table, stores) for table in _with_retention(project)]


def _tend_op(table: Table, stores: Stores, keep: timedelta) -> dg.OpDefinition:
    @dg.op(name=f"tend__{table.name}", pool=f"table_{table.name}", out=dg.Out(dg.Nothing))
    def tended(context: dg.OpExecutionContext) -> None:
        with told_in_a_sentence(stores.lake, table):
            found = tend(work_on(context, table, stores), stores.backups, keep)
        rows = [dg.TableRecord({**asdict(each)}) for each in found]
        columns = [dg.TableColumn(each.name, "string" if each.type == "str" else "int") for each in fields(Tended)]
        context.add_output_metadata({"tables": dg.MetadataValue.table(rows, schema=dg.TableSchema(columns))})

    return tended


def _expire_op(table: Table, stores: Stores) -> dg.OpDefinition:
    # An op per table: one that fails does not keep the others from their turn, and the table's pool counts it.
    @dg.op(name=f"expire__{table.name}", pool=f"table_{table.name}", out=dg.Out(dg.Nothing))
    def expired(context: dg.OpExecutionContext) -> None:
        with told_in_a_sentence(stores.lake, table):
            expiry = expire(work_on(context, table, stores), stores.backups, context.run_id)
        if expiry is None:
            context.log.info("%s: nothing is published yet", table.key)
            return
        metadata = _told(expiry)
        context.add_output_metadata(metadata)
        for key in expiry.rows:
            context.log_event(dg.AssetObservation(asset_key(key), metadata=metadata))

    return expired


def _told(expiry: Expiry) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "table": expiry.table,
        "before": dg.MetadataValue.timestamp(expiry.before),
        "why": expiry.why,
        "rows_untold": expiry.untold,
    }
    metadata |= {f"expired_{key.partition('/')[0]}": rows for key, rows in expiry.rows.items()}
    metadata |= {f"backed_up_{key.partition('/')[0]}": rows for key, rows in (expiry.backed_up or {}).items()}
    return metadata
