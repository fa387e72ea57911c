"""Gives a table's open rows as a workbook, and takes it back with corrections."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import polars as pl
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from dq_pipelines.errors import RuleError, SourceError
from dq_pipelines.pipeline.exchange.corrections_exchange import ImportResult, ReturnedFile, export, import_corrections
from dq_pipelines.pipeline.exchange.isolated_reading import read_isolated
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter, refused_of
from dq_pipelines.pipeline.quarantine.refused_rows import OPEN, STATUS
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project import Project, Table
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Asker, Behind, Own, must, note, somewhere
from dq_pipelines.web.api.table_keys import OfProject, Quarantined
from dq_pipelines.web.api.table_work import audited, landed, work_on
from dq_pipelines.web.api.texts import Text
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(tags=["quarantine"])

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: Rows of a workbook that this server makes at most; the command line has no such limit.
_MOST_ROWS = 100_000
#: Sentences of an answer at most.
_MOST_PROBLEMS = 200
#: Seconds that an import may take before it commits.
_PATIENCE = 120.0
_NAME = "workbook.xlsx"
_BINARY = {"schema": {"type": "string", "format": "binary"}}


class Imported(BaseModel):
    """What became of the corrections of a workbook, or would."""

    dry_run: bool
    published: int
    dismissed: int
    settled: int = Field(description="Rows that were settled before, and that the workbook does not change.")
    refused: int = Field(description="Changed rows that are not published.")
    problems: Sequence[str] = Field(
        description=f"Why not, a sentence for each with its row in the sheet; {_MOST_PROBLEMS} at most.",
        examples=[["row 4: amount: cast, wanted int64, got 4x"]],
    )
    notes: Sequence[str] = Field(description="Findings on the whole file: added or missing columns, missing rows.")
    sentence: str = Field(examples=["3 published, 1 dismissed, 1 refused still"])


@router.get(
    "/tables/{key:path}/quarantine/workbook",  # noqa: FAST003 - the table's dependency takes it
    summary="A workbook with open rows, for correction",
    operation_id="workbook",
    response_class=Response,
    responses={200: {"description": "The workbook", "content": {XLSX: _BINARY}}, **problems(404, 422)},
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def workbook(
    table: Quarantined,
    request: Request,
    behind: Behind,
    rule: Annotated[Text | None, Query(description="Only rows refused for this rule, by its type.")] = None,
    column: Annotated[Text | None, Query(description="Only rows refused for this column.")] = None,
    batch: Annotated[Text | None, Query(description="Only rows of this batch.")] = None,
) -> Response:
    work, chosen = TableRun(table, behind.site.stores.lake), RefusedRowFilter(rule, column, batch)
    if not work.quarantine.exists:
        raise ApiError(404, f"{table.key} has no refused rows: none was ever refused")
    opened = chosen.rows(refused_of(work)).filter(pl.col(STATUS) == OPEN)
    if (count := opened.select(pl.len()).collect().item()) > _MOST_ROWS:
        raise ApiError(
            422,
            f"wanted at most {_MOST_ROWS:,} rows, got {count:,}: choose by rule, column or batch, or use dq quarantine export",
        )
    with tempfile.TemporaryDirectory(prefix="dq-workbook-") as folder:
        path = Path(folder) / _NAME
        rows = export(work, path, chosen)
        content = path.read_bytes()
    note(request, "read.quarantine", table.key, rows=rows, **audited(chosen))
    headers = {"Content-Disposition": f'attachment; filename="{_file_name(table)}"', "Cache-Control": "no-store"}
    return Response(content, media_type=XLSX, headers=headers)


def _file_name(table: Table) -> str:
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in table.name)
    return f"{plain}_refused.xlsx"


async def _body(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/tables/{key:path}/quarantine/workbook",
    summary="Publish the corrected rows of a workbook that pass",
    description=(
        "Judges every changed row before anything is written, publishes those that pass, and dismisses those that the workbook "
        "dismisses. The body is the file, of 8 MiB at most."
    ),
    operation_id="import_workbook",
    responses=problems(404, 409, 422),
    openapi_extra={"requestBody": {"required": True, "content": {XLSX: _BINARY}}},
    dependencies=[Depends(somewhere(Permission.HEAL))],
)
def import_workbook(
    table: OfProject,
    request: Request,
    caller: Asker,
    behind: Behind,
    rights: Own,
    body: Annotated[bytes, Depends(_body)],
    dry_run: Annotated[bool, Query(description="Judge the rows and answer, but write nothing.")] = False,
) -> Imported:
    must(request, rights, Permission.HEAL, table.key, "quarantine.import")
    work = work_on(behind, landed(table), _PATIENCE)
    done = _imported(work, body, rights.project, by=caller.user.name, dry_run=dry_run)
    for record in done.replayed.records:
        behind.site.stores.history.record(record)
    published = len(done.replayed.published)
    note(
        request, "quarantine.import", table.key,
        dry_run=dry_run, published=published, dismissed=done.dismissed, refused=len(done.problems),
    )  # fmt: skip
    return Imported(
        dry_run=dry_run, published=published, dismissed=done.dismissed, settled=done.settled, refused=len(done.problems),
        problems=done.problems[:_MOST_PROBLEMS], notes=done.notes, sentence=done.sentence(dry_run=dry_run),
    )  # fmt: skip


def _imported(work: TableRun, body: bytes, project: Project, *, by: str, dry_run: bool) -> ImportResult:
    """Import a workbook. Raises ApiError (422), with one sentence, for one that no export of this table wrote."""
    with tempfile.TemporaryDirectory(prefix="dq-workbook-") as folder:
        path = Path(folder) / _NAME
        path.write_bytes(body)
        try:
            returned = ReturnedFile(Path(_NAME), read_isolated(path))
            returned.table_of(project, work.table.name)
            return import_corrections(work, returned, by=by, dry_run=dry_run)
        except (SourceError, RuleError) as error:
            raise ApiError(422, str(error).replace(f"{path}: ", f"{_NAME}: ")) from None
