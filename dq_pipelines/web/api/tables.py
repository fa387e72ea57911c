"""Serves tables with their status, their verdicts and their attempts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.attempts import Attempts
from dq_pipelines.history.store.status import Outcome, Status
from dq_pipelines.orchestration.checks.left_out_tables import with_left_out
from dq_pipelines.project import Table
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Behind, Own, somewhere
from dq_pipelines.web.api.paging import NAMED, NUMBERED, Cursor, Limit, Page, cursor_of, place_in
from dq_pipelines.web.api.table_keys import Remembered
from dq_pipelines.web.api.texts import Text
from dq_pipelines.web.api.verdicts import VerdictCounts
from dq_pipelines.web.problem_details import problems

router = APIRouter(tags=["tables"], dependencies=[Depends(somewhere(Permission.LOOK))])


class TableResults(BaseModel):
    """The current verdicts of a table: that of the latest batch, or those of the latest batch of each partition together."""

    at: datetime = Field(description="When judging of the newest of these batches began.")
    run_id: str
    score: float = Field(description="Quality score in percent.", examples=[98.5])
    rows_in: int
    published: int
    refused: int
    dropped: int
    held: int = Field(description="Rows of blocked batches: neither published nor refused.")
    open: int | None = Field(
        description="The number of reasons of open rows in quarantine; null if there is no quarantine."
    )
    failing: Sequence[str] = Field(
        description="Failing checks, the worst first: in the last batch, by open rows in quarantine, or by a re-check.",
        examples=[["amount_between"]],
    )
    checks: int
    rechecked_at: datetime | None = Field(
        description="When published rows were last judged again, if that re-check is still current."
    )


class AttemptLine(BaseModel):
    """The outcome of one run of a table, with or without a verdict."""

    model_config = ConfigDict(from_attributes=True)

    table: str = Field(examples=["silver/sales"])
    partition: str | None
    run_id: str
    outcome: Outcome = Field(
        description="`waiting`: an upstream table is blocked; `checked`: published rows were judged again."
    )
    said: str = Field(description="Why, in one sentence; empty on success.")
    batch: str = Field(description="Empty if unknown.")
    started_at: datetime
    ended_at: datetime | None
    recheck: bool = Field(description="Whether the run only judged published rows.")


class TableLine(BaseModel):
    """A table with its current state."""

    key: str = Field(examples=["silver/sales"])
    domain: str = Field(examples=["retail"])
    description: str | None
    owners: Sequence[str] = Field(examples=[["team:retail"]])
    status: Status = Field(description="See docs/statuses.md.")
    standing: TableResults | None = Field(description="Null if nothing was judged yet.")
    attempt: AttemptLine | None = Field(
        description="The last failed attempt, else the last attempt; null if there is none."
    )


class Result(BaseModel):
    """The result of one rule."""

    model_config = ConfigDict(from_attributes=True)

    check: str = Field(examples=["amount_between"])
    rule: str = Field(examples=["expect_column_values_to_be_between"])
    column: str | None
    severity: str = Field(examples=["critical"])
    success: bool
    blocks: bool = Field(description="Whether its failure blocked the batch.")
    element_count: int | None
    missing_count: int | None
    unexpected_count: int | None
    observed_value: Any = Field(None, description="A JSON value, whose meaning depends on the rule.")
    remark: str | None = Field(None, description="A remark on the observed value.")
    error: str | None = Field(description="Why the rule could not be judged.")
    score: float
    dimension: str | None


class Verdict(VerdictCounts):
    """The verdict on one batch: the results of its rules, and the number of its rows by outcome."""

    table: str = Field(examples=["silver/sales"])
    started_at: datetime
    duration_seconds: float
    results: Sequence[Result]


@router.get(
    "/tables",
    summary="Tables with their status",
    description="Sorted by key; only tables that the caller may view.",
    operation_id="tables",
    responses=problems(422, 503),
)
def tables(
    behind: Behind,
    rights: Own,
    domain: Annotated[Text | None, Query(description="Only tables of this domain.", examples=["retail"])] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[TableLine]:
    after = place_in(NAMED, cursor) or ""
    left_out = {one.key: one for one in rights.project.left_out if one.key}
    every = sorted([*rights.project, *left_out.values()], key=lambda table: table.key)
    wanted = [t for t in every if t.key > after and domain in (None, t.domain) and rights.sees(t.key)]
    behind.site.settle()
    shown = {table.key for table in wanted[:limit]}
    latest = behind.site.latest() if shown else {}
    found = [latest[key] for key in shown if key in latest]
    lake = behind.site.lake_now([one.table for one in found])
    now = [behind.site.summary(one, lake, rights.project).standing for one in found]
    stands = {one.table: one for one in with_left_out(now, (left_out[key] for key in shown & left_out.keys()))}
    items = [
        TableLine(
            key=table.key,
            domain=table.domain,
            description=table.model.description if isinstance(table, Table) else None,
            owners=list(table.model.owners if isinstance(table, Table) else table.owners),
            **_standing(stands.get(table.key)),
        )
        for table in wanted[:limit]
    ]
    return Page(items=items, next=cursor_of(items[-1].key) if len(wanted) > limit else None)


@router.get(
    "/tables/{key:path}/verdicts",
    summary="Verdicts on a table's batches, newest first",
    operation_id="verdicts",
    responses=problems(404, 422, 503),
)
def verdicts(
    key: Remembered,
    behind: Behind,
    partition: Annotated[Text | None, Query(description="Only verdicts on this partition.")] = None,
    batch: Annotated[Text | None, Query(description="Only verdicts on this batch.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[Verdict]:
    history = behind.site.stores.history
    before = place_in(NUMBERED, cursor)
    found = history.page_of_table(key, limit + 1, before, partition, batch) if history.is_begun else []
    return Page(
        items=[Verdict.model_validate(one) for _, one in found[:limit]],
        next=cursor_of(found[limit - 1][0]) if len(found) > limit else None,
    )


@router.get(
    "/tables/{key:path}/attempts",
    summary="Attempts: the outcomes of a table's runs, newest first",
    description="Including runs without a verdict: the source was missing, an upstream table was blocked, the run was killed.",
    operation_id="attempts",
    responses=problems(404, 422, 503),
)
def attempts(key: Remembered, behind: Behind, limit: Limit = 20, cursor: Cursor = None) -> Page[AttemptLine]:
    behind.site.settle()
    found = Attempts(behind.site.stores.history).page([key], limit + 1, place_in(NUMBERED, cursor))
    return Page(
        items=[AttemptLine.model_validate(one) for _, one in found[:limit]],
        next=cursor_of(found[limit - 1][0]) if len(found) > limit else None,
    )


def _standing(of: TableStatus | None) -> dict[str, Any]:
    """Status, verdicts and attempt of a table."""
    if of is None:
        return {"status": "never_run", "standing": None, "attempt": None}
    standing = None
    if of.latest is not None and of.score is not None:
        standing = TableResults(
            at=of.latest.started_at, run_id=of.latest.run_id, score=of.score, rows_in=of.rows_in, published=of.published,
            refused=of.refused, dropped=of.dropped, held=of.held, open=of.open_rows,
            failing=[rule.one.check for rule in of.failed], checks=len(of.rules),
            rechecked_at=max((one.started_at for one in of.rechecks), default=None),
        )  # fmt: skip
    attempt = AttemptLine.model_validate(of.attempt) if of.attempt is not None else None
    return {"status": of.status, "standing": standing, "attempt": attempt}
