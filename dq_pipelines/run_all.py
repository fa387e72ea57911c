"""`python -m dq_pipelines.run_all`: materialize every table with its checks, once, through Dagster.

Tables without partitions that are ready together share a run; a partitioned table has a run per
partition with something new. A failed run does not stop the tables that do not depend on it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import dagster as dg

from dq_pipelines.orchestration.jobs.asset_job import assets_of
from dq_pipelines.orchestration.runs.run_partition import has_partitions
from dq_pipelines.orchestration.sensors.arrivals import Arrivals
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project, Table

#: The console shows what went wrong; the whole log is in Dagster's own.
_QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}


def stages(project: Project) -> Iterator[list[Table]]:
    """The tables in an order in which each comes after what it reads: partitioned ones alone, others together."""
    waiting = list(project)
    while waiting:
        keys = {table.key for table in waiting}
        ready = [table for table in waiting if not keys & set(table.upstream) and has_partitions(table)]
        # Dagster orders the tables of one run; all that do not wait for a partitioned one can be in it.
        stage = ready[:1] if ready else _closure(waiting)
        yield stage
        waiting = [table for table in waiting if table not in stage]


def _closure(waiting: Sequence[Table]) -> list[Table]:
    blocked = {table.key for table in waiting if has_partitions(table)}
    while more := {table.key for table in waiting if set(table.upstream) & blocked} - blocked:
        blocked |= more
    return [table for table in waiting if table.key not in blocked]


def run_all(project: Project, definitions: dg.Definitions, stores: Stores, instance: dg.DagsterInstance) -> bool:
    """Materialize everything; whether every run succeeded."""
    job = definitions.resolve_implicit_global_asset_job_def()
    graph = definitions.resolve_asset_graph()
    succeeded = True
    for tables in stages(project):
        keys = sorted(assets_of(*tables).resolve(graph))
        for partition in _partitions(tables[0], stores, instance):
            result = job.execute_in_process(
                instance=instance,
                asset_selection=keys,
                partition_key=partition,
                run_config=_QUIET,
                raise_on_error=False,
            )
            succeeded &= result.success
            _tell(tables, partition, result)
    return succeeded


def _partitions(table: Table, stores: Stores, instance: dg.DagsterInstance) -> list[str | None]:
    if not has_partitions(table):
        return [None]
    arrived = Arrivals.of(table, stores.lake)
    if new := arrived.new_partitions(instance):
        instance.add_dynamic_partitions(f"{table.name}_files", new)
    return list(arrived.by_partition)


def _tell(tables: Sequence[Table], partition: str | None, result: dg.ExecuteInProcessResult) -> None:
    what = ", ".join(table.name for table in tables) + (f" [{partition}]" if partition else "")
    print(f"{'done  ' if result.success else 'FAILED'} {what}")
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            said = failure.user_failure_data.description if failure.user_failure_data else failure.error_display_string
            print(f"       {said}", file=sys.stderr)


def main() -> int:
    from dq_pipelines.config.settings import Settings
    from dq_pipelines.definitions import defs
    from dq_pipelines.project import load_sound_tables

    project = load_sound_tables(Settings.from_environment().config)
    for one in project.left_out:
        print(f"left out: {one.why}", file=sys.stderr)
    with dg.DagsterInstance.get() as instance:
        went_well = run_all(project, defs, Stores.from_environment(), instance)
    return 0 if went_well and not project.left_out else 1


if __name__ == "__main__":
    sys.exit(main())
