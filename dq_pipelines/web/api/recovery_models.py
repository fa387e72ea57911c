"""What the routes of restores, erasures and backups take and answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from dq_pipelines.web.api.texts import Text

TableName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Restore(BaseModel):
    """What to restore: a table as of a time or version, or the rows that retention deleted."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"table": "sales", "as_of": "2026-11-01T12:00:00Z"}]}
    )

    table: TableName = Field(
        description="`sales`: silver and quarantine; `silver/sales`: that layer alone.", examples=["sales"]
    )
    as_of: Annotated[str, StringConstraints(max_length=40)] | None = Field(
        None, description="An ISO time (UTC without a zone) or a version.", examples=["12"]
    )
    from_backup: bool = Field(False, description="Restore the rows that `retention` deleted, from the backup lake.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.as_of) == self.from_backup:
            raise ValueError("wanted one of as_of and from_backup")
        return self


class Erase(BaseModel):
    """The rows to erase."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"table": "sales", "where": "customer_id = 7"}]}
    )

    table: TableName = Field(description="A table with a source, as `sales` or `silver/sales`.", examples=["sales"])
    where: Text = Field(description="SQL over silver's columns.", min_length=1, max_length=2000)
    also: Sequence[TableName] = Field(
        (), description="Also from these tables of the lake, which YAML no longer names.", max_length=50
    )


class ErasureConfirmed(Erase):
    """The rows to erase, with the table's name once more."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"table": "sales", "where": "customer_id = 7", "confirm": "sales"}]},
    )

    confirm: TableName = Field(description="The table's name again, since erased rows cannot be restored.")


class BackUp(BaseModel):
    """A new backup of the installation."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "before-upgrade"}]})

    name: Annotated[str, StringConstraints(max_length=80)] = Field("", description="By default after the time.")
    lake_logs: bool = Field(False, description="Also the logs of the lake's tables, for a lake on a disk.")


class DryRun(BaseModel):
    """What would be done. Nothing was changed."""

    changes: bool = Field(description="Whether anything would change.")
    sentence: str = Field(description="What would change, a line for each table or place.")


class BackupLine(BaseModel):
    """A whole backup."""

    name: str = Field(examples=["before-upgrade"])
    made_at: str = Field(examples=["2026-11-30T22:00:00+00:00"])
    files: int
    bytes: int


class Backups(BaseModel):
    """The backups, the newest first."""

    folder: str = Field(description="The folder of the backups (`DQ_INSTALLATION_BACKUPS`).")
    items: Sequence[BackupLine]
