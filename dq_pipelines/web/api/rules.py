"""Rules, asked now: a run of a table's checks alone. What they say of the published table is judged by that run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from dq_pipelines.errors import ConfigError, nearest
from dq_pipelines.orchestration.checks.rule_checks import check_specs
from dq_pipelines.orchestration.runs.run_partition import has_partitions, partition_tags, partitions_of_run
from dq_pipelines.project import Table
from dq_pipelines.project.checked_rules import rules_by_check
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Asker, Behind, Dagster, Own, must, note, somewhere
from dq_pipelines.web.api.runs import RunLine, launched
from dq_pipelines.web.api.table_keys import Key, known
from dq_pipelines.web.api.texts import Text
from dq_pipelines.web.dagster_client import DagsterHost
from dq_pipelines.web.dagster_client.launching import Launch
from dq_pipelines.web.problem_details import ApiError, in_lines, problems

router = APIRouter(tags=["rules"])


class RuleSelection(BaseModel):
    """Which rules of which table."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"table": "silver/sales", "rules": ["expect_column_values_to_be_between", "schema_drift"]}]
        },
    )

    table: Key = Field(description="The published table.")
    rules: Annotated[Sequence[Text], Field(max_length=1000)] = Field(
        (), description="Types of rules, or names of checks; none for all that the table has."
    )
    partition: Text | None = Field(
        None,
        description="Of a partitioned table, which one, or `<first>...<last>`: each of them is judged by itself. None for the whole table.",
        examples=["2026-11-01"],
    )


@router.post(
    "/rules/run",
    summary="Ask a table's rules now",
    description="In a run of its own that judges the published table as it stands, and materializes nothing.",
    operation_id="run_rules",
    status_code=202,
    responses=problems(404, 422, 502, 503),
    dependencies=[Depends(somewhere(Permission.RUN))],
)
def run_rules(
    wanted: RuleSelection,
    request: Request,
    response: Response,
    caller: Asker,
    behind: Behind,
    dagster: Dagster,
    rights: Own,
) -> RunLine:
    table = known(rights, wanted.table)
    must(request, rights, Permission.RUN, table.key, "rules.run")
    checks = _checks(table, wanted.rules)
    what = Launch(
        f"checks__{table.name}",
        checks={table.key: checks} if wanted.rules else {},
        tags={"dq/table": table.key} | _partition(table, wanted.partition, dagster),
    )
    run = what.submit(caller, dagster)
    note(request, "rules.run", table.key, run=run, rules=list(wanted.rules), partition=wanted.partition)
    return launched(dagster, rights, behind, response, run)


def _partition(table: Table, wanted: str | None, dagster: DagsterHost) -> dict[str, str]:
    """The tags that say which partitions are meant; raises ApiError (422) for some that the table does not have."""
    if wanted is None:
        return {}
    if not has_partitions(table):
        raise ApiError(422, f"body.partition: {table.key} has no partitions: wanted none, got '{wanted}'")
    try:
        partitions_of_run(table, partition_tags(wanted), dagster.instance)
    except ConfigError as error:
        raise ApiError(422, f"body.partition: {error}") from None
    return partition_tags(wanted)


def _checks(table: Table, names: Sequence[str]) -> list[str]:
    """The checks that are meant, in the table's order; raises ApiError (422), with the nearest, for names that are none's."""
    called: dict[str, set[str]] = {check: {check, rule.type} for check, rule in rules_by_check(table).items()}
    called |= {rule.check: {rule.check, "anomaly"} for rule in table.anomalies}
    # What every landed table has without being asked.
    of_all = [spec.name for spec in check_specs(table) if spec.asset_key.to_user_string() == table.key]
    called = {name: {name} for name in of_all} | called
    if not called:
        raise ApiError(422, f"body.table: {table.key} has no rules")
    every = {name for one in called.values() for name in one}
    if unknown := [name for name in names if name not in every]:
        said = [f"body.rules: {table.key} has no rule '{name}'{nearest(name, sorted(every))}" for name in unknown]
        raise ApiError(422, in_lines(said))
    return [check for check, ways in called.items() if ways & set(names)]
