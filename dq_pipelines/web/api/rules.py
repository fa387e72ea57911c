"""Launches a run that judges a published table by its rules, without materializing anything."""

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
from dq_pipelines.rules.core.check_names import renamed
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
    """The rules of a table to judge."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"table": "silver/sales", "rules": ["expect_column_values_to_be_between", "schema_drift"]}]
        },
    )

    table: Key = Field(description="The published table.")
    rules: Annotated[Sequence[Text], Field(max_length=1000)] = Field(
        (), description="Types of rules or names of checks; by default all of the table."
    )
    partition: Text | None = Field(
        None,
        description="A partition of a partitioned table, or `<first>...<last>`, each judged by itself. By default the whole table.",
        examples=["2026-11-01"],
    )


@router.post(
    "/rules/run",
    summary="Judge a published table by its rules now",
    description="Launches a run that judges the published table as it is, and materializes nothing.",
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
    launch = Launch(
        f"checks__{table.name}",
        checks={table.key: checks} if wanted.rules else {},
        tags={"dq/table": table.key} | _partition(table, wanted.partition, dagster),
    )
    run = launch.submit(caller, dagster)
    note(request, "rules.run", table.key, run=run, rules=list(wanted.rules), partition=wanted.partition)
    return launched(dagster, rights, behind, response, run)


def _partition(table: Table, wanted: str | None, dagster: DagsterHost) -> dict[str, str]:
    """The tags of the wanted partitions. Raises ApiError (422) if the table does not have them."""
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
    """The wanted checks, in the table's order. Raises ApiError (422), with the nearest name, for unknown names."""
    called: dict[str, set[str]] = {check: {check, rule.type} for check, rule in rules_by_check(table).items()}
    # Requests that were written for an earlier release name checks as it did.
    names = [name if name in called else renamed(name) if renamed(name) in called else name for name in names]
    called |= {rule.check: {rule.check, "anomaly"} for rule in table.anomalies}
    # Checks that every landed table has by default.
    of_all = [spec.name for spec in check_specs(table) if spec.asset_key.to_user_string() == table.key]
    called = {name: {name} for name in of_all} | called
    if not called:
        raise ApiError(422, f"body.table: {table.key} has no rules")
    every = {name for one in called.values() for name in one}
    if unknown := [name for name in names if name not in every]:
        lines = [f"body.rules: {table.key} has no rule '{name}'{nearest(name, sorted(every))}" for name in unknown]
        raise ApiError(422, in_lines(lines))
    return [check for check, ways in called.items() if ways & set(names)]
