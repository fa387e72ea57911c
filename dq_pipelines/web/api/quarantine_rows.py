"""Corrects, dismisses and reopens refused rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from dq_pipelines.pipeline.exchange.row_corrections import correct
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter, set_status
from dq_pipelines.pipeline.quarantine.refused_rows import DISMISSED, OPEN
from dq_pipelines.project import Table
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Asker, Behind, Own, must, note, somewhere
from dq_pipelines.web.api.table_keys import OfProject
from dq_pipelines.web.api.table_work import audited, landed, work_on
from dq_pipelines.web.api.texts import Text
from dq_pipelines.web.problem_details import ApiError, in_lines, problems

router = APIRouter(tags=["quarantine"])

ROW_ID = "b-7c1a:sales/1.csv:14"
RowId = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00]*$")]
#: Rows that one request names at most.
MOST_ROWS = 1000
_CELL = Annotated[str, StringConstraints(max_length=100_000, pattern=r"^[^\x00]*$")]


class Selection(BaseModel):
    """Which rows; those that fit every given field."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[Sequence[RowId] | None, Field(min_length=1, max_length=MOST_ROWS)] = None
    rule: Text | None = Field(None, description="Only rows refused for this rule, by its type.", examples=["cast"])
    column: Text | None = Field(None, description="Only rows refused for this column.", examples=["amount"])
    batch: Text | None = Field(None, description="Only rows of this batch.")

    @model_validator(mode="after")
    def _is_selective(self) -> Self:
        if not any((self.ids, self.rule, self.column, self.batch)):
            raise ValueError("wanted ids, a rule, a column or a batch, got none: every row of the table would change")
        return self

    @property
    def chosen(self) -> RefusedRowFilter:
        return RefusedRowFilter(self.rule, self.column, self.batch, self.ids)


class Dismissal(Selection):
    """Which open rows are given up, and why."""

    note: Annotated[
        str,
        StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$"),
        Field(description="Why; it is kept with the rows."),
    ]

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"ids": [ROW_ID], "note": "a test order"}]}
    )


class Corrections(BaseModel):
    """The new texts of cells, by row id and column."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"rows": {ROW_ID: {"amount": "12.50"}}}]})

    rows: Annotated[
        Mapping[RowId, Annotated[Mapping[Text, _CELL | None], Field(min_length=1)]],
        Field(
            min_length=1,
            max_length=MOST_ROWS,
            description="Columns have silver's names. Null makes a cell null; the landed text undoes a correction.",
        ),
    ]


class ChangedRows(BaseModel):
    """How many rows have changed."""

    rows: int = Field(examples=[1])


@router.post(
    "/tables/{key:path}/quarantine/corrections",  # noqa: FAST003 - the table's dependency takes it
    summary="Correct cells of open rows",
    description=(
        "Keeps the texts in quarantine, and publishes nothing: the next replay judges the rows with them. Each text is "
        "checked by its column's type. If one does not fit, nothing is kept, and each mistake has a line that begins with the "
        "column; in a request of several rows, with the row's id."
    ),
    operation_id="correct_rows",
    responses=problems(404, 409, 422),
    dependencies=[Depends(somewhere(Permission.HEAL))],
)
def corrections(
    table: OfProject, request: Request, caller: Asker, behind: Behind, rights: Own, wanted: Corrections
) -> ChangedRows:
    must(request, rights, Permission.HEAL, table.key, "quarantine.correct")
    done = correct(work_on(behind, landed(table)), wanted.rows, by=caller.user.name)
    if done.problems:
        raise ApiError(422, in_lines(done.problems))
    columns = sorted({name for cells in wanted.rows.values() for name in cells})
    chosen = RefusedRowFilter(ids=list(wanted.rows))
    note(request, "quarantine.correct", table.key, rows=done.rows, columns=columns, **audited(chosen))
    return ChangedRows(rows=done.rows)


@router.post(
    "/tables/{key:path}/quarantine/dismiss",  # noqa: FAST003 - the table's dependency takes it
    summary="Give up open rows",
    description="The rows stay in quarantine, and no replay or rerun publishes them.",
    operation_id="dismiss_rows",
    responses=problems(404, 409, 422),
    dependencies=[Depends(somewhere(Permission.HEAL))],
)
def dismiss(
    table: OfProject, request: Request, caller: Asker, behind: Behind, rights: Own, wanted: Dismissal
) -> ChangedRows:
    must(request, rights, Permission.HEAL, table.key, "quarantine.dismiss")
    return _with_status(table, request, caller.user.name, behind=behind, wanted=wanted, why=wanted.note)


@router.post(
    "/tables/{key:path}/quarantine/reopen",  # noqa: FAST003 - the table's dependency takes it
    summary="Open dismissed rows again",
    description="Replays judge them again. A row of which a later version has landed stays dismissed.",
    operation_id="reopen_rows",
    responses=problems(404, 409, 422),
    dependencies=[Depends(somewhere(Permission.HEAL))],
)
def reopen(
    table: OfProject, request: Request, caller: Asker, behind: Behind, rights: Own, wanted: Selection
) -> ChangedRows:
    must(request, rights, Permission.HEAL, table.key, "quarantine.reopen")
    return _with_status(table, request, caller.user.name, behind=behind, wanted=wanted)


def _with_status(
    table: Table, request: Request, by: str, *, behind: Behind, wanted: Selection, why: str | None = None
) -> ChangedRows:
    """Dismiss the open rows for a reason, or without one open the dismissed ones."""
    status, what = (OPEN, "quarantine.reopen") if why is None else (DISMISSED, "quarantine.dismiss")
    count = set_status(work_on(behind, landed(table)), wanted.chosen, status, by, why)
    note(request, what, table.key, rows=count, **audited(wanted.chosen))
    return ChangedRows(rows=count)
