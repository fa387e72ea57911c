"""Lists a table's refused rows with their reasons, and replays them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter
from dq_pipelines.pipeline.quarantine.quarantine_summary import FIRST_PAGE, PageCursor, page
from dq_pipelines.pipeline.quarantine.refused_rows import cells_in
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Asker, Behind, Dagster, Own, must, note, somewhere
from dq_pipelines.web.api.paging import Cursor, Limit, Page, cursor_of, place_in
from dq_pipelines.web.api.quarantine_rows import MOST_ROWS, RowId
from dq_pipelines.web.api.runs import RunLine, launched
from dq_pipelines.web.api.table_keys import OfProject, Quarantined
from dq_pipelines.web.api.table_work import audited, landed
from dq_pipelines.web.api.texts import Text
from dq_pipelines.web.dagster_client.launching import Launch
from dq_pipelines.web.problem_details import problems

router = APIRouter(tags=["quarantine"])

_JOB = "quarantine_replay"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Microseconds since 1970 (null if a row's landing time is unknown), the row's id, and how many rows of that place were listed.
_PLACE: TypeAdapter[tuple[int | None, str | None, int]] = TypeAdapter(
    tuple[Annotated[int, Field(ge=0, le=10**17)] | None, Annotated[str, Field(max_length=4096)] | None,
          Annotated[int, Field(ge=1, le=10**9)]]
)  # fmt: skip


class Reason(BaseModel):
    """A reason for which a row was refused."""

    rule: str = Field(description="The rule's type; `cast` or `unreadable`.", examples=["cast"])
    column: str | None = Field(examples=["amount"])
    value: str | None = Field(examples=["12,5O"])


class RefusedRow(BaseModel):
    """A refused row with all its cells."""

    id: str | None = Field(description="Null if a step dropped the origin of its rows.")
    status: str = Field(description="open, fixed, replayed, dismissed or superseded.", examples=["open"])
    reasons: Sequence[Reason]
    source: str | None = Field(description="The input that contained it.", examples=["landing/retail/sales/1.csv"])
    row: int | None = Field(description="The line, sheet row or record in the input.")
    batch: str | None
    partition: str | None
    landed_at: datetime | None
    status_at: datetime | None
    status_by: str | None = Field(examples=["ann"])
    status_note: str | None = Field(description="Why a person gave it this status.")
    correction: str | None = Field(description="A person's correction, as JSON: columns and texts.")
    cells: Mapping[str, str | None] = Field(
        description="Texts by column; the landed text if it did not fit the column's type.",
        examples=[{"amount": "12,5O"}],
    )


class Replay(BaseModel):
    """Which open rows are replayed; by default all."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"rule": "cast", "dry_run": True}]})

    rule: Text | None = Field(None, description="Only rows refused for this rule, by its type.")
    column: Text | None = Field(None, description="Only rows refused for this column.")
    batch: Text | None = None
    ids: Annotated[Sequence[RowId] | None, Field(min_length=1, max_length=MOST_ROWS)] = None
    dry_run: bool = Field(False, description="Judge the rows and log the outcome, but publish nothing.")


@router.get(
    "/tables/{key:path}/quarantine",  # noqa: FAST003 - the table's dependency takes it
    summary="A table's refused rows, the last landed first",
    operation_id="quarantine",
    responses=problems(404, 422, 503),
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def quarantine(
    table: Quarantined,
    request: Request,
    behind: Behind,
    status: Annotated[Literal["open", "fixed", "replayed", "dismissed", "superseded"] | None, Query()] = None,
    rule: Annotated[Text | None, Query(description="Only rows refused for this rule, by its type.")] = None,
    column: Annotated[Text | None, Query(description="Only rows refused for this column.")] = None,
    batch: Annotated[Text | None, Query(description="Only rows of this batch.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[RefusedRow]:
    after = _place(cursor)
    rows = page(behind.site.stores.lake, table.key, RefusedRowFilter(rule, column, batch), status, limit + 1, after)
    items = [_row(row) for row in rows[:limit]]
    note(request, "read.quarantine", table.key, rows=len(items))
    return Page(items=items, next=_cursor(after.after(rows[:limit])) if len(rows) > limit else None)


@router.post(
    "/tables/{key:path}/quarantine/replay",  # noqa: FAST003 - the table's dependency takes it
    summary="Replay open rows, and publish those that pass",
    description="Judges the rows by the current types, steps and rules, in a new run.",
    operation_id="replay_quarantine",
    status_code=202,
    responses=problems(404, 422, 502, 503),
    dependencies=[Depends(somewhere(Permission.HEAL))],
)
def replay(
    table: OfProject,
    request: Request,
    response: Response,
    caller: Asker,
    behind: Behind,
    dagster: Dagster,
    rights: Own,
    wanted: Replay | None = None,
) -> RunLine:
    must(request, rights, Permission.HEAL, table.key, "quarantine.replay")
    how = wanted or Replay()
    config = {"table": landed(table).name, **how.model_dump(exclude_none=True)}
    launch = Launch(_JOB, config={"ops": {f"{_JOB}_rows": {"config": config}}}, tags={"dq/table": table.key})
    run = launch.submit(caller, dagster)
    chosen = RefusedRowFilter(how.rule, how.column, how.batch, how.ids)
    note(request, "quarantine.replay", table.key, run=run, dry_run=how.dry_run, **audited(chosen))
    return launched(dagster, rights, behind, response, run)


def _place(cursor: str | None) -> PageCursor:
    place = place_in(_PLACE, cursor)
    if place is None:
        return FIRST_PAGE
    microseconds, number, skip = place
    return PageCursor(None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds), number, skip)


def _cursor(place: PageCursor) -> str:
    at = None if place.at is None else (place.at - _EPOCH) // timedelta(microseconds=1)
    return cursor_of([at, place.id, place.skip])


def _row(row: Mapping[str, Any]) -> RefusedRow:
    return RefusedRow(
        id=row["_id"], status=row["_status"], reasons=[Reason(**reason) for reason in row["_reasons"] or ()],
        source=row["_source"], row=row["_row"], batch=row["_batch"], partition=row.get("_partition"),
        landed_at=row["_ingested_at"], status_at=row["_status_at"], status_by=row["_status_by"], status_note=row["_status_note"],
        correction=row["_correction"], cells={name: row[name] for name in cells_in(row)},
    )  # fmt: skip
