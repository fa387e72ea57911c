"""Defines the jobs `anomaly_accept` and `anomaly_reopen`, which mark a point as expected and undo that.

`monitoring.anomalies` says what accepting means.
"""

# No `from __future__ import annotations` here: Dagster reads the context's annotation as it stands.
from collections.abc import Callable

import dagster as dg

from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.monitoring.anomalies.acceptance import Series
from dq_pipelines.orchestration.jobs.ops import op_failures
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project

_POINT = {
    "metric": dg.Field(str),
    "column": dg.Field(str, is_required=False),
    "at": dg.Field(str, description="the point's moment in UTC as the check shows it, or its day"),
}
_ACCEPTANCE = {
    "by": dg.Field(str, default_value="Dagster"),
    "note": dg.Field(str, default_value=""),
    "new_level": dg.Field(bool, default_value=False, description="ignore earlier points, learn from this one on"),
}


def anomaly_jobs(project: Project, stores: Stores) -> list[dg.JobDefinition]:
    """Returns both jobs, if any table has anomaly rules. Their run config names the point."""
    tables = {table.name: table for table in project if table.anomalies}
    if not tables:
        return []
    field = {"table": dg.Field(str, description=f"one of {', '.join(tables)}")}

    def series(context: dg.OpExecutionContext) -> Series:
        config = context.op_config
        if config["table"] not in tables:
            problem = f"no table '{config['table']}' watches metrics{nearest(config['table'], tables)}"
            raise ConfigError([Problem("", 0, f"{context.job_name}: {problem}")])
        table = tables[config["table"]]
        metric = (config["metric"], config.get("column"))
        return Series.of(table.key, table.anomalies, stores.history, *metric, daily=table.is_daily)

    def accepted(context: dg.OpExecutionContext) -> str:
        return series(context).accept(
            context.op_config["at"], **{name: context.op_config[name] for name in _ACCEPTANCE}
        )

    def reopened(context: dg.OpExecutionContext) -> str:
        return series(context).reopen(context.op_config["at"])

    return [
        _job("anomaly_accept", "Marks a point as expected", accepted, field | _POINT | _ACCEPTANCE),
        _job("anomaly_reopen", "Undoes the acceptance of a point", reopened, field | _POINT),
    ]


def _job(
    name: str, description: str, do: Callable[[dg.OpExecutionContext], str], config: dict[str, dg.Field]
) -> dg.JobDefinition:
    @dg.op(name=f"{name}_rows", config_schema=config, out=dg.Out(dg.Nothing), description=description)
    def op(context: dg.OpExecutionContext) -> None:
        with op_failures():
            context.log.info(do(context))

    @dg.job(name=name, description=description)
    def job() -> None:
        op()

    return job
