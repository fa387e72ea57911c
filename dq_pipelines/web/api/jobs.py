"""Lists jobs: each table's YAML file with its source, its sink, its last run and its next tick."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field

from dq_pipelines.pipeline.silver.modes import MODES
from dq_pipelines.project import LandedTable, Table
from dq_pipelines.project.automation_names import table_of
from dq_pipelines.project.files import TableFile, mark_of
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Asker, Behind, somewhere
from dq_pipelines.web.api.paging import NAMED, Cursor, Limit, Page, cursor_of, place_in
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.dagster_client.automation import Instigator, instigators
from dq_pipelines.web.dashboard.table_files import TableFiles
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(tags=["jobs"])

JobName = Annotated[str, Path(max_length=200, examples=["sales"], description="The table's name.")]


class Source(BaseModel):
    """The source of a job's rows."""

    type: str = Field(examples=["csv"])
    place: str = Field(
        description="The place as in the file; `${NAME}` is not replaced by its value.",
        examples=["${DQ_LANDING}/sales/*.csv"],
    )


class Sink(BaseModel):
    """The table that a job writes."""

    layer: Literal["silver", "gold"]
    table: str = Field(examples=["silver/sales"])
    write: Literal["append", "merge", "overwrite"] = Field(description="How a batch is written to the table.")


class LastRun(BaseModel):
    """The last run of the table."""

    run_id: str
    status: str | None = Field(
        description="Dagster's status; null if the gateway serves without Dagster.", examples=["SUCCESS"]
    )
    started_at: datetime | None
    ended_at: datetime | None


class NextTick(BaseModel):
    """The schedule or sensor that runs a job."""

    name: str = Field(examples=["sales_arrivals"])
    kind: Literal["schedule", "sensor"]
    running: bool
    at: datetime | None = Field(description="Null while it is paused.")


class Job(BaseModel):
    """A summary of one table's YAML file."""

    name: str = Field(examples=["sales"])
    domain: str = Field(examples=["retail"])
    description: str | None = Field(examples=["What was sold"])
    owners: Sequence[str] = Field(examples=[["team:retail"]])
    source: Source | None = Field(description="Null for a gold table.")
    sink: Sink | None = Field(description="Null while the project has mistakes.")
    modes: Sequence[str] = Field(description="The modes in which it can run.", examples=[["incremental", "rerun"]])
    partitions: Literal["daily", "dynamic"] | None
    schedule: str | None = Field(description="Cron, in UTC.", examples=["0 2 * * *"])
    last_run: LastRun | None
    next: NextTick | None


class JobDetail(Job):
    """One table's YAML file with its text."""

    file: str = Field(description="The path within the configuration's folder.", examples=["retail/sales.yaml"])
    yaml: str = Field(description="The text of the file; `${NAME}` is not replaced by its value.")
    etag: str = Field(description="The ETag of this text, for If-Match.")
    problems: Sequence[str] = Field(
        description="The mistakes in the project's files, or one sentence for a caller of some tables; empty if there are none."
    )


def files_of(behind: Behind, caller: Asker) -> TableFiles:
    """The files of tables that the caller may view."""
    return TableFiles(behind.site, caller)


Files = Annotated[TableFiles, Depends(files_of)]


@router.get(
    "/jobs",
    summary="Every table, with its source, its last run and its next tick",
    operation_id="jobs",
    responses=problems(422, 502, 503),
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def jobs(files: Files, behind: Behind, limit: Limit = 100, cursor: Cursor = None) -> Page[Job]:
    after = place_in(NAMED, cursor) or ""
    names = [name for name in files.seen if name > after]
    page = [files.seen[name] for name in names[:limit]]
    items = [Job(**line) for line in _lines(behind, files, page)]
    return Page(items=items, next=cursor_of(page[-1].name) if len(names) > limit else None)


@router.get(
    "/jobs/{name}",
    summary="One table, with its YAML",
    description="The ETag is that of the file: send it as If-Match to change or delete the file.",
    operation_id="job",
    responses=problems(404, 422, 502, 503),
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def job(name: JobName, files: Files, behind: Behind, response: Response) -> JobDetail:
    detail = detail_of(behind, files, file_of(files, name))
    response.headers["ETag"] = detail.etag
    return detail


def file_of(files: TableFiles, name: str) -> TableFile:
    """The file of this table. Raises ApiError (404) if there is none that the caller may view."""
    if name not in files.seen:
        raise ApiError(404, files.unknown(name))
    return files.seen[name]


def detail_of(behind: Backend, files: TableFiles, file: TableFile) -> JobDetail:
    """One table with its text. Raises ApiError (404) if its file is gone meanwhile."""
    try:
        content = file.content
    except FileNotFoundError:
        raise ApiError(404, f"unknown job '{file.name}': its file is gone") from None
    except OSError as error:
        raise ApiError(503, f"{file.name}: wanted to read its file, got: {error.strerror}") from None
    (line,) = _lines(behind, files, [file])
    where = file.path.relative_to(behind.site.config).as_posix()
    text = content.decode("utf-8", "replace")
    return JobDetail(**line, file=where, yaml=text, etag=f'"{mark_of(content)}"', problems=files.problems)


def _lines(behind: Backend, files: TableFiles, page: Sequence[TableFile]) -> Iterator[dict[str, Any]]:
    tables = {file.name: table for file in page if (table := files.table(file)) is not None}
    last = _last_runs(behind, files.caller, [table.key for table in tables.values()])
    due = _due(behind, files)
    for file in page:
        table = tables.get(file.name)
        yield _line(file, table, last.get(table.key) if table else None, due.get(file.name))


def _line(file: TableFile, table: Table | None, last: LastRun | None, due: Instigator | None) -> dict[str, Any]:
    raw, place = file.raw, file.place
    described, schedule = raw.get("description"), raw.get("schedule")
    partitions = table.model.partitions if table and isinstance(table.model, LandedTable) else None
    return {
        "name": file.name,
        "domain": file.domain,
        "description": described if isinstance(described, str) else None,
        "owners": file.owners,
        "source": place and Source(type=place[0], place=place[1]),
        "sink": table and _sink(table),
        "modes": list(MODES) if table and not table.is_gold else [],
        "partitions": partitions.type if partitions else None,
        "schedule": schedule if isinstance(schedule, str) else None,
        "last_run": last,
        "next": due and NextTick(name=due.name, kind=due.kind, running=due.running, at=due.next),
    }


def _sink(table: Table) -> Sink:
    if table.is_gold:
        return Sink(layer="gold", table=table.key, write="overwrite")
    return Sink(layer="silver", table=table.key, write=table.landed.silver.mode)


_LATEST = """
query Latest($keys: [AssetKeyInput!]!) {
  assetsLatestInfo(assetKeys: $keys) { assetKey { path } latestRun { runId status startTime endTime } }
}
"""


def _last_runs(behind: Backend, caller: Caller, keys: Sequence[str]) -> Mapping[str, LastRun]:
    """Key -> its last run, from Dagster's records, or from history if there is no Dagster."""
    if behind.dagster is None:
        verdicts = {key: behind.site.stores.history.latest(key) for key in keys}
        return {
            key: LastRun(run_id=one.run_id, status=None, started_at=one.started_at, ended_at=None)
            for key, one in verdicts.items()
            if one is not None
        }
    asked = {"keys": [{"path": key.split("/")} for key in keys]}
    found = behind.dagster.ask(caller, _LATEST, asked)["assetsLatestInfo"] if keys else []
    return {"/".join(one["assetKey"]["path"]): _run(one["latestRun"]) for one in found if one["latestRun"]}


def _run(told: Mapping[str, Any]) -> LastRun:
    began, ended = (told[at] and datetime.fromtimestamp(told[at], UTC) for at in ("startTime", "endTime"))
    return LastRun(run_id=told["runId"], status=told["status"], started_at=began, ended_at=ended)


def _due(behind: Backend, files: TableFiles) -> Mapping[str, Instigator]:
    """Table -> the schedule or sensor that runs it next."""
    found: dict[str, Instigator] = {}
    if behind.dagster is None:
        return found
    never = datetime.max.replace(tzinfo=UTC)
    for one in sorted(instigators(behind.dagster, files.caller), key=lambda one: one.next or never):
        if (table := table_of(one.name, files.project)) is not None:
            found.setdefault(table, one)
    return found
