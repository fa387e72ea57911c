"""What the routes of uploads take and answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from dq_pipelines.project.remote_policy import LONGEST
from dq_pipelines.uploads.upload import Upload
from dq_pipelines.web.api.job_files import Name, Written
from dq_pipelines.web.api.texts import Text

_YAML = "source: {type: csv, path: '${DQ_LANDING}/retail/till/*.csv'}\nowners: [team:retail]\n"
_Yaml = Annotated[str, Field(description="The file's text, with comments.", max_length=LONGEST)]


class UploadLine(BaseModel):
    """A file that waits to be saved."""

    id: str = Field(examples=["0f1e2d3c4b5a69788796a5b4c3d2e1f0"])
    file: str = Field(description="Its name.", examples=["till.xlsx"])
    domain: str = Field(examples=["retail"])
    folder: str = Field(description="The folder of the landing folder in which it lands when it is saved.")
    kind: str = Field(description="The type of the source that reads it.", examples=["excel"])
    size: int = Field(description="In bytes.")
    uploaded_at: datetime
    removed_at: datetime = Field(description="When it is removed unless it is saved before.")


class Uploads(BaseModel):
    """The caller's uploads, the newest first."""

    items: Sequence[UploadLine]
    most_bytes: int = Field(description="Bytes of one file at most (`DQ_UPLOAD_LIMIT`).")


class FirstRow(BaseModel):
    """One of the first rows, as it stands in the file."""

    number: int = Field(description="The row of the sheet, or the line of the file, from 1.")
    cells: Sequence[str]


class Bar(BaseModel):
    """A value, or a range of values, with its rows."""

    label: str
    count: int
    width: float = Field(description="Percent of the longest bar.")
    share: str


class RuleOfColumn(BaseModel):
    """A suggested rule."""

    type: str
    arguments: str
    why: str
    word: str = Field(description="`sure`, `likely` or `perhaps`.")
    confidence: float
    columns: Sequence[str]


class ColumnOfFile(BaseModel):
    """The profile of a column."""

    name: str
    type: str = Field(description="The suggested type.")
    why: str
    filled: float = Field(description="Percent of rows with a value.")
    filled_said: str
    distinct: str
    facts: Sequence[tuple[str, str]]
    histogram: Sequence[Bar]
    values: Sequence[Bar]
    shapes: Sequence[Bar]
    rules: Sequence[RuleOfColumn]


class UnreadableLine(BaseModel):
    """A line that cannot be read."""

    row: int | None
    text: str
    why: str


class UnreadableLines(BaseModel):
    """The lines that cannot be read."""

    count: int
    first: Sequence[UnreadableLine]


class Inspection(BaseModel):
    """What a file holds."""

    kind: str = Field(examples=["excel"])
    described: str = Field(examples=["an Excel workbook"])
    sheets: Sequence[str] = Field(description="Of a workbook; hidden ones too.")
    sheet: str | int | None = Field(description="The sheet that is read; null for the first one.")
    header_row: int | None = Field(description="The row of the names of columns, from 1; 0 for none.")
    delimiter: str | None
    encoding: str | None
    first_rows: Sequence[FirstRow] = Field(description="Before anything is taken for a header.")
    rows: int
    sampled: int | None = Field(description="How many rows the profile is of, if not of all.")
    columns: Sequence[str]
    preview: Sequence[Sequence[str | None]] = Field(description="The first rows of the table.")
    profile: Sequence[ColumnOfFile]
    unreadable: UnreadableLines
    notes: Sequence[str]
    yaml: str = Field(description="The suggested text of the table's file.")


class Trial(BaseModel):
    """A YAML to try on the file."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "till", "yaml": _YAML}]})

    name: Name = Field(description="The table's name.")
    yaml: _Yaml


class TriedReason(BaseModel):
    """Why rows are refused, and how many."""

    rule: str | None
    column: str | None
    rows: int


class TriedRule(BaseModel):
    """The result of one rule."""

    check: str
    rule: str
    column: str | None
    severity: str
    success: bool
    action: str | None = Field(description="What its failure does: block, quarantine, drop or warn.")
    judged: int | None
    failing: int | None
    observed: str | None
    error: str | None


class TriedRow(BaseModel):
    """A refused row."""

    row: int | None = Field(description="Its row or line in the file.")
    cells: dict[str, str | None]
    reasons: Sequence[dict[str, Any]]


class Tried(BaseModel):
    """What would become of the file's rows. Nothing was published."""

    rows_in: int
    published: int
    refused: int
    dropped: int
    unreadable: int = Field(description="Lines that cannot be read; they count as refused.")
    blocked: str | None = Field(description="A sentence if nothing would be published.")
    casts: dict[str, int] = Field(description="Rows refused because a value has not the column's type, by column.")
    reasons: Sequence[TriedReason]
    rules: Sequence[TriedRule]
    refused_rows: Sequence[TriedRow] = Field(description="The first of them.")
    columns: dict[str, str] = Field(description="The published columns with their types.")
    published_rows: Sequence[Sequence[str | None]] = Field(description="The first of them.")
    notes: Sequence[str]


class TrialOfText(BaseModel):
    """A YAML to try on the newest landed file."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"yaml": _YAML}]})

    yaml: _Yaml


class TriedNewest(Tried):
    """What would become of the rows of the newest landed file. Nothing was published."""

    file: str = Field(description="The name of that file.", examples=["2026-11-30.csv"])


class NewPipeline(Trial):
    """A pipeline to create, with the file as its first input."""

    replace: bool = Field(False, description="Replace a file of this name in the landing folder.")


class Saved(Written):
    """The new pipeline."""

    landed: str = Field(description="The path of its first input below the landing folder.")


class InspectionOptions(BaseModel):
    """How to read the file, where the guess is wrong, and what the suggested table is called."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = Field(None, description="The table's name; by default after the file's.")
    sheet: Text | None = Field(None, description="The name of a workbook's sheet.")
    header_row: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        None, description="The row of the names of columns, from 1; 0 for none. Of a workbook or delimited text."
    )
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=8)] | None = None
    encoding: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = None
    owner: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        None, description="`team:name` or an e-mail address.", examples=["team:retail"]
    )
    schedule: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        None, description="Cron, in UTC.", examples=["0 2 * * *"]
    )
    starts: Literal["hand", "arrival", "schedule"] = Field("hand", description="What starts its runs.")


def line_of(upload: Upload, removed_at: datetime) -> UploadLine:
    return UploadLine(
        id=upload.id, file=upload.name, domain=upload.domain, folder=upload.folder, kind=upload.kind.source,
        size=upload.size, uploaded_at=upload.at, removed_at=removed_at,
    )  # fmt: skip
