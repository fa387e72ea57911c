"""Jobs on anomalies: accept a point, take that back, with the history and logs of a run. What it means is in `monitoring`."""

# No `from __future__ import annotations` here: Dagster reads the context's annotation as it stands.
from collections.abc import Callable

import dagster as dg

from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.monitoring.anomalies.accepting import Series
from dq_pipelines.orchestration.jobs.ops import told_in_a_sentence
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project

_POINT = {
    "metric": dg.Field(str),
    "column": dg.Field(str, is_required=False),
    "at": dg.Field(str, description="the point's moment in UTC as the check shows it, or its day"),
}
_WORD = {
    "by": dg.Field(str, default_value="Dagster"),
    "note": dg.Field(str, default_value=""),
    "new_level": dg.Field(bool, default_value=False, description="forget what was before, learn from this point"),
}


def anomaly_jobs(project: Project, stores: Stores) -> list[dg.JobDefinition]:
    """`anomaly_accept` and `anomaly_reopen`, where a table watches metrics; each is told the point in its configuration."""
    known = {table.name: table for table in project if table.anomalies}
    if not known:
        return []
    table = {"table": dg.Field(str, description=f"one of {', '.join(known)}")}

    def series(context: dg.OpExecutionContext) -> Series:
        asked = context.op_config
        if asked["table"] not in known:
            said = f"{context.job_name}: no table '{asked['table']}' watches metrics{nearest(asked['table'], known)}"
            raise ConfigError([Problem("", 0, said)])
        found = known[asked["table"]]
        about = (asked["metric"], asked.get("column"))
        return Series.asked(found.key, found.anomalies, stores.history, *about, daily=found.is_daily)

    def accepted(context: dg.OpExecutionContext) -> str:
        return series(context).accept(context.op_config["at"], **{name: context.op_config[name] for name in _WORD})

    def reopened(context: dg.OpExecutionContext) -> str:
        return series(context).reopen(context.op_config["at"])

    return [
        _job("anomaly_accept", "Says that a point is as it should be", accepted, table | _POINT | _WORD),
        _job("anomaly_reopen", "Takes back that a point was accepted", reopened, table | _POINT),
    ]


def _job(
    name: str, description: str, do: Callable[[dg.OpExecutionContext], str], config: dict[str, dg.Field]
) -> dg.JobDefinition:
    @dg.op(name=f"{name}_rows", config_schema=config, out=dg.Out(dg.Nothing), description=description)
    def op(context: dg.OpExecutionContext) -> None:
        with told_in_a_sentence():
            context.log.info(do(context))

    @dg.job(name=name, description=description)
    def job() -> None:
        op()

    return job
